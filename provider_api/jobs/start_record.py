"""What the service knows when it accepts a start, for the job's passport: orders, terms, and the salts of inputs.

The record travels as an annotation of the workflow, which everybody who may look into Argo can read: it holds nothing
that does not stand on chain or in an announcement. The salts travel in the sealed job spec.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
from importlib import metadata

from argo.client.records import Workflow
from contract import names
from contract.job_spec import JobSpec
from contract.provenance import OrderedAsset, Policy, StartRecord, read_start_record
from contract.release import NO_RULES
from ocean.kit.compact_json import compact_json
from provider_api.access.accepted import AcceptedAsset, AcceptedStart
from provider_api.access.release_rules import approvers
from provider_api.keys import ProviderKeys
from provider_api.settings import Settings


def start_record(start: AcceptedStart, spec: JobSpec, settings: Settings, keys: ProviderKeys) -> StartRecord:
    policy = settings.policy
    return StartRecord(
        provider=keys.address,
        url=next(iter(settings.server.public_urls), ""),
        service_version=_version(),
        steps=dict(start.environment.steps),
        image_pulled=start.environment.images is None,
        network=spec.binding.network,
        isolation=str(start.environment.shown.get("isolation", "")),
        environment_digest=start.environment.digest(),
        policy=Policy(
            trusted_lists=policy.trusted_lists,
            trusted_lists_empty=policy.trusted_lists_empty,
            require_checksums=policy.require_checksums,
        ),
        datasets=tuple(_ordered(item) for item in start.datasets),
        algorithm=None if start.algorithm is None else _ordered(start.algorithm),
        approvers=approvers(start.facts),
        release=spec.release or NO_RULES,
    )


def record_of(workflow: Workflow) -> StartRecord | None:
    """What a job's passport is made of; None for a job of which none is made, because it was started before there were
    any, or in an environment whose pods do not know them."""
    return read_start_record(workflow.annotations.get(names.RECORD, ""))


def asset_salt(keys: ProviderKeys, job_id: str, did: str, service_id: str) -> bytes:
    """32 bytes, of one dataset in one job. Whoever has the service's key can make them again."""
    return hmac.new(keys.salt, compact_json([job_id, did, service_id]).encode(), hashlib.sha256).digest()


def _ordered(item: AcceptedAsset) -> OrderedAsset:
    order = item.facts.order
    return OrderedAsset(
        did=item.ddo.id,
        service_id=item.service.id,
        chain_id=item.facts.chain_id,
        order="" if order is None else order.tx_hash,
    )


@functools.cache
def _version() -> str:
    return metadata.version("compute-to-data")
