"""The report as text, and what is said meanwhile. What an algorithm wrote is printed harmlessly."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

import typer

from client.text import harmless
from provider_api.cli.rehearsal.report import Log, Report
from provider_api.jobs.status import JobStatus

SHOWN_LINES: Final = 20  # of the log of a job that went well; of others:
MORE_LINES: Final = 60
_SHOWN_FILES: Final = 100
_MARKS: Final = {
    "would_finish": "✔ the job would finish",
    "would_fail": "✘ the job would fail",
    "kept_back": "✘ the results would be kept back",
    "refused": "✘ the job would be refused",
    "machine_cannot": "✘ this machine cannot rehearse it",
}


class Progress:
    """One line for each step of the job, on standard error."""

    def __init__(self) -> None:
        self._last = ""

    def say(self, text: str) -> None:
        if text != self._last:
            typer.echo(f"… {harmless(text)}", err=True)
            sys.stderr.flush()
        self._last = text

    def status(self, status: JobStatus) -> None:
        if not status.finished:
            self.say(f"{status.number} {status.text}{f': {status.detail}' if status.detail else ''}")


def lines_of(report: Report) -> Iterator[str]:
    yield f"{_MARKS[report.verdict]}: {report.sentence}"
    for refusal in report.refusals:
        yield f"  {refusal.place}: {refusal.sentence}"
    yield from (f"  hint: {hint}" for hint in report.hints)
    if report.environment is not None:
        yield from _surroundings(report)
    if report.status is not None:
        yield from _job(report)


def _surroundings(report: Report) -> Iterator[str]:
    yield f"environment  {report.environment}"
    if (limits := report.limits) is not None:
        network = "public network" if limits.network else "no network"
        amounts = f"{limits.cpu:g} cpu, {limits.ram_gb:g} GB memory, {limits.disk_gb:g} GB disk"
        yield f"limits       {limits.seconds} s, {amounts}, {network}"
    yield f"container    {report.image}: {report.entrypoint}"


def _job(report: Report) -> Iterator[str]:
    code = "" if report.exit_code is None else f", exit code {report.exit_code}"
    yield f"status       {report.status} {report.status_text} ({report.reason}{code})"
    if (seconds := report.seconds) is not None:
        algorithm = "did not run" if seconds.algorithm is None else f"{seconds.algorithm:.2f} s"
        yield f"time         algorithm {algorithm}, all of it {seconds.total:.2f} s"
    yield from _kept_back(report)
    yield from _files(report)
    if report.log is not None:
        yield from _log(report.log, SHOWN_LINES if report.verdict == "would_finish" else MORE_LINES)


def _kept_back(report: Report) -> Iterator[str]:
    if report.waits_for_owners:
        yield "owners       the results would wait until the owners of the data release them"
    if (kept := report.kept_back) is None:
        return
    yield "kept back    because"
    yield from (f"  {rule.sentence}" for rule in kept.rules)
    for file in kept.files[:_SHOWN_FILES]:
        yield f"  {file.size:>12,}  {file.path}"


def _files(report: Report) -> Iterator[str]:
    where = f", copied to {report.output}" if report.output is not None else ""
    yield f"results      {len(report.results)} that a consumer could fetch{where}"
    for file in report.results[:_SHOWN_FILES]:
        yield f"  {file.index:>3} {file.size:>12,}  {file.type:<14}  {file.path}"
    if len(report.results) > _SHOWN_FILES:
        yield f"  … and {len(report.results) - _SHOWN_FILES} more"
    for entry in report.not_published[:_SHOWN_FILES]:
        yield f"  not published: {entry.path or 'further ones'}: {entry.sentence}"


def _log(log: Log, most: int) -> Iterator[str]:
    leaves = "" if log.leaves else " (a consumer would not get it)"
    shown = log.lines[-most:]
    if not shown:
        yield f"log          empty{leaves}"
        return
    count = "" if len(shown) == len(log.lines) else f", the last {len(shown)} of {len(log.lines)} lines"
    yield f"log          of the algorithm{count}{leaves}"
    yield from (f"  | {line}" for line in shown)
