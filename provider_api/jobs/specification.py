"""What is submitted for a job: the sealed job spec, and labels, annotations and arguments of its workflow.

Only values that we made, or matched strictly, become arguments, labels or annotations; everything that a consumer or a
publisher wrote travels in the sealed spec.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from ocean import parameters
from ocean.ddo import DDO
from ocean.outgoing import ANY_PUBLISHER, Allowed
from pods import job_spec
from provider_api.access import payment, trust_rules
from provider_api.access.container import AlgorithmContainer, container_of
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.output import wanted_asset
from provider_api.errors import Refused
from provider_api.jobs.environment import Environment
from provider_api.keys import ProviderKeys
from provider_api.settings import Settings
from provider_api.storage.claims import Places
from workflow_templates import names

_GB = 10**9
_NO_JOB = "0" * 32  # the job whose spec is made only to be measured


@dataclass(frozen=True, slots=True)
class Submission:
    """Everything that `ArgoClient.submit` takes, and what the claim needs."""

    job_id: str
    template: str
    arguments: Mapping[str, str]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    chain_id: int
    agreement_id: str
    orders: frozenset[tuple[int, str]]  # chain and transaction of each that the job takes for itself
    places: Places | None  # of its account in its environment


def prepare(facts: ComputeFacts, job_id: str, owner_text: str, settings: Settings, keys: ProviderKeys) -> Submission:
    """The submission of a job whose facts have passed all rules. `owner_text`: the consumer as spelled in the request.

    Raises Refused when the job spec is larger than a workflow may carry.
    """
    environment, carrier, container = facts.environment, payment.carrier_of(facts), container_of(facts)
    if environment is None or carrier is None or container is None:
        raise LookupError("a submission is prepared from facts that have passed the rules")
    spec = _spec(facts, environment, container, job_id, owner_text, carrier.paid_until, settings)
    most = environment.max_jobs_per_account
    return Submission(
        job_id=job_id,
        template=environment.id,
        arguments={
            names.ARG_JOB_SPEC: _sealed(spec, keys, environment),
            names.ARG_IMAGE: spec.binding.image,
            names.ARG_SECONDS: str(spec.binding.seconds),
            names.ARG_NETWORK: spec.binding.network,
        },
        labels={
            names.ENVIRONMENT: environment.id,
            names.OWNER: facts.request.consumer,
            names.AGREEMENT: names.agreement_label(carrier.order.tx_hash),
            names.CHAIN: str(carrier.chain_id),
            names.PROVIDER: keys.address.lower() if facts.request.terms is None else facts.request.terms.provider,
        },
        annotations={**_annotations(facts, environment, owner_text, carrier), names.IMAGE: spec.binding.image},
        chain_id=carrier.chain_id,
        agreement_id=carrier.order.tx_hash,
        orders=payment.claimed_orders(facts),
        places=Places(environment.id, facts.request.consumer, most) if most is not None else None,
    )


def require_room_in_workflow(facts: ComputeFacts, settings: Settings, keys: ProviderKeys) -> None:
    """The same before anything is ordered: would the job spec be small enough? For facts that have passed all rules.

    Raises Refused.
    """
    environment, container = facts.environment, container_of(facts)
    if environment is None or container is None:
        raise LookupError("a job spec is made of facts that have passed the rules")
    if facts.raw_sources and not facts.raw_digests:
        facts = replace(facts, raw_digests=(secrets.token_hex(32),))  # as long as the one that a start will find
    end = int(facts.now) + environment.max_job_duration
    _sealed(_spec(facts, environment, container, _NO_JOB, facts.request.consumer, end, settings), keys, environment)


def _spec(
    facts: ComputeFacts,
    environment: Environment,
    container: AlgorithmContainer,
    job_id: str,
    owner_text: str,
    paid_until: int | None,
    settings: Settings,
) -> job_spec.JobSpec:
    run_seconds = run_time(environment, paid_until, facts.now)
    network: Literal["none", "public"] = (
        "public" if settings.policy.allow_network and trust_rules.network_is_allowed(facts) else "none"
    )
    binding = job_spec.Binding(
        job_id=job_id,
        environment=environment.id,
        image=container.reference(),
        # Argo counts from the pod's arrival on its node, so what comes before the start is added: never less than a pod
        # may take to start. Configuration cuts it off where the paid time ends.
        seconds=run_seconds + environment.pending_timeout + settings.limits.outer_margin_seconds,
        network=network,
    )
    return job_spec.JobSpec(
        binding=binding,
        owner=owner_text,
        secret=secrets.token_hex(16),
        run_seconds=run_seconds,
        paid_until=paid_until,
        inputs=tuple(_input(item) for item in facts.datasets),
        algorithm=_algorithm(facts, container.entrypoint),
        allow_private=_exceptions(facts, settings),
        forbid=settings.forbidden(),
        max_input_bytes=max(1, int(environment.disk_gb * _GB)),
        publication=wanted_asset(environment, facts.request.output),
    )


def _exceptions(facts: ComputeFacts, settings: Settings) -> tuple[str, ...]:
    """Which private addresses the job's downloads may reach: of all that are allowed, those of its publishers."""
    publishers = {item.ddo.publisher for item in facts.assets() if item.ddo is not None}
    entries = [Allowed.parse(text) for text in settings.outgoing.exceptions()]
    return tuple(entry.text() for entry in entries if entry.owner in (None, ANY_PUBLISHER) or entry.owner in publishers)


