"""What Argo knows of the jobs of an environment: those that were left to it, and those that await their turn.

The first are few, and are asked for each time. The others may be many, and Argo reads each of them whole to list it
(15 kB, 5 ms), so what is known of them is used again for as long as the reading of it allows.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from argo.client.records import ACTION, Workflow
from contract import names
from ocean.kit.single_flight import SingleFlight
from ocean.kit.together import together
from provider_api.jobs.records import Argo

SHARE: Final = 10  # what took a second to read is not read again for so many
LEFT_TO_ARGO: Final[Sequence[Mapping[str, str]]] = (
    {names.FROM_QUEUE: names.NONE},
    {names.FROM_QUEUE: names.ANY, ACTION: names.ANY},  # resumed; or ended, which needs no turn
)
AWAITING: Final[Mapping[str, str]] = {names.FROM_QUEUE: names.ANY, ACTION: names.NONE}


@dataclass(slots=True)
class _Seen:
    jobs: dict[str, Workflow]
    at: float  # monotonic
    seconds: float  # that it took to read


class EnvironmentQueues:
    """One for each process. Everything raises ArgoError."""

    def __init__(self, argo: Argo) -> None:
        self._argo = argo
        self._seen: dict[str, _Seen] = {}
        self._reading = SingleFlight[str, _Seen]()
        self._listing = SingleFlight[str, list[Workflow]]()

    async def close(self) -> None:
        await self._reading.close()
        await self._listing.close()

    async def left_to_argo(self, environment: str) -> list[Workflow]:
        """Its unfinished jobs that compute, wait in Argo's own queue, or are being published. Lags a little."""
        asked = ({names.ENVIRONMENT: environment, **labels} for labels in LEFT_TO_ARGO)
        lists = [self._argo.list(labels, limit=None, unfinished_only=True) for labels in asked]
        return [job for found in await together(*lists) for job in found]

    async def left_to_argo_shared(self, environment: str) -> list[Workflow]:
        """The same for who only shows it: all who ask at the same time share one answer."""
        return await self._listing.run(environment, partial(self.left_to_argo, environment))

    async def awaiting(self, environment: str, *, wanted: str = "") -> list[Workflow]:
        """Its jobs that await their turn, without nodes. `wanted`: a job that is among them, unless it is new: a reason
        to read them again earlier."""
        seen = self._seen.get(environment)
        age = 0.0 if seen is None else time.monotonic() - seen.at
        if seen is None or age >= SHARE * seen.seconds or (wanted and wanted not in seen.jobs and age >= seen.seconds):
            seen = await self._reading.run(environment, partial(self._read, environment))
        return [*seen.jobs.values()]

    def resumed(self, job: Workflow) -> None:
        """It awaits its turn no more, whatever was read before."""
        if (seen := self._seen.get(job.labels.get(names.ENVIRONMENT, ""))) is not None:
            seen.jobs.pop(job.name, None)

    async def _read(self, environment: str) -> _Seen:
        began = time.monotonic()
        found = await self._argo.brief({names.ENVIRONMENT: environment, **AWAITING})
        now = time.monotonic()
        seen = _Seen({job.name: job for job in found}, now, now - began)
        if found:
            self._seen[environment] = seen
        else:
            self._seen.pop(environment, None)
        return seen
