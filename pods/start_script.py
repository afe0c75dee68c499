r"""The algorithm's command: a POSIX shell script that configuration writes to `start/run.sh` of the volume.

An algorithm image needs `sh`, `mkdir`, `tee` and `sleep`, nothing else (tested with dash, busybox ash and bash). The
script

* exports the seven variables of the contract, and `INPUTS_INDEX`, the path of our list of all inputs,
* runs the entrypoint under `sh -c` and ends with the entrypoint's own exit code (Ocean's pod ended with `tee`'s),
* writes both streams to `logs/algorithm.log`, at most `log_bytes` of them, and all of them to its own output,
* ends the entrypoint at the time limit: SIGTERM, some seconds later SIGKILL, exit code 124,
* does not run it at all when the paid time is over by then: exit code 79,
* notes in `logs/.run` when it began and how it ended (`Ending`): a program's own 124, 79 or 143 are no time limit and
  no lost pod. The algorithm could write there what it likes, so publishing repeats the note as a hint, and a verdict
  asks Argo's times, too.

How: every helper process reports on one pipe (descriptor 4 of the writers), and `supervise` reads it and decides. It
ends when the last writer has ended, so nothing is left behind and nothing has to be polled. Our own processes ignore
SIGTERM, so that a stop, which is sent to the whole process group, reaches the entrypoint only, and what it still says
is kept; one of them, the sentinel, dies of it and so tells that it came. The timer's sleep is begun anew for what is
left when somebody else than we ends it. SIGTERM at the time limit goes to the process group if that is ours alone (it
is in a pod), otherwise to the entrypoint only.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from string import Template
from typing import Final, Literal, get_args

from contract.exit_codes import ExitCode

_SCRIPT = Template(r"""# Runs the algorithm. Written by the configuration step.
case $${BASH_VERSION-} in ?*) set -o posix ;; esac
exec </dev/null
{ : >&1; } 2>/dev/null || exec >/dev/null
{ : >&2; } 2>/dev/null || exec 2>/dev/null

