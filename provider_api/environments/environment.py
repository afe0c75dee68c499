"""One compute environment as a value: read from a template's annotations, announced to clients."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from nacl.public import PublicKey

from argo.client.records import FIRST_SERVER, Template
from argo.local.pods.images import ImageNames
from contract import names
from contract.keys import decode_public_key
from contract.release import NO_RULES, ReleaseRules
from ocean.addresses import AddressInvalid, checksum
from ocean.kit.compact_json import compact_utf8
from ocean.kit.kubernetes_names import is_label
from provider_api.environments.announced import TemplateUnusable, ordered, read_options, shown


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment, with the options that a rule or a job asks for. Durations are in seconds."""

    id: str
    consumer_address: str  # checksum
    box_key: PublicKey = field(repr=False)
    price_per_minute: Decimal = Decimal(0)  # whole fee tokens
    max_job_duration: int = 3600
    max_jobs: int = 1
    max_queued_jobs: int = 100
    max_jobs_per_account: int | None = None  # unfinished ones; None: the template sets no limit
    position: int = 10_000
    allowed_chains: tuple[int, ...] = ()  # empty: every chain
    disk_gb: Decimal = Decimal(1)
    storage_expiry: int = 0
    release: ReleaseRules = NO_RULES  # what may leave of its jobs, whatever their datasets say
    pending_timeout: int = 0  # seconds that a pod may take to start
    filtered: bool = False
    publication_chain: int | None = None  # where results may become assets; None: nowhere
    has_queue: bool = False  # its jobs may begin at QUEUED; templates of earlier releases do not have that
    has_record: bool = False  # its jobs may carry what their passport needs; likewise
    images: ImageNames | None = None  # all that can be run there; None: images are pulled
    steps: Mapping[str, str] = field(default_factory=dict, hash=False)  # our own steps' images, by name
    server: str = FIRST_SERVER  # which Argo Server has it
    shown: Mapping[str, Any] = field(
        default_factory=dict, repr=False, hash=False
    )  # all options that consumers read, as JSON

    @classmethod
    def of_template(cls, template: Template) -> Environment:
        """Read the annotations. Raises TemplateUnusable."""
        if not is_label(template.name):
            raise TemplateUnusable("name")
        options = read_options(template.annotations)
        try:
            options["consumer_address"] = checksum(options["consumer_address"])
            box_key = decode_public_key(options["box_public_key"])
        except AddressInvalid:
            raise TemplateUnusable(names.CONSUMER_ADDRESS) from None
        except ValueError:
            raise TemplateUnusable(names.BOX_PUBLIC_KEY) from None
        return cls(
            id=template.name,
            box_key=box_key,
            has_queue=template.annotations.get(names.HAS_QUEUE) == "true",
            has_record=template.annotations.get(names.HAS_RECORD) == "true",
            images=_images(template.annotations.get(names.IMAGES, "")),
            steps={step: template.images[step] for step in names.OWN_STEPS if step in template.images},
            server=template.server,
            shown=shown(options),
            **{each.name: options[each.name] for each in fields(cls) if each.name in options},
        )

    def serves(self, chain_id: int) -> bool:
        return not self.allowed_chains or chain_id in self.allowed_chains

    def digest(self) -> str:
        """SHA-256 of what the operator announces, lower-case hex: compact JSON with sorted keys, without the members
        that change by themselves (`feeToken`, `currentJobs`, `lastSeen`)."""
        return hashlib.sha256(compact_utf8({**self.shown, "id": self.id}, sort_keys=True)).hexdigest()

    def announcement(self, *, fee_token: str, current_jobs: int, last_seen: float) -> dict[str, Any]:
        """The environment as clients see it on one chain."""
        members = {
            **self.shown,
            "id": self.id,
            "feeToken": fee_token,
            "currentJobs": current_jobs,
            "lastSeen": str(int(last_seen)),
        }
        return ordered(members | ({"publishesResults": True} if self.publication_chain else {}))


def _images(text: str) -> ImageNames | None:
    try:
        return ImageNames(json.loads(text)) if text else None
    except (ValueError, TypeError):
        raise TemplateUnusable(names.IMAGES) from None
