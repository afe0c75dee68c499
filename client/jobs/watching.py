"""A job followed on a terminal or line by line, and what is done with its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from client.exits import Exit
from client.jobs.facts import Job, describe, is_held, is_over, outcome, results_of
from client.jobs.fetching import Fetched, fetch_all, verified
from client.jobs.following import find_job, followed
from client.printing import Printer, size
from client.session import Session

_LONGEST_LINE: Final = 120  # of a log, beside the state


async def watch(session: Session, printer: Printer, job_id: str, *, exit_code: bool = False) -> int:
    """Print each state until the end. With `--json` each is a line."""
    last = await _watched(session, printer, job_id, states=True)
    if not printer.as_json:
        printer.text(describe(last))
    return _code(last, exit_code=exit_code)


async def watch_and_fetch(
    session: Session, printer: Printer, job_id: str, output: Path | None, *, exit_code: bool = False
) -> int:
    """Follow the job, then fetch what there is and verify it."""
    last = await _watched(session, printer, job_id, states=False)
    printer.progress(describe(last), "green" if outcome(last) is Exit.DONE else "yellow")
    found, signer = await _fetched(session, printer, last, output)
    _tell(printer, last, found, signer)
    return _code(last, exit_code=exit_code)


async def results(session: Session, printer: Printer, job_id: str, output: Path | None) -> Exit:
    """Fetch what a job has published. A job that still runs has only what it has published so far."""
    job = await find_job(session.consumer, job_id)
    found, signer = await _fetched(session, printer, job, output)
    _tell(printer, job, found, signer)
    if is_held(job):
        return Exit.HELD
    if not is_over(job):
        printer.progress("the job is not over: there may be more later")
    return Exit.DONE


async def _watched(session: Session, printer: Printer, job_id: str, *, states: bool) -> Job:
    """Its last state. On a terminal there is one line that changes, else a line for each state."""
    last: Job = {}
    printer.way_back = f"the job goes on: c2d watch {job_id} follows it, c2d results {job_id} fetches its results"
    printer.in_lines = states and printer.as_json
    with printer.status(f"job {job_id}") as line:

        def last_line(text: str) -> None:
            """On a terminal, show what the algorithm has printed last."""
            if printer.on_terminal and last and (lines := text.strip().splitlines()):
                line(f"{describe(last)}: {lines[-1][:_LONGEST_LINE]}")

        async with followed(session, printer, job_id, last_line) as (_, seen):
            async for job in seen:
                changed = describe(job) != (describe(last) if last else None)
                last = job
                if states and printer.as_json:
                    printer.document(job, line=True)
                elif printer.on_terminal:
                    line(describe(job))
                elif changed and not is_over(job):
                    printer.progress(describe(job))
    printer.way_back = printer.way_back.replace("the job goes on: ", "", 1)
    return last


async def _fetched(
    session: Session, printer: Printer, job: Job, output: Path | None
) -> tuple[list[Fetched], str | None]:
    """The files, and who has signed for them. Raises Trouble, ConsumerError."""
    if not results_of(job):
        return [], None
    session.sign_in()
    folder = output or Path(f"c2d-{str(job['jobId'])[:8]}")
    found = await fetch_all(session.consumer, job, folder, printer)
    signer = await verified(session.consumer, folder, found) if is_over(job) and not is_held(job) else None
    return found, signer


def _tell(printer: Printer, job: Job, found: list[Fetched], signer: str | None) -> None:
    if printer.as_json:
        document: dict[str, Any] = {"job": job, "files": [_file(each) for each in found], "verifiedBy": signer}
        printer.document(document)
    elif found:
        printer.table(("TYPE", "SIZE", "FILE"), ((each.type, size(each.size), str(each.path)) for each in found))
    if found and signer is None and is_over(job) and not is_held(job):
        printer.progress("not verified: this provider gives no passport, so its word is all there is", "yellow")
    if signer is not None:
        printer.progress(f"verified: these files are what {signer} says that this job released", "green")


def _file(each: Fetched) -> dict[str, Any]:
    return {
        "index": each.index,
        "type": each.type,
        "path": str(each.path),
        "size": each.size,
        "sha256": each.sha256,
    }


def _code(job: Job, *, exit_code: bool) -> int:
    """With `exit_code` that of the algorithm, where it has one that is not 0."""
    own = job.get("exitCode")
    return own if exit_code and isinstance(own, int) and own else outcome(job)
