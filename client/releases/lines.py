"""What the commands print, for people: harmlessly, whatever the service and consumers have said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import typer

from client.releases.answers import Listed, Shown
from client.text import harmless


def lines_of_release(release: Listed) -> Iterator[str]:
    until = "" if release.until is None else f" until {_moment(release.until)}"
    yield f"{release.job_id}  {release.standing}{until if release.standing == 'held' else ''}"
    yield f"  dataset      {release.document_id}"
    yield f"  algorithm    {release.algorithm or 'sent with the job, not published'}"
    yield f"  consumer     {release.consumer}"
    yield f"  environment  {release.environment}"
    yield f"  finished     {_moment(release.finished_at)}"
    amounts = f"{release.files}, {release.bytes} bytes"
    if release.program:
        yield f"  program      {release.program}{'  trusted' if release.by_trust else ''}"
    yield f"  files        {'more than a list says, see `show`' if release.files is None else amounts}"


def lines_of_shown(release: Shown) -> Iterator[str]:
    yield f"job       {release.job_id}"
    yield f"standing  {release.standing}"
    yield f"until     {_moment(release.until)}"
    yield f"manifest  {release.manifest_digest}"
    for dataset in release.datasets:
        whose = "yours" if dataset.mine else "another's"
        reason = f": {dataset.reason}" if dataset.reason else ""
        trusted = ", by trust" if dataset.by_trust else ""
        yield f"dataset   {dataset.document_id}  {whose:9}  {dataset.standing}{trusted}{reason}"
        if dataset.trusted_until is not None:
            yield f"          you trust this algorithm until {_moment(dataset.trusted_until)}"
    yield f"program   {release.program or 'cannot be trusted once for all'}"
    yield f"files     {len(release.files)}, {sum(each.filesize for each in release.files)} bytes"
    size = max((len(str(each.filesize)) for each in release.files), default=0)
    kind = max((len(each.type) for each in release.files), default=0)
    for file in release.files:
        yield f"  {file.index:>3}  {file.filesize:>{size}}  {file.type:{kind}}  {file.path}"


def _moment(seconds: float | str | None) -> str:
    if seconds is None or seconds == "":
        return "not said"
    try:
        return f"{datetime.fromtimestamp(int(float(seconds)), UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (OverflowError, ValueError, OSError):
        return f"{seconds} (no time)"


def print_lines(lines: Iterator[str]) -> None:
    for line in lines:
        typer.echo(harmless(line))
