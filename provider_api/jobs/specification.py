"""What is submitted for a job: the sealed job spec, and labels, annotations and arguments of its workflow.

Only values that we made, or matched strictly, become arguments, labels or annotations; everything that a consumer or a
publisher wrote travels in the sealed spec.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any, Literal

from argo.client.records import NewWorkflow
from contract import job_spec, names
from ocean import parameters
from ocean.ddo import DDO
from ocean.kit.compact_json import compact_json
from ocean.outgoing import ANY_PUBLISHER, Allowed
from provider_api.access import payment, trust_rules
from provider_api.access.accepted import Accepted, AcceptedAsset, AcceptedStart
from provider_api.access.output import wanted_asset
from provider_api.access.release_rules import merged_rules
from provider_api.environments.environment import Environment
from provider_api.http.errors import Refused
from provider_api.jobs.start_record import asset_salt, start_record
from provider_api.keys import ProviderKeys
from provider_api.settings import Settings
from provider_api.storage.claims import Places

_GB = 10**9
_NO_JOB = "0" * 32  # the job whose spec is made only to be measured


@dataclass(frozen=True, slots=True)
class PreparedJob:
    """The workflow to be created, and what the claim needs."""

    workflow: NewWorkflow
    chain_id: int
    agreement_id: str
    orders: frozenset[tuple[int, str]]  # chain and transaction of each that the job takes for itself
    places: Places | None  # of its account in its environment
    ahead: int = 0  # unfinished jobs in its environment when it was prepared


def prepare(start: AcceptedStart, job_id: str, owner_text: str, settings: Settings, keys: ProviderKeys) -> PreparedJob:
    """The workflow of an accepted start. `owner_text`: the consumer as spelled in the request.

    Raises Refused when the job spec is larger than a workflow may carry.
    """
    environment, carrier, request = start.environment, start.carrier, start.facts.request
    spec = _spec(start, job_id, owner_text, carrier.paid_until, settings, keys)
    record = start_record(start, spec, settings, keys) if environment.has_record else None
    most = environment.max_jobs_per_account
    workflow = NewWorkflow(
        name=job_id,
        template=environment.id,
        arguments={
            names.ARG_JOB_SPEC: _sealed(spec, keys, environment),
            names.ARG_IMAGE: spec.binding.image,
            names.ARG_SECONDS: str(spec.binding.seconds),
            names.ARG_NETWORK: spec.binding.network,
        },
        labels={
            names.ENVIRONMENT: environment.id,
            names.OWNER: request.consumer,
            names.AGREEMENT: names.agreement_label(carrier.order.tx_hash),
            names.CHAIN: str(carrier.chain_id),
            names.PROVIDER: keys.address.lower() if request.terms is None else request.terms.provider,
            **({names.APPROVAL: "owner"} if record is not None and record.approvers else {}),
        },
        annotations={
            **_annotations(start, owner_text),
            names.IMAGE: spec.binding.image,
            **({} if record is None else {names.RECORD: record.encoded()}),
        },
    )
    return PreparedJob(
        workflow,
        chain_id=carrier.chain_id,
        agreement_id=carrier.order.tx_hash,
        orders=payment.claimed_orders(start.facts),
        places=Places(environment.id, request.consumer, most) if most is not None else None,
    )


def require_room_in_workflow(accepted: Accepted, settings: Settings, keys: ProviderKeys) -> None:
    """The same before anything is ordered: would the job spec be small enough? Raises Refused."""
    facts = accepted.facts
    if facts.raw_sources and not facts.raw_digests:  # as long as the one that a start will find
        accepted = replace(accepted, facts=replace(facts, raw_digests=(secrets.token_hex(32),)))
    end = int(facts.now) + accepted.environment.max_job_duration
    _sealed(_spec(accepted, _NO_JOB, facts.request.consumer, end, settings, keys), keys, accepted.environment)


def _spec(
    accepted: Accepted, job_id: str, owner_text: str, paid_until: int | None, settings: Settings, keys: ProviderKeys
) -> job_spec.JobSpec:
    facts, environment, container = accepted.facts, accepted.environment, accepted.container
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
        inputs=tuple(_input(item, job_id, keys if environment.has_record else None) for item in accepted.datasets),
        algorithm=_raw_algorithm(accepted) if accepted.algorithm is None else _algorithm(accepted, accepted.algorithm),
        allow_private=_exceptions(accepted, settings),
        forbid=settings.forbidden(),
        max_input_bytes=max(1, int(environment.disk_gb * _GB)),
        release=merged_rules(facts) if environment.has_record else None,
        publication=wanted_asset(environment, facts.request.output),
    )


def _exceptions(accepted: Accepted, settings: Settings) -> tuple[str, ...]:
    """Which private addresses the job's downloads may reach: of all that are allowed, those of its publishers."""
    publishers = {item.ddo.publisher for item in accepted.assets()}
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


def _input(item: AcceptedAsset, job_id: str, keys: ProviderKeys | None) -> job_spec.InputAsset:
    """`keys` None: no salt, because the environment's pods make no passport."""
    return job_spec.InputAsset(
        did=item.ddo.id,
        service_id=item.service.id,
        files=item.sources,
        ddo=_shown_to_jobs(item.ddo),
        salt="" if keys is None else asset_salt(keys, job_id, item.ddo.id, item.service.id).hex(),
    )


def _raw_algorithm(accepted: Accepted) -> job_spec.Algorithm:
    facts, request = accepted.facts, accepted.facts.request.algorithm
    code = request.text("rawcode")
    return job_spec.Algorithm(
        rawcode=code or None,
        files=() if code else facts.raw_sources,
        sha256=facts.raw_digests or (),
        custom_data=parameters.read_values(request.custom_data),
        entrypoint=accepted.container.entrypoint,
    )


def _algorithm(accepted: Accepted, item: AcceptedAsset) -> job_spec.Algorithm:
    metadata = item.ddo.metadata.algorithm if item.ddo.metadata is not None else None
    read = parameters.completed if accepted.facts.with_orders else parameters.so_far  # only a start brings them all
    given = accepted.facts.request.algorithm.custom_data
    return job_spec.Algorithm(
        did=item.ddo.id,
        ddo=_shown_to_jobs(item.ddo),
        files=item.sources,
        sha256=item.digests,
        custom_data=read(metadata and metadata.consumer_parameters, given),
        entrypoint=accepted.container.entrypoint,
    )


def _shown_to_jobs(ddo: DDO) -> dict[str, Any]:
    """The document without `stats`: they say nothing to an algorithm, and libraries that read documents want a price in
    them, which an asset need not have."""
    return {name: value for name, value in ddo.shared().items() if name != "stats"}


def _annotations(start: AcceptedStart, owner_text: str) -> dict[str, str]:
    facts, environment = start.facts, start.environment
    return {
        names.OWNER_TEXT: owner_text,
        names.AGREEMENT_ID: start.carrier.order.tx_hash,
        names.ALGORITHM_DID: facts.request.algorithm.asset.document_id,
        names.INPUT_DIDS: compact_json([item.request.document_id for item in facts.datasets]),
        names.VALID_UNTIL: str(payment.end_of(facts)),
        names.STORAGE_EXPIRY: str(environment.storage_expiry),
        **({names.FILTERED: "true"} if environment.filtered else {}),
    }
