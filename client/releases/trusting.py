"""`c2d releases trust` and `withdraw`: what an owner says about an algorithm, once for the jobs that end after it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import typer

from client.exits import Unreachable, Unusable
from client.releases.access import Access
from client.releases.answers import Shown, TrustAnswer, read_answer
from client.releases.carrying import carried_out, require_yes, told
from client.releases.lines import lines_of_shown, print_lines
from client.releases.service import Service
from ocean.did import is_did
from ocean.kit.digits import is_sha256
from records.trust import MOST_SECONDS, Trust
from records.verdict import written_time


def trust(job_id: str, access: Access, last_day: datetime, dataset: str | None, *, sure: bool) -> int:
    """Print the results of a job, ask, then sign and send for each dataset that results of its algorithm are released
    until the end of a day (UTC). The exit code."""
    now = int(time.time())
    until = int((last_day.replace(tzinfo=UTC) + timedelta(days=1)).timestamp()) - 1
    if not now < until <= now + MOST_SECONDS:
        return told(Unusable(f"--until is today or a later day, at most {MOST_SECONDS // 86_400 - 1} days from now"))

    def work(service: Service) -> None:
        release = Shown.of(service.release(job_id), job_id)
        print_lines(lines_of_shown(release))
        datasets = release.to_trust(dataset)
        typer.echo(f"{service.owner.address} is about to trust the algorithm {release.program} on")
        print_lines(f"  {did}" for did in datasets)
        require_yes(f"Release whatever it computes, unseen, until {written_time(until)}?", sure=sure)
        for did in datasets:
            _sent(service, Trust(release.program, did, service.owner.address, int(time.time()), until, job_id))
            typer.echo(f"trusted until {written_time(until)}: {did}")
        typer.echo(f"to withdraw it: c2d releases withdraw --program {release.program} --dataset DID")

    return carried_out(access, work, job_id)


def withdraw(access: Access, dataset: str, program: str) -> int:
    """Sign and send that an algorithm is no longer trusted on a dataset. The exit code."""
    if not is_did(dataset):
        return told(Unusable("--dataset is no DID: did:op: and 64 hexadecimal digits are expected"))
    if not is_sha256(program):
        return told(Unusable("--program is no digest: 64 hexadecimal digits in small letters are expected"))

    def work(service: Service) -> None:
        _sent(service, Trust(program, dataset, service.owner.address, int(time.time()), None))
        typer.echo(f"withdrawn: {dataset}. Results that were released already stay so")

    return carried_out(access, work)


def _sent(service: Service, trust: Trust) -> None:
    """Raises Refused, Unusable."""
    answer = read_answer(TrustAnswer, service.trust(trust))
    said = (answer.document_id, answer.program, answer.account, answer.until)
    if said != (trust.did, trust.program, trust.account, trust.until):
        raise Unreachable("the service's answer does not say that the statement was taken")
