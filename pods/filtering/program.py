"""Copies what an algorithm left to where the algorithm never was, so that what a filter judges is what is published.

The algorithm may still be running (a stopped job's filtering begins while it ends), and every name is its own choice:
files are found and opened as publishing does it, and of each at most as many bytes are copied as it had when it was
found. Nothing that depends on the algorithm is written to the published log: it appears before the filter's verdict.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from contract.exit_codes import ExitCode
from pods.publishing.sources import FILTER_LOG, Source, find_results
from pods.publishing.tree import NotReadable, open_found
from pods.settings import FilteringSettings, SettingsInvalid, read_filtering_settings
from pods.step_log import StepLog, size_text

_CHUNK = 1 << 30  # bytes of one system call
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def run(environ: Mapping[str, str]) -> ExitCode:
    try:
        settings = read_filtering_settings(environ)
    except SettingsInvalid as exc:
        print(f"filtering cannot start: {exc}", flush=True)
        return ExitCode.NOT_COLLECTED
    return collect(settings)


def collect(settings: FilteringSettings) -> ExitCode:
    """Returns DONE or NOT_COLLECTED (no room for the copy). Raises OSError, which is worth another try."""
    copy = settings.volume.released
    for folder in (copy.outputs, copy.logs, copy.adminlogs):
        _empty(folder)
    with StepLog(copy.adminlogs / FILTER_LOG.decode()) as log:
        found = find_results(settings.volume, max_files=settings.max_files, max_bytes=settings.max_bytes)
        copied = 0
        try:
            for source in found.files:
                copied += _copy(source, copy.root / os.fsdecode(source.path))
        except OSError as exc:
            if exc.errno not in _FULL:
                raise
            log.say("the volume has no room for a copy of the results: they are withheld")
            return ExitCode.NOT_COLLECTED
    # On standard output only, which no consumer sees.
    print(f"copied {len(found.files)} files, {size_text(copied)}; {len(found.left_out)} left out", flush=True)
    return ExitCode.DONE


def _empty(folder: Path) -> None:
    """Make the folder, or remove what an earlier attempt left in it; the folder itself may be mounted already."""
    folder.mkdir(parents=True, exist_ok=True)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)


def _copy(source: Source, target: Path) -> int:
    """Bytes copied; 0 for a file that is no longer what was found."""
    try:
        descriptor = open_found(source.root, source.file)
    except NotReadable:
        return 0
    copied = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            while copied < source.file.size:
                sent = os.sendfile(out.fileno(), descriptor, copied, min(_CHUNK, source.file.size - copied))
                if sent == 0:  # it has become shorter
                    break
                copied += sent
    finally:
        os.close(descriptor)
    return copied