DIDS=$dids TRANSFORMATION_DID=$algorithm_did VOLUME=$volume
INPUTS=$volume/inputs OUTPUTS=$volume/outputs LOGS=$volume/logs
secret=$secret
export DIDS TRANSFORMATION_DID VOLUME INPUTS OUTPUTS LOGS secret
case $$0 in */*) INPUTS_INDEX=$${0%/*}/$index ;; *) INPUTS_INDEX=./$index ;; esac
export INPUTS_INDEX

c2d_entrypoint=$entrypoint
c2d_log=$volume/logs/algorithm.log
c2d_times=$volume/logs/.run
c2d_seconds=$run_seconds
c2d_end=$paid_until

mkdir -p $volume/outputs $volume/logs 2>/dev/null

c2d_now=`date +%s 2>/dev/null`
case $$c2d_now in ''|*[!0-9]*) c2d_now= ;; esac
if [ -n "$$c2d_now" ] && [ -n "$$c2d_end" ]; then
  c2d_left=$$((c2d_end - c2d_now))
  if [ "$$c2d_left" -le 0 ]; then
    { echo 'end over' >"$$c2d_times"; } 2>/dev/null
    echo 'the paid time was over before the algorithm could start' >&2
    exit $paid_time_over
  fi
  if [ "$$c2d_left" -lt "$$c2d_seconds" ]; then c2d_seconds=$$c2d_left; fi
fi
{ echo "started $$c2d_now" >"$$c2d_times"; } 2>/dev/null

# Signals of the time limit go to our process group if it holds nobody else.
c2d_group=
{ read -r c2d_a c2d_b c2d_c c2d_d c2d_group c2d_rest </proc/$$$$/stat; } 2>/dev/null
case $$c2d_group in $$$$|1) c2d_group=0 ;; *) c2d_group= ;; esac

c2d_run() { # the entrypoint; fd 4 is closed before any of it runs
  ( trap - TERM
    exec sh -c 'echo "entry $$$$" >&4; exec 3>&- 4>&-; exec sh -c "$$1"' sh "$$c2d_entrypoint" 2>&1 ) 2>&1
  echo "code $$?" >&4
  # A process left behind may hold the log's pipe: it gets a moment, then the log is closed.
  exec >/dev/null
  sh -c 'echo "drain $$$$" >&4; exec sleep 2 3>&- 4>&-' 2>/dev/null && echo drained >&4
}

c2d_keep_log() {
  trap '' PIPE XFSZ
  ulimit -f $log_blocks 2>/dev/null
  sh -c 'echo "tee $$$$" >&4; exec 4>&-; exec tee -a "$$1" 2>/dev/null' sh "$$c2d_log" >&3
  echo flushed >&4
}

c2d_timer() { # whoever kills its sleep gains nothing; USR1 (10, elsewhere 16 or 30) is ours
  c2d_left=$$c2d_seconds
  while :; do
    sh -c 'echo "timer $$$$" >&4; exec sleep "$$1" 3>&- 4>&-' sh "$$c2d_left"
    case $$? in 0) break ;; 138|144|158) return ;; esac
    c2d_then=`date +%s 2>/dev/null`
    case $$c2d_then:$$c2d_now in :*|*:|*[!0-9:]*) return ;; esac
    c2d_left=$$((c2d_now + c2d_seconds - c2d_then))
    if [ "$$c2d_left" -le 0 ]; then break; fi
  done
  echo limit >&4
  sh -c 'echo "timer $$$$" >&4; exec sleep "$$1" 3>&- 4>&-' sh $grace_seconds && echo grace >&4
}

c2d_sentinel() { # SIGTERM from outside reaches the whole group
  ( trap - TERM; exec sh -c 'echo "sentinel $$$$" >&4; exec sleep 99999999 3>&- 4>&-' )
  case $$? in 143) echo term >&4 ;; esac
}

c2d_supervise() {
  code= limit= term= entry= tee= timer= drain= flushed= sentinel=
  while read -r what value; do
    case $$what in
      entry) entry=$$value ;;
      tee) tee=$$value ;;
      timer) timer=$$value; if [ -n "$$code$$flushed" ]; then kill -USR1 "$$timer"; fi ;;
      sentinel) sentinel=$$value; if [ -n "$$code$$flushed" ]; then kill -KILL "$$sentinel"; fi ;;
      term) term=1 ;;
      limit)
        if [ -z "$$code" ]; then
          limit=1; echo 'the time limit of the algorithm is reached' >&3
          kill -TERM "$${c2d_group:-$$entry}"
        fi ;;
      grace) if [ -z "$$code" ]; then kill -KILL "$$entry"; fi ;;
      code)
        code=$$value
        if [ -n "$$timer" ]; then kill -USR1 "$$timer"; fi
        if [ -n "$$sentinel" ]; then kill -KILL "$$sentinel"; fi ;;
      drain) drain=$$value; if [ -n "$$flushed" ]; then kill -KILL "$$drain"; fi ;;
      flushed)
        flushed=1
        if [ -n "$$timer" ]; then kill -USR1 "$$timer"; fi
        for other in $$drain $$sentinel; do kill -KILL "$$other"; done ;;
      drained) if [ -z "$$flushed" ]; then kill -KILL "$$tee"; fi ;;
    esac
  done
  ending=own
  if [ -n "$$term" ]; then ending=term; fi
  if [ -n "$$limit" ]; then code=$time_limit ending=limit; fi
  if [ -f "$$c2d_times" ]; then { echo "end $$ending" >>"$$c2d_times"; } 2>/dev/null; fi
  exit "$${code:-1}"
}

trap '' TERM
exec 3>&1
{
  {
    c2d_timer </dev/null >/dev/null 2>&1 &
    c2d_sentinel </dev/null >/dev/null 2>&1 &
    c2d_run 2>/dev/null | c2d_keep_log
  } 4>&1 2>/dev/null
} | c2d_supervise 2>/dev/null
c2d_code=$$?
if [ -f "$$c2d_times" ]; then
  { printf 'finished %s\nexit %s\n' "`date +%s 2>/dev/null`" "$$c2d_code" >>"$$c2d_times"; } 2>/dev/null
fi
exit "$$c2d_code"
""")

GRACE_SECONDS = 5  # between SIGTERM and SIGKILL at the inner time limit
INPUTS_INDEX = "inputs.json"  # beside the script
RUN_NOTE = ".run"  # in logs/: start, end and exit code as the script saw them; an algorithm can rewrite it

# How it ended, in that note: by itself, at the time limit, of a SIGTERM from outside; over: it did not begin, because
# the paid time had ended before.
Ending = Literal["own", "limit", "term", "over"]
ENDINGS: Final = frozenset[str](get_args(Ending))


@dataclass(frozen=True, slots=True)
class Start:
    """What the script must know. `run_seconds` ≥ 1; `paid_until`: Unix seconds or None."""

    volume: str
    dids: tuple[str, ...]  # of the inputs in order, duplicates kept
    algorithm_did: str  # "" for a raw algorithm
    secret: str
    entrypoint: str
    run_seconds: int
    paid_until: int | None
    log_bytes: int
    grace_seconds: int = GRACE_SECONDS


def start_script(start: Start) -> str:
    """The script's text. Raises ValueError for text that no shell can hold (a zero byte, an unpaired surrogate)."""
    # Deferred: only this needs it.
    from ocean.kit.compact_json import compact_json

    algorithm_path = f"{start.volume}/transformations/algorithm"
    dids = compact_json([_bare(did) for did in start.dids])
    text = _SCRIPT.substitute(
        dids=_quoted(dids),
        algorithm_did=_quoted(_bare(start.algorithm_did)),
        volume=_quoted(start.volume),
        index=INPUTS_INDEX,
        secret=_quoted(start.secret),
        entrypoint=_quoted(start.entrypoint.replace("$ALGO", algorithm_path)),
        run_seconds=int(start.run_seconds),
        paid_until="" if start.paid_until is None else int(start.paid_until),
        log_blocks=max(1, start.log_bytes // 512),
        grace_seconds=int(start.grace_seconds),
        paid_time_over=int(ExitCode.PAID_TIME_OVER),
        time_limit=int(ExitCode.TIME_LIMIT),
    )
    text.encode()  # unpaired surrogates
    return text


def _bare(did: str) -> str:
    return did.removeprefix("did:op:")


def _quoted(text: str) -> str:
    if "\0" in text:
        raise ValueError("a zero byte cannot be part of a shell command")
    return shlex.quote(text)
