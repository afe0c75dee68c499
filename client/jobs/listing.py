"""`c2d envs`, `why`, `jobs`, `show`, `logs`, `stop`, `rm`: what is read of a provider, and what ends a job."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from client.carrying import of_provider
from client.exits import Exit, Refused
from client.jobs.facts import describe, is_over, results_of
from client.jobs.following import find_job, followed
from client.jobs.quoting import Wanted, in_words, prepare, prices, quoted, require_startable
from client.printing import Printer, duration, sentence, size
from client.session import Session
from ocean.client import ConsumerError


async def environments(session: Session, printer: Printer) -> Exit:
    """Print what jobs can run in."""
    listed = await session.consumer.environments(await session.chain_id())
    if printer.as_json:
        printer.document(listed)
        return Exit.DONE
    heads = ("ENVIRONMENT", "PRICE/MIN", "JOBS", "LONGEST", "CPU", "RAM", "DISK", "RESULTS")
    printer.table(heads, (_row(each) for each in listed))
    return Exit.DONE


def _row(each: Mapping[str, Any]) -> tuple[str, ...]:
    price = Decimal(str(each.get("priceMin") or 0))
    rules = each.get("release") or {}
    leaves = ["filtered"] if each.get("filtered") else []
    leaves += [f"{name} {value}" for name, value in rules.items()]
    return (
        str(each["id"]),
        f"{price:f}" if price else "free",
        f"{each.get('currentJobs', '?')} of {each.get('maxJobs', '?')}",
        duration(each.get("maxJobDuration") or 0),
        str(each.get("cpuNumber", "")),
        f"{each.get('ramGB', '')} GB",
        f"{each.get('diskGB', '')} GB",
        ", ".join(leaves) or "any",
    )


async def why(session: Session, printer: Printer, wanted: Wanted) -> Exit:
    """Say what a job would cost, or every reason why it would not be started. Nothing is bought."""
    job = await prepare(session, wanted)
    try:
        await require_startable(session, job)
        purchases, network = await quoted(session, job), await session.network()
    except (Refused, ConsumerError) as exc:
        refusal = of_provider(exc) if isinstance(exc, ConsumerError) else exc
        if not refusal.reasons:
            raise
        if printer.as_json:
            printer.document({"startable": False, "reasons": refusal.reasons, "costs": {}})
        else:
            printer.text("no, for these reasons:")
            for reason in refusal.reasons:
                printer.text(f"  - {sentence(reason)}")
        return Exit.REFUSED
    costs = await prices(network, purchases)
    if printer.as_json:
        named = {token: f"{amount:f}" for token, amount in costs.items()}
        printer.document({"startable": True, "reasons": [], "costs": named})
        return Exit.DONE
    printer.text(f"yes, in {job.environment['id']}; it costs {await in_words(network, costs)}, and the chain's fees")
    return Exit.DONE


async def jobs(session: Session, printer: Printer) -> Exit:
    """Print the jobs of the account, newest first."""
    _ = session.address
    listed = await session.consumer.status()
    if printer.as_json:
        printer.document(listed)
        return Exit.DONE
    rows = (
        (str(job["jobId"]), _moment(job.get("dateCreated")), str(job.get("environment", "")), describe(job))
        for job in listed
    )
    printer.table(("JOB", "STARTED", "ENVIRONMENT", ""), rows)
    return Exit.DONE


async def show(session: Session, printer: Printer, job_id: str) -> Exit:
    """Print all about one job."""
    _ = session.address
    job = await find_job(session.consumer, job_id)
    if printer.as_json:
        printer.document(dict(job))
        return Exit.DONE
    rows = [
        ("job", str(job["jobId"])),
        ("", describe(job)),
        ("environment", str(job.get("environment", ""))),
        ("algorithm", str(job.get("algoDID") or "sent along")),
        *(("dataset", str(did)) for did in job.get("inputDID") or []),
        ("started", _moment(job.get("dateCreated"))),
    ]
    if is_over(job):
        rows.append(("ended", _moment(job.get("dateFinished"))))
    if job.get("exitCode") is not None:
        rows.append(("exit code", str(job["exitCode"])))
    rows += [("result", f"{entry.get('filename')} ({size(entry.get('filesize') or 0)})") for entry in results_of(job)]
    printer.table(("", ""), rows)
    return Exit.DONE


async def logs(session: Session, printer: Printer, job_id: str, *, following: bool) -> Exit:
    """Print the algorithm's log: what is published of it; with `following`, as it is written, where the provider tells
    it, and then what is published beyond that."""
    _ = session.address
    session.sign_in()
    job = await find_job(session.consumer, job_id)
    printed = 0
    if following and not is_over(job):
        printer.way_back = f"the job goes on: c2d logs -f {job_id} prints its log from the beginning"
        async with followed(session, printer, job_id, _print) as (stream, states):
            async for job in states:
                printer.progress(describe(job))
            if stream.log_is_whole:
                return Exit.DONE
            printed = stream.offset
    entries = [entry for entry in results_of(job) if entry.get("type") == "algorithmLog"]
    if not entries:
        raise Refused(f"job {job_id} has no log of its algorithm: {describe(job)}")
    if entries[0].get("filesize") == printed:
        return Exit.DONE
    headers = {"Range": f"bytes={printed}-"} if printed else {}
    async with session.consumer.result_stream(job_id, int(entries[0]["index"]), headers) as answer:
        left = printed if answer.status_code != httpx.codes.PARTIAL_CONTENT else 0
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        async for piece in answer.aiter_bytes():
            _print(decoder.decode(piece[left:]))
            left = max(0, left - len(piece))
    return Exit.DONE


async def stop(session: Session, printer: Printer, job_id: str) -> Exit:
    """End a job; what it has written so far is published."""
    return await _end(session, printer, job_id, "stop")


async def remove(session: Session, printer: Printer, job_id: str) -> Exit:
    """Remove a job with its results, for good."""
    return await _end(session, printer, job_id, "delete")


async def _end(session: Session, printer: Printer, job_id: str, what: str) -> Exit:
    _ = session.address
    await find_job(session.consumer, job_id)
    session.sign_in()
    call = session.consumer.stop if what == "stop" else session.consumer.delete
    answer = await call(job_id)
    if printer.as_json:
        printer.document(answer if isinstance(answer, list) else [answer])
    printer.progress(f"job {job_id} {'is being stopped' if what == 'stop' else 'is removed'}")
    return Exit.DONE


def _moment(text: Any) -> str:
    try:
        return datetime.fromtimestamp(float(text), UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (TypeError, ValueError, OverflowError, OSError):
        return "-"


def _print(text: str) -> None:
    """A piece of a log, as data."""
    sys.stdout.write(_shown(text))
    sys.stdout.flush()


def _shown(text: str) -> str:
    """A log for a terminal: what could steer it is written as escapes; tabs and line ends stay."""
    if not sys.stdout.isatty():
        return text
    return "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape").decode() for each in text
    )
