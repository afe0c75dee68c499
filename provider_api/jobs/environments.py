"""Compute environments: Argo's templates, read in the background and served from memory.

Adding, changing or removing an environment is a change of templates; nothing here is configured. A template without a
consumer address or a box key is not announced: no order could name its consumer, no job spec could be sealed for it.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

import structlog
from nacl.public import PublicKey

from argo.client.errors import ArgoError
from argo.client.records import Template
from ocean.addresses import AddressInvalid, canonical, checksum
from pods.keys import decode_public_key
from workflow_templates import names

log = structlog.get_logger(__name__)

REFRESH_SECONDS = 2.0
MAX_AGE_SECONDS = 5.0
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SOME_JOBS = 100  # where a template does not say how many jobs may wait


class TemplateReader(Protocol):
    """What is asked of Argo here."""

    async def templates(self) -> list[Template]: ...

    async def count(self, labels: Mapping[str, str], *, unfinished_only: bool = False) -> int: ...


class TemplateUnusable(ValueError):
    """The template announces an environment that no job could run in. The text names the annotation."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment. `price_per_minute` in whole fee tokens; durations in seconds."""

    id: str
    consumer_address: str  # checksum
    box_key: PublicKey = field(repr=False)
    price_per_minute: Decimal = Decimal(0)
    max_job_duration: int = 3600
    max_jobs: int = 1
    max_queued_jobs: int = _SOME_JOBS
    allowed_chains: tuple[int, ...] = ()  # empty: every chain
    cpu_number: Decimal = Decimal(1)
    cpu_type: str = ""
    gpu_number: Decimal = Decimal(0)
    gpu_type: str = ""
    ram_gb: Decimal = Decimal(1)
    disk_gb: Decimal = Decimal(1)
    storage_expiry: int = 0
    description: str = ""

    @classmethod
    def of_template(cls, template: Template) -> Environment:
        """Read the annotations. Raises TemplateUnusable."""
        reader = _Annotations(template.annotations)
        if not _NAME.fullmatch(template.name):
            raise TemplateUnusable("name")
        try:
            address = checksum(reader.text(names.CONSUMER_ADDRESS))
            box_key = decode_public_key(reader.text(names.BOX_PUBLIC_KEY))
        except AddressInvalid:
            raise TemplateUnusable(names.CONSUMER_ADDRESS) from None
        except ValueError:
            raise TemplateUnusable(names.BOX_PUBLIC_KEY) from None
        return cls(
            id=template.name,
            consumer_address=address,
            box_key=box_key,
            price_per_minute=reader.number(names.PRICE_PER_MINUTE, 0),
            max_job_duration=int(reader.number(names.MAX_JOB_DURATION, 3600)),
            max_jobs=int(reader.number(names.MAX_JOBS, 1)),
            max_queued_jobs=int(reader.number(names.MAX_QUEUED_JOBS, _SOME_JOBS)),
            allowed_chains=reader.integers(names.ALLOWED_CHAINS),
            cpu_number=reader.number(names.CPU_NUMBER, 1),
            cpu_type=reader.text(names.CPU_TYPE),
            gpu_number=reader.number(names.GPU_NUMBER, 0),
            gpu_type=reader.text(names.GPU_TYPE),
            ram_gb=reader.number(names.RAM_GB, 1),
            disk_gb=reader.number(names.DISK_GB, 1),
            storage_expiry=int(reader.number(names.STORAGE_EXPIRY, 0)),
            description=reader.text(names.DESCRIPTION),
        )

    def serves(self, chain_id: int) -> bool:
        return not self.allowed_chains or chain_id in self.allowed_chains

    def announcement(self, *, fee_token: str, current_jobs: int, last_seen: float) -> dict[str, Any]:
        """The environment as clients see it on one chain. Numbers are JSON numbers: ocean.js tests `=== 0`."""
        return {
            "id": self.id,
            "consumerAddress": self.consumer_address,
            "priceMin": _json_number(self.price_per_minute),
            "feeToken": fee_token,
            "maxJobDuration": self.max_job_duration,
            "maxJobs": self.max_jobs,
            "currentJobs": current_jobs,
            "cpuNumber": _json_number(self.cpu_number),
            "cpuType": self.cpu_type,
            "gpuNumber": _json_number(self.gpu_number),
            "gpuType": self.gpu_type,
            "ramGB": _json_number(self.ram_gb),
            "diskGB": _json_number(self.disk_gb),
            "storageExpiry": self.storage_expiry,
            "desc": self.description,
            "lastSeen": str(int(last_seen)),
            **({"allowedChainId": list(self.allowed_chains)} if self.allowed_chains else {}),
        }


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What Argo said at `taken_at` (Unix seconds). `jobs`: unfinished jobs by environment."""

    environments: Mapping[str, Environment]
    jobs: Mapping[str, int]
    taken_at: float
    _clock: float  # monotonic

    def age_seconds(self) -> float:
        return time.monotonic() - self._clock


class Environments:
    """The snapshot and its keeping. `run` refreshes for ever; a reader that finds it too old refreshes itself."""

    def __init__(self, argo: TemplateReader) -> None:
        self._argo = argo
        self._snapshot: Snapshot | None = None
        self._refreshing: asyncio.Task[Snapshot] | None = None
        self._unusable: set[tuple[str, str]] = set()

    async def current(self) -> Snapshot:
        """At most MAX_AGE_SECONDS old. Raises ArgoError."""
        if self._snapshot is not None and self._snapshot.age_seconds() <= MAX_AGE_SECONDS:
            return self._snapshot
        return await self.refresh()

    async def find(self, environment: str) -> Environment | None:
        """Raises ArgoError."""
        return (await self.current()).environments.get(environment)

    async def is_consumer_address(self, address: str) -> bool:
        """Whether this is the address of an environment of ours, in any letter case. Raises ArgoError."""
        known = {canonical(found.consumer_address) for found in (await self.current()).environments.values()}
        return canonical(address) in known

    async def refresh(self) -> Snapshot:
        """Ask now; all who ask at the same time share one question. Raises ArgoError."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._read())
        return await asyncio.shield(self._refreshing)

    async def run(self) -> None:
        """Refresh for ever; a bad round is logged. End it by cancelling."""
        while True:
            try:
                await self.refresh()
            except ArgoError as exc:
                log.warning("environments_not_refreshed", reason=type(exc).__name__)
            except Exception:
                log.exception("environments_not_refreshed")
            await asyncio.sleep(REFRESH_SECONDS)

    async def close(self) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)

    async def _read(self) -> Snapshot:
        clock, taken_at = time.monotonic(), time.time()
        usable: dict[str, Environment] = {}
        for template in await self._argo.templates():
            try:
                environment = Environment.of_template(template)
            except TemplateUnusable as exc:
                if (template.name, str(exc)) not in self._unusable:
                    self._unusable.add((template.name, str(exc)))
                    log.warning("environment_not_announced", template=template.name, annotation=str(exc))
                continue
            usable[environment.id] = environment
        counts = await asyncio.gather(
            *(self._argo.count({names.ENVIRONMENT: name}, unfinished_only=True) for name in usable)
        )
        self._snapshot = Snapshot(usable, dict(zip(usable, counts, strict=True)), taken_at, clock)
        return self._snapshot


class _Annotations:
    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        return self._values.get(name, "")

    def number(self, name: str, default: int) -> Decimal:
        text = self._values.get(name, "")
        if not text:
            return Decimal(default)
        try:
            value = Decimal(text)
        except InvalidOperation:
            raise TemplateUnusable(name) from None
        if not value.is_finite() or value < 0:
            raise TemplateUnusable(name)
        return value

    def integers(self, name: str) -> tuple[int, ...]:
        text = self._values.get(name, "")
        if not text:
            return ()
        try:
            values = json.loads(text)
        except ValueError:
            raise TemplateUnusable(name) from None
        if not isinstance(values, list) or not all(isinstance(v, int) and not isinstance(v, bool) for v in values):
            raise TemplateUnusable(name)
        return tuple(values)


def _json_number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
