"""What of a job is published: all of it, what filter and release rules let go, or the logs of our own steps.

Where there are release rules, outputs and the algorithm's log are judged as a copy that no algorithm ever had mounted:
a filter's, or one that is made here. Which rule was not met, and by how much, is said on standard output only: a
consumer who reads it has a way to carry data out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from contract.manifest import LeftOut
from contract.provenance import Provisioned
from contract.release import NO_RULES, ReleaseRules, strictest
from pods.publishing.copying import NoRoom, copy_results
from pods.publishing.names import shown
from pods.publishing.release import broken_rules
from pods.publishing.sources import (
    CONFIGURE_LOG,
    FILTER_LOG,
    RELEASED,
    Source,
    Sources,
    find_results,
    step_log,
)
from pods.publishing.told import Withheld
from pods.settings import PublishingSettings, Volume

MAX_TOLD: Final = 100  # files that are withheld and named

# Everything, unseen; what filter and rules let go; what the filter, or a rule, did not.
Verdict = Literal["unjudged", "released", "filtered", "withheld"]


@dataclass(frozen=True, slots=True)
class Judged:
    """`held`: what may leave waits for owners of the datasets; the service shows only our own logs until then."""

    sources: Sources
    verdict: Verdict
    held: bool = False


def judge_results(settings: PublishingSettings, provisioned: Provisioned | None, *, readable: bool) -> Judged:
    """Look at the volume once. The steps' own logs are always published. `readable`: `provisioned` is all that there
    is; else what configuration left cannot be read, and with it the rules, so that nothing else goes."""
    volume, filtered = settings.volume, settings.release is not None
    own = step_log(volume.adminlogs, CONFIGURE_LOG, "configrationLog")
    if filtered:
        own += step_log(volume.released.adminlogs, FILTER_LOG, "filteringLog")
    if settings.release not in (None, RELEASED):
        return Judged(_nothing_but(own), "filtered")
    rules = settings.rules if provisioned is None else strictest([settings.rules, provisioned.release])
    if not readable:
        print("withheld: what configuration left cannot be read, nor what the release rules are", flush=True)
        return Judged(_nothing_but(own), "withheld")
    if rules == NO_RULES:
        found = _found(settings, volume.released if filtered else volume)
        return Judged(Sources((*found.files, *own), found.left_out), "released" if filtered else "unjudged")
    released = _released(settings, rules, provisioned)
    if released is None:
        return Judged(_nothing_but(own), "withheld")
    return Judged(Sources((*released.files, *own), released.left_out), "released", held=rules.approval == "owner")


def _released(settings: PublishingSettings, rules: ReleaseRules, provisioned: Provisioned | None) -> Sources | None:
    """What may leave; None where a rule is not met."""
    if settings.release is None:
        try:
            copy_results(settings.volume, max_files=settings.max_files, max_bytes=settings.max_bytes)
        except NoRoom:
            print("withheld: the volume has no room for the copy that is judged", flush=True)
            return None
    found = _found(settings, settings.volume.released)
    hidden = [file for file in found.files if file.type == "algorithmLog" and rules.log_bytes == 0]
    files = tuple(file for file in found.files if file not in hidden)
    broken = broken_rules(files, rules, None if provisioned is None else provisioned.input_bytes)
    for each in broken:
        print(each.line(), flush=True)
    for file in files[:MAX_TOLD] if broken else ():
        print(Withheld(shown(file.path), file.file.size).line(), flush=True)
    left_out = tuple(LeftOut(path=shown(file.path), reason="withheld") for file in hidden)
    return None if broken else Sources(files, found.left_out + left_out)


def _found(settings: PublishingSettings, volume: Volume) -> Sources:
    return find_results(volume, max_files=settings.max_files, max_bytes=settings.max_bytes)


def _nothing_but(own: list[Source]) -> Sources:
    return Sources(tuple(own), (LeftOut(path="", reason="withheld"),))