def run_time(environment: Environment, paid_until: int | None, now: float) -> int:
    """The most the algorithm may run, in seconds: the environment's maximum, but not longer than paid for."""
    longest = environment.max_job_duration
    return max(1, longest if paid_until is None else min(longest, int(paid_until - now)))


def _sealed(spec: job_spec.JobSpec, keys: ProviderKeys, environment: Environment) -> str:
    try:
        return job_spec.seal(spec, keys.box, environment.box_key)
    except job_spec.JobSpecTooLarge as exc:
        largest = job_spec.MAX_SEALED_BYTES
        text = f"job_too_large: {exc.size} bytes, at most {largest}, of code, parameters and documents together"
        raise Refused({"algorithm": text}) from None


def _input(item: AssetFacts) -> job_spec.InputAsset:
    if item.ddo is None or item.service is None or not (item.sources or item.awaits_parameters):
        raise LookupError("an input is made of an asset that has passed the rules")
    return job_spec.InputAsset(
        did=item.ddo.id,
        service_id=item.service.id,
        files=item.sources or (),
        ddo=_shown_to_jobs(item.ddo),
    )


def _algorithm(facts: ComputeFacts, entrypoint: str) -> job_spec.Algorithm:
    request, item = facts.request.algorithm, facts.algorithm
    if item is None:
        code = request.text("rawcode")
        return job_spec.Algorithm(
            rawcode=code or None,
            files=() if code else facts.raw_sources,
            sha256=facts.raw_digests or (),
            custom_data=parameters.read_values(request.custom_data),
            entrypoint=entrypoint,
        )
    found = item.sources and item.digests is not None
    if item.ddo is None or item.service is None or not (found or item.awaits_parameters):
        raise LookupError("a published algorithm is an asset that has passed the rules")
    metadata = item.ddo.metadata.algorithm if item.ddo.metadata is not None else None
    read = parameters.completed if facts.with_orders else parameters.so_far  # only a start brings them all
    return job_spec.Algorithm(
        did=item.ddo.id,
        ddo=_shown_to_jobs(item.ddo),
        files=item.sources or (),
        sha256=item.digests or (),
        custom_data=read(metadata and metadata.consumer_parameters, request.custom_data),
        entrypoint=entrypoint,
    )


def _shown_to_jobs(ddo: DDO) -> dict[str, Any]:
    """The document without `stats`: they say nothing to an algorithm, and libraries that read documents want a price in
    them, which an asset need not have."""
    return {name: value for name, value in ddo.document().items() if name != "stats"}


def _annotations(
    facts: ComputeFacts, environment: Environment, owner_text: str, carrier: payment.Carrier
) -> dict[str, str]:
    return {
        names.OWNER_TEXT: owner_text,
        names.AGREEMENT_ID: carrier.order.tx_hash,
        names.ALGORITHM_DID: facts.request.algorithm.asset.document_id,
        names.INPUT_DIDS: json.dumps([item.request.document_id for item in facts.datasets], separators=(",", ":")),
        names.VALID_UNTIL: str(payment.end_of(facts)),
        names.STORAGE_EXPIRY: str(environment.storage_expiry),
        **({names.FILTERED: "true"} if environment.filtered else {}),
    }
