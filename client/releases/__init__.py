"""`c2d releases`: the owner of a dataset sees which results wait for his decision and what is in them, and decides.

The key of his account comes from a keystore file and stays in this process: it signs the questions, which are answered
to owners only, and the decision itself. A decision names the digest of the results' manifest, so it cannot be used for
others. What the service and consumers say is bounded while it is read, checked before anything is signed, and printed
so that it can neither steer a terminal nor turn a line around.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import typer

from client.exits import Unreachable, Unusable
from client.releases.access import Access
from client.releases.answers import ListAnswer, Shown, read_answer
from client.releases.carrying import carried_out, require_yes, told
from client.releases.lines import lines_of_release, lines_of_shown, print_lines
from client.releases.service import Service
from records.decision import MOST_REASON, Decision

__all__ = ["Access", "Verdict", "decide", "list_releases", "show_release"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the owner wants. `dataset`: one DID instead of all his datasets that wait. `sure`: without a question."""

    released: bool
    dataset: str | None = None
    reason: str = ""
    sure: bool = False


def list_releases(access: Access, *, history: bool, as_document: bool) -> int:
    """Print the results that wait for this account, with `history` also those that are decided. The exit code."""

    def work(service: Service) -> None:
        answer = service.releases(history)
        listed = read_answer(ListAnswer, answer).releases
        if as_document:
            typer.echo(json.dumps(answer, indent=2))
        for release in () if as_document else listed:
            print_lines(lines_of_release(release))
        if not listed and not as_document:
            typer.echo("no results have waited for this account" if history else "no results wait for this account")

    return carried_out(access, work, as_document=as_document)


def show_release(job_id: str, access: Access, *, as_document: bool) -> int:
    """Print the files of a job's results, who has to decide, and until when. The exit code."""

    def work(service: Service) -> None:
        answer = service.release(job_id)
        release = Shown.of(answer, job_id)
        if as_document:
            typer.echo(json.dumps(answer, indent=2))
        else:
            print_lines(lines_of_shown(release))

    return carried_out(access, work, job_id, as_document=as_document)


def decide(job_id: str, access: Access, verdict: Verdict) -> int:
    """Print what is about to be released or refused, ask, then sign and send a decision for each dataset. The exit
    code: 0 only if all of them were taken."""

    def work(service: Service) -> None:
        release = Shown.of(service.release(job_id), job_id)
        print_lines(lines_of_shown(release))
        datasets = release.to_decide(verdict.dataset)
        verb = "release" if verdict.released else "refuse"
        typer.echo(f"{service.owner.address} is about to {verb} them as the owner of")
        print_lines(f"  {did}" for did in datasets)
        require_yes(f"{verb.capitalize()} these results, for good?", sure=verdict.sure)
        for did in datasets:
            if release.standing != "held":
                break  # one refusal is enough, and a further decision would come too late
            release = _sent(service, release, did, verdict)
        waiting = sum(each.standing == "waiting" for each in release.datasets)
        more = f": {waiting} of {len(release.datasets)} datasets still wait for their owners' decision"
        typer.echo(f"the results are {release.standing}{more if release.standing == 'held' else ''}")

    try:
        verdict.reason.encode()
    except UnicodeEncodeError:
        return told(Unusable("--reason is no text in UTF-8"))
    if len(verdict.reason) > MOST_REASON:
        return told(Unusable(f"--reason has {len(verdict.reason)} characters; at most {MOST_REASON} are allowed"))
    return carried_out(access, work, job_id)


def _sent(service: Service, release: Shown, did: str, verdict: Verdict) -> Shown:
    """Where the results stand after one decision was sent. Raises Refused, Unusable."""
    decision = Decision(
        job_id=release.job_id,
        manifest_digest=release.manifest_digest,
        did=did,
        account=service.owner.address,
        released=verdict.released,
        at=int(time.time()),
        reason=verdict.reason,
    )
    try:
        after = Shown.of(service.decide(decision), release.job_id)
        after.require_taken(decision)
    except Unreachable as exc:
        look = f"c2d releases show {release.job_id}"
        raise Unreachable(f"{exc}. Whether the decision on {did} arrived is not known: look with `{look}`") from None
    typer.echo(f"sent: {did} is {'released' if verdict.released else 'refused'}")
    return after
