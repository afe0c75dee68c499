"""What is published, in the order of its index: outputs by path, other files in `logs/`, then the steps' logs.

Where a filter judges first, outputs and `logs/` are those of the copy that it has seen, and only if it released them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from contract.manifest import LeftOut, ResultType, RunNote
from pods.publishing.names import shown
from pods.publishing.tree import Found, NotReadable, Skipped, find_files, open_found
from pods.settings import PublishingSettings, Volume
from pods.start_script import ENDINGS, RUN_NOTE

MAX_LEFT_OUT = 1000  # entries in the manifest; further ones are only counted
ALGORITHM_LOG = b"algorithm.log"
# The start script writes less, but an algorithm can write there, too; whatever it left, the beginning is published.
MAX_LOG_BYTES = 64 << 20

RELEASED = "Succeeded"  # how filtering ended, in Argo's words, for anything to be published but our own logs

# Our own logs, in the order in which they are listed. publish.log comes last and is still written until then.
CONFIGURE_LOG, FILTER_LOG, PUBLISH_LOG = b"configure.log", b"filter.log", b"publish.log"


@dataclass(frozen=True, slots=True)
class Source:
    """A file to publish. `path`: bytes, below the volume's root."""

    root: Path
    file: Found
    path: bytes
    type: ResultType
    scrubbed: bool  # a log of ours: URLs, signatures and keys are taken out on the way


@dataclass(frozen=True, slots=True)
class Sources:
    files: tuple[Source, ...]
    left_out: tuple[LeftOut, ...]


def find_results(volume: Volume, *, max_files: int, max_bytes: int) -> Sources:
    """What an algorithm left. A volume with nothing on it (a job stopped in the queue) gives no files.

    Links and odd files that it put in the place of its log are named as left out, like any others. `max_bytes` is for
    all files together but the log; for what is beyond a limit there is an entry in `left_out`.
    """
    outputs, skipped = find_files(volume.outputs, max_files=max_files)
    files = [Source(volume.outputs, file, b"outputs/" + file.path, "output", False) for file in outputs]
    left_out = _left_out(b"outputs/", skipped)

    logs, skipped = find_files(volume.logs, max_files=max_files)
    left_out += _left_out(b"logs/", skipped)
    others = [file for file in logs if file.path not in (ALGORITHM_LOG, RUN_NOTE.encode())]
    files += [Source(volume.logs, file, b"logs/" + file.path, "output", False) for file in others]
    files += [
        Source(
            volume.logs, replace(file, size=min(file.size, MAX_LOG_BYTES)), b"logs/" + file.path, "algorithmLog", False
        )
        for file in logs
        if file.path == ALGORITHM_LOG
    ]
    left_out += [
        LeftOut(path=shown(b"logs/" + file.path), reason="log_cut")
        for file in logs
        if file.path == ALGORITHM_LOG and file.size > MAX_LOG_BYTES
    ]

    files, too_much = _within(files, max_files, max_bytes)
    left_out += too_much
    if len(left_out) > MAX_LEFT_OUT:
        left_out = [*left_out[:MAX_LEFT_OUT], LeftOut(path="", reason=f"{len(left_out) - MAX_LEFT_OUT} further ones")]
    return Sources(tuple(files), tuple(left_out))


def step_log(folder: Path, name: bytes, type_: ResultType) -> list[Source]:
    """One of our own logs, or nothing if there is none."""
    found, _ = find_files(folder, max_files=100)
    return [Source(folder, file, b"adminlogs/" + name, type_, True) for file in found if file.path == name]


def read_run_note(settings: PublishingSettings) -> RunNote | None:
    """What the start script noted, as far as it is plausible; None if it never ran. An algorithm can write the numbers,
    so they are of no use where results are judged: nobody sees them there."""
    values = _noted(settings)
    if values is None:
        return None
    return RunNote(
        started=_number(values.get("started")),
        finished=_number(values.get("finished")),
        exit_code=_number(values.get("exit")),
    )


def read_ending(settings: PublishingSettings) -> str:
    """How the algorithm ended, by the same note: `Summary.run`. One of a few words, so it passes a filter."""
    values = _noted(settings)
    if values is None:
        return "never"
    ending = values.get("end", "")
    return ending if ending in ENDINGS else "begun"


def _noted(settings: PublishingSettings) -> dict[str, str] | None:
    notes = [
        file
        for file in find_files(settings.volume.logs, max_files=settings.max_files)[0]
        if file.path == RUN_NOTE.encode()
    ]
    if not notes:
        return None
    try:
        descriptor = open_found(settings.volume.logs, notes[0])
    except NotReadable:
        return None
    try:
        text = os.read(descriptor, 1024).decode("ascii", "replace")
    finally:
        os.close(descriptor)
    return {name: value for name, _, value in (line.partition(" ") for line in text.splitlines())}


def _number(value: str | None) -> int | None:
    return int(value) if value and value.isascii() and value.isdigit() and len(value) <= 12 else None


def _left_out(prefix: bytes, skipped: list[Skipped]) -> list[LeftOut]:
    return [LeftOut(path=shown(prefix + entry.path), reason=entry.reason) for entry in skipped]


def _within(files: list[Source], max_files: int, max_bytes: int) -> tuple[list[Source], list[LeftOut]]:
    kept: list[Source] = []
    left_out: list[LeftOut] = []
    room = max_bytes
    for source in files:
        is_log = source.type == "algorithmLog"  # has a limit of its own, and is what explains all else
        if len(kept) >= max_files and not is_log:
            left_out.append(LeftOut(path=shown(source.path), reason="too_many"))
        elif source.file.size > room and not is_log:
            left_out.append(LeftOut(path=shown(source.path), reason="too_large"))
        else:
            room -= source.file.size
            kept.append(source)
    return kept, left_out
