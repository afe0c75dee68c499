"""Makes the copy that a filter judges, in place of what an algorithm left (`pods.publishing.copying`).

Nothing that depends on the algorithm is written to the published log: it appears before the filter's verdict.
"""

from __future__ import annotations

from collections.abc import Mapping

from contract.exit_codes import ExitCode
from pods.publishing.copying import NoRoom, copy_results, empty
from pods.publishing.sources import FILTER_LOG
from pods.settings import FilteringSettings, SettingsInvalid, read_filtering_settings
from pods.step_log import StepLog, size_text


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
    empty(copy.adminlogs)
    with StepLog(copy.adminlogs / FILTER_LOG.decode()) as log:
        try:
            copied = copy_results(settings.volume, max_files=settings.max_files, max_bytes=settings.max_bytes)
        except NoRoom:
            log.say("the volume has no room for a copy of the results: they are withheld")
            return ExitCode.NOT_COLLECTED
    # On standard output only, which no consumer sees.
    print(f"copied {copied.files} files, {size_text(copied.size)}; {copied.left_out} left out", flush=True)
    return ExitCode.DONE
