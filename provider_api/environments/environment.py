"""One compute environment as a value: read from a template's annotations, announced to clients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from nacl.public import PublicKey

from argo.client.records import FIRST_SERVER, Template
from argo.local.pods.images import ImageNames
from contract import names
from contract.keys import decode_public_key
from ocean.addresses import AddressInvalid, checksum
from ocean.kit.kubernetes_names import is_label

_LAST = 10_000  # the place of a template that says none
_SOME_JOBS = 100  # where a template does not say how many jobs may wait


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
    max_jobs_per_account: int | None = None  # unfinished ones; None: the template sets no limit
    position: int = _LAST
    allowed_chains: tuple[int, ...] = ()  # empty: every chain
    cpu_number: Decimal = Decimal(1)
    cpu_type: str = ""
    gpu_number: Decimal = Decimal(0)
    gpu_type: str = ""
    ram_gb: Decimal = Decimal(1)
    disk_gb: Decimal = Decimal(1)
    max_results_gb: Decimal | None = None  # the most that is published of one job
    scratch_root: str = ""  # how much an algorithm may write beside its folders; "": nothing
    storage_expiry: int = 0
    pending_timeout: int = 0  # seconds that a pod may take to start
    filtered: bool = False
    publication_chain: int | None = None  # where results may become assets; None: nowhere
    images: ImageNames | None = None  # all that can be run there; None: images are pulled
    description: str = ""
    server: str = FIRST_SERVER  # which Argo Server has it

    @classmethod
    def of_template(cls, template: Template) -> Environment:
        """Read the annotations. Raises TemplateUnusable."""
        reader = _Annotations(template.annotations)
        if not is_label(template.name):
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
            server=template.server,
            consumer_address=address,
            box_key=box_key,
            price_per_minute=reader.number(names.PRICE_PER_MINUTE, 0),
            max_job_duration=int(reader.number(names.MAX_JOB_DURATION, 3600)),
            max_jobs=int(reader.number(names.MAX_JOBS, 1)),
            max_queued_jobs=int(reader.number(names.MAX_QUEUED_JOBS, _SOME_JOBS)),
            max_jobs_per_account=int(reader.number(names.MAX_JOBS_PER_ACCOUNT, 0)) or None,
            position=int(reader.number(names.POSITION, _LAST)),
            allowed_chains=reader.integers(names.ALLOWED_CHAINS),
            cpu_number=reader.number(names.CPU_NUMBER, 1),
            cpu_type=reader.text(names.CPU_TYPE),
            gpu_number=reader.number(names.GPU_NUMBER, 0),
            gpu_type=reader.text(names.GPU_TYPE),
            ram_gb=reader.number(names.RAM_GB, 1),
            disk_gb=reader.number(names.DISK_GB, 1),
            max_results_gb=reader.number(names.MAX_RESULTS_GB, 0) or None,
            scratch_root=reader.text(names.SCRATCH_ROOT),
            storage_expiry=int(reader.number(names.STORAGE_EXPIRY, 0)),
            pending_timeout=int(reader.number(names.PENDING_TIMEOUT, 0)),
            filtered=reader.text(names.FILTERED) == "true",
            publication_chain=int(reader.number(names.PUBLICATION_CHAIN, 0)) or None,
            images=reader.images(),
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
            **({} if self.max_results_gb is None else {"maxResultsGB": _json_number(self.max_results_gb)}),
            **({"scratchRoot": self.scratch_root} if self.scratch_root else {}),
            **({"maxJobsPerAccount": most} if (most := self.max_jobs_per_account) else {}),
            **({"filtered": True} if self.filtered else {}),
            **({"publishesResults": True, "publicationChainId": chain} if (chain := self.publication_chain) else {}),
            **({"allowedChainId": list(self.allowed_chains)} if self.allowed_chains else {}),
        }


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

    def images(self) -> ImageNames | None:
        if not (text := self.text(names.IMAGES)):
            return None
        try:
            return ImageNames(json.loads(text))
        except (ValueError, TypeError):
            raise TemplateUnusable(names.IMAGES) from None

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
