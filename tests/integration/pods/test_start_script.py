"""The start script under every shell of this machine, as a process of its own group, as in a pod."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from contract.exit_codes import ExitCode
from pods.start_script import Start, start_script

pytestmark = pytest.mark.integration

SHELLS = {"dash": ["dash"], "bash": ["bash"], "busybox": ["busybox", "sh"]}
BUSYBOX_TOOLS = ("sh", "tee", "sleep", "date", "mkdir", "cat", "env")


@dataclass
class End:
    code: int
    out: bytes
    err: bytes
    log: bytes
    seconds: float
    left: list[str]  # living processes of the group


@dataclass
class Runner:
    shell: list[str]
    folder: Path
    path: str
    start: Start

    def __call__(
        self,
        entrypoint: str,
        *,
        meanwhile: Callable[[subprocess.Popen[bytes]], None] | None = None,
        own_group: bool = True,
        keep_log: bool = False,
        **changes: object,
    ) -> End:
        script = self.folder / "run.sh"
        script.write_text(start_script(replace(self.start, entrypoint=entrypoint, **changes)))
        log = self.folder / "data/logs/algorithm.log"
        if not keep_log:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_bytes(b"")
        began = time.monotonic()
        process = subprocess.Popen(
            [*self.shell, str(script)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": self.path, "HOME": "/tmp"},
            start_new_session=own_group,
            cwd=self.folder,
        )
        if meanwhile:
            meanwhile(process)
        try:
            out, err = process.communicate(timeout=60)  # whatever would go on does so for longer
            seconds = time.monotonic() - began
            left = _alive(process.pid) if own_group else []
        finally:
            if own_group:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        return End(process.returncode, out, err, b"" if keep_log else log.read_bytes(), seconds, left)


def _alive(group: int) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, pgrp = (entry / "stat").read_text().rpartition(") ")[2].split()[:3]
                if int(pgrp) == group and state != "Z":
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
    return found


@pytest.fixture(params=list(SHELLS))
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Runner:
    words = SHELLS[request.param]
    program = shutil.which(words[0])
    if program is None:
        pytest.skip(f"{words[0]} is not installed")
    path = "/usr/bin:/bin"
    if words[0] == "busybox":
        tools = tmp_path / "bin"
        tools.mkdir()
        for name in BUSYBOX_TOOLS:
            (tools / name).symlink_to(program)
        path = f"{tools}:{path}"
    start = Start(
        volume=str(tmp_path / "data"),
        dids=("did:op:da7a01", "did:op:da7a02", "did:op:da7a01"),
        algorithm_did="did:op:c0ffee",
        secret="5e" * 16,
        entrypoint="",
        run_seconds=30,
        paid_until=None,
        log_bytes=1 << 20,
        grace_seconds=1,
    )
    return Runner([program, *words[1:]], tmp_path, path, start)


def test_the_seven_variables_and_where_our_index_is(run: Runner) -> None:
    end = run("env")
    found = dict(line.split("=", 1) for line in end.out.decode().splitlines())
    root = run.start.volume
    assert found.pop("DIDS") == '["da7a01","da7a02","da7a01"]'
    assert found.pop("TRANSFORMATION_DID") == "c0ffee"
    assert found.pop("VOLUME") == root
    assert found.pop("INPUTS") == root + "/inputs"
    assert found.pop("OUTPUTS") == root + "/outputs"
    assert found.pop("LOGS") == root + "/logs"
    assert found.pop("secret") == "5e" * 16
    assert found.pop("INPUTS_INDEX") == str(run.folder / "inputs.json")
    assert set(found) <= {"PATH", "HOME", "PWD", "OLDPWD", "SHLVL", "_"}


@pytest.mark.parametrize(
    ("entrypoint", "code", "out"),
    [
        ("exit 3", 3, b""),
        ("echo out; echo err >&2", 0, b"out\nerr\n"),
        ("false && echo no", 1, b""),
        ("echo a | tr a b; echo \"$0 'x'\"", 0, b"b\nsh 'x'\n"),
        ("echo '{{=1+1}} {{workflow.uid}}'", 0, b"{{=1+1}} {{workflow.uid}}\n"),
        ("echo '`id` $(id) \\ \"'", 0, b'`id` $(id) \\ "\n'),
        ("printf 'no newline at the end'; exit 7", 7, b"no newline at the end"),
        ("kill -SEGV $$", 139, b""),
        ("true &\nwait\necho two lines", 0, b"two lines\n"),
        ("(sleep 0.2; exit 4) & wait $!", 4, b""),
        ("exit 79", 79, b""),
        ("cat; echo end of input", 0, b"end of input\n"),
    ],
)
def test_shell_semantics_and_the_entrypoints_own_exit_code(run: Runner, entrypoint: str, code: int, out: bytes) -> None:
    end = run(entrypoint)
    assert (end.code, end.out, end.log, end.err) == (code, out, out, b"")
    assert end.left == []


def test_a_missing_command_ends_as_127(run: Runner) -> None:
    end = run("no-such-program")
    assert end.code == 127
    assert b"not found" in end.log


def test_every_algo_is_replaced(run: Runner) -> None:
    algorithm = run.folder / "data/transformations/algorithm"
    algorithm.parent.mkdir(parents=True)
    algorithm.write_text('echo ran with "$1"\n')
    end = run("sh $ALGO '$ALGO' x$ALGO.txt")
    assert end.out == f"ran with {algorithm}\n".encode()


def test_works_with_closed_descriptors(run: Runner) -> None:
    run.shell = ["/bin/sh", "-c", 'exec "$@" <&- 2>&-', "sh", *run.shell]
    end = run("cat; echo fine; echo more >&2; exit 3")
    assert (end.code, end.log) == (3, b"fine\nmore\n")


def test_goes_on_when_the_log_cannot_be_written(run: Runner) -> None:
    (run.folder / "data/logs").mkdir(parents=True)
    (run.folder / "data/logs/algorithm.log").symlink_to("/proc/nothing/here")
    end = run("echo fine; exit 3", keep_log=True)
    assert (end.code, end.out, end.err) == (3, b"fine\n", b"")


def test_the_log_is_cut_off_and_the_output_is_not(run: Runner) -> None:
    end = run("head -c 3000000 /dev/zero | tr '\\0' x; echo last; exit 5", log_bytes=100 * 1024)
    assert end.code == 5
    assert len(end.out) == 3000005
    assert end.log == b"x" * 100 * 1024


def test_large_output_files_are_not_limited_by_the_log(run: Runner) -> None:
    end = run("head -c 300000 /dev/zero >$OUTPUTS/big && echo ok", log_bytes=512)
    assert (end.code, end.log) == (0, b"ok\n")


def test_time_limit_ends_everything(run: Runner) -> None:
    end = run("echo start; sleep 600 | sleep 600; echo never", run_seconds=1, grace_seconds=600)
    assert end.code == ExitCode.TIME_LIMIT
    assert end.log == b"start\n"
    assert b"time limit" in end.out
    assert end.left == []


def test_last_words_after_the_time_limit_are_kept(run: Runner) -> None:
    end = run("trap 'echo bye; exit 0' TERM; echo go; while :; do sleep 0.05; done 2>/dev/null", run_seconds=2)
    assert end.code == ExitCode.TIME_LIMIT
    assert end.log.startswith(b"go\n")
    assert end.log.endswith(b"bye\n")


def test_an_entrypoint_that_ignores_the_limit_is_killed(run: Runner) -> None:
    end = run("trap '' TERM; echo go; while :; do sleep 0.05; done; :", run_seconds=1)
    assert end.code == ExitCode.TIME_LIMIT
    assert end.seconds > 1.9


def stop_of(run: Runner) -> Callable[[subprocess.Popen[bytes]], None]:
    """A stop from outside, once the program has said "go" and the script's sentinel sleeps."""
    log = run.folder / "data/logs/algorithm.log"

    def stop(process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 60
        while b"go\n" not in log.read_bytes() or not any("sleep 99999999" in line for line in _alive(process.pid)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGTERM)

    return stop


def test_a_stop_reaches_the_entrypoint_only(run: Runner) -> None:
    end = run("echo go; exec sleep 600", meanwhile=stop_of(run))
    assert end.code == 143
    end = run(
        "trap 'sleep 0.2; echo saved; exit 9' TERM; echo go; while :; do sleep 0.05; done 2>/dev/null",
        meanwhile=stop_of(run),
    )
    assert end.code == 9
    assert end.log.endswith(b"saved\n")
    assert end.left == []


def test_without_a_group_of_its_own_only_the_entrypoint_is_signalled(run: Runner) -> None:
    end = run("exec sleep 600", run_seconds=1, own_group=False)
    assert end.code == ExitCode.TIME_LIMIT


def test_a_process_left_behind_does_not_keep_the_pod(run: Runner) -> None:
    end = run("sleep 600 & echo done; exit 2")
    assert (end.code, end.log) == (2, b"done\n")
    assert all("sleep 600" in line for line in end.left)


def test_no_time_is_lost_and_nobody_stays(run: Runner) -> None:
    """The wait for a log that is held open would be two seconds, each time."""
    ends = [run("true") for _ in range(10)]
    assert min(end.seconds for end in ends) < 1
    assert all(end.left == [] for end in ends)


def test_paid_time_over_by_now(run: Runner) -> None:
    end = run("echo ran", paid_until=int(time.time()) - 1)
    assert end.code == ExitCode.PAID_TIME_OVER
    assert (end.out, end.log) == (b"", b"")
    end = run("sleep 600", paid_until=int(time.time()) + 3, run_seconds=600)
    assert end.code == ExitCode.TIME_LIMIT


def test_times_are_noted_for_publishing(run: Runner) -> None:
    before = int(time.time())
    run("exit 6")
    note = dict(line.split() for line in (run.folder / "data/logs/.run").read_text().splitlines())
    assert before <= int(note["started"]) <= int(note["finished"]) <= time.time() + 1
    assert note["exit"] == "6"
    assert note["end"] == "own"


@pytest.mark.parametrize(
    ("entrypoint", "changes", "ending"),
    [
        ("exit 124", {}, "own"),
        ("exit 79", {}, "own"),
        ("exit 143", {}, "own"),
        ("kill $$", {}, "own"),
        ("sleep 600", {"run_seconds": 1}, "limit"),
        ("trap 'exit 0' TERM; while :; do sleep 0.05; done", {"run_seconds": 1}, "limit"),
        ("echo ran", {"paid_until": 1}, "over"),
        ("rm $LOGS/.run; exit 124", {}, None),
    ],
)
def test_how_it_ended_is_noted(run: Runner, entrypoint: str, changes: dict[str, int], ending: str | None) -> None:
    """By it an algorithm's own exit codes are told from ours."""
    run(entrypoint, **changes)
    path = run.folder / "data/logs/.run"
    note = dict(line.split() for line in path.read_text().splitlines()) if path.exists() else {}
    assert note.get("end") == ending


def test_a_signal_from_outside_is_noted(run: Runner) -> None:
    assert run("echo go; exec sleep 600", meanwhile=stop_of(run)).code == 143
    assert "end term" in (run.folder / "data/logs/.run").read_text()


@pytest.mark.parametrize("kill", ["-KILL", "-TERM", "-HUP"])
def test_ending_our_sleep_gains_no_time(run: Runner, kill: str) -> None:
    """An algorithm sees our timer and may kill it, also by accident: it is begun anew for what is left."""
    ours = "read -r a b c d own rest </proc/$$/stat; for p in /proc/[0-9]*; do read -r a b c d group rest <$p/stat; "
    ours += "read -r text <$p/cmdline; case $group-$text in $own-sleep*2) kill %s ${p#/proc/};; esac; done"
    end = run(f"sleep 0.3; ({ours % kill}) 2>/dev/null; echo over; sleep 600", run_seconds=2)
    assert end.code == ExitCode.TIME_LIMIT
    assert end.log == b"over\n"
    assert end.left == []


def test_killing_our_shells_gains_nothing(run: Runner) -> None:
    end = run("kill -9 $PPID; exit 0", run_seconds=600)
    assert end.code != 0
