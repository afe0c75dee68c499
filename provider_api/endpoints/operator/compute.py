"""The jobs of a provider's consumers: POST starts one, GET reads, PUT stops, DELETE removes. Arrays of job objects."""

from __future__ import annotations

from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response

from argo.client.records import Workflow
from provider_api.access.request import ProviderTerms
from provider_api.calls.parameters import Call
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.operator.calls import (
    Provider,
    address_of,
    filter_of,
    read_call,
    require,
    require_provider,
    text_of,
)
from provider_api.endpoints.operator.descriptions import JOB_ID, OWNER, SIGNED, TAG, proof
from provider_api.endpoints.operator.workflow import agreement_of, job_request, stage_of
from provider_api.endpoints.request import ServicesDep
from provider_api.http.errors import Refused
from provider_api.http.paths import OPERATOR
from provider_api.http.responses import json_response
from provider_api.jobs.delete import delete_jobs
from provider_api.jobs.identity import identify
from provider_api.jobs.start import StartRequest
from provider_api.jobs.stop import stop_jobs
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import ANY, Answer, Operation, Parameter
from provider_api.services import Services

_START = ("workflow", "agreementId", "owner", "providerSignature", "environment", "nonce")

_JOBS: Final = {"job": [samples.job()], "none": []}
_FILTERS: Final = {
    "owner": OWNER,
    "jobId": JOB_ID,
    "agreementId": Parameter("The order that a job counts against.", schema=ANY),
    "chainId": Parameter("Only jobs of this chain.", schema=ANY),
    **proof("owner + jobId + nonce"),
}
_WORKFLOW: Final = {
    "stages": [
        {
            "index": 0,
            "input": [{"index": 0, "id": samples.DID, "remote": {"txId": samples.TX, "serviceId": "compute-1"}}],
            "compute": {"Instances": 1, "namespace": "ocean-compute", "maxtime": 3600},
            "algorithm": {"id": "", "rawcode": "print(1)", "container": samples.CONTAINER},
            "output": {"metadataUri": "https://metadata.example"},
        }
    ]
}
_EXAMPLE: Final = {
    "workflow": _WORKFLOW,
    "agreementId": samples.TX,
    "owner": samples.CONSUMER,
    "environment": samples.ENVIRONMENT,
    "providerSignature": samples.SIGNATURE,
    "providerAddress": samples.PROVIDER,
    "nonce": 1795405424715548897,
    "chainId": 8996,
    "validUntil": samples.MOMENT + 600,
}
_TEXTS: Final = {
    "workflow": "One stage; see the how-to.",
    "agreementId": "One of the workflow's orders.",
    "owner": "The consumer.",
    "environment": "Where the job shall run.",
    "providerSignature": "Over `owner + nonce`, see the introduction.",
    "providerAddress": "If given, the signer.",
    "nonce": "The provider's clock: nanoseconds, milliseconds or seconds.",
    "chainId": "Chain of the orders.",
    "validUntil": "Until when the job is paid for, Unix seconds; absent or 0: no end.",
}


@endpoint(
    Operation(
        "POST",
        OPERATOR + "/compute",
        "operatorStart",
        TAG,
        "Start a job for a consumer",
        {200: Answer("An array with the job. The identical request again gives the same job.", ref("Jobs"), _JOBS)},
        SIGNED,
        parameters={name: Parameter(text, schema=ANY) for name, text in _TEXTS.items()},
        place="body",
        body_required=False,
        examples={"raw": _EXAMPLE},
    )
)
async def start(request: Request, services: ServicesDep) -> Response:
    """The identical request again is answered with its job."""
    call = await read_call(request, services)
    if not call.values:
        raise Refused("The body must be a JSON object.")
    require(call, _START)
    if not call.get("workflow"):
        raise Refused("workflow is empty.")
    owner_text, environment = text_of(call, "owner"), text_of(call, "environment")
    owner, agreement_id = address_of(owner_text), agreement_of(text_of(call, "agreementId"))
    if not owner:
        raise Refused("owner is missing.")
    await _require_environment(services, call, environment)
    provider = await require_provider(request, services, call, "")
    terms = ProviderTerms(provider.address, provider.addresses, agreement_id, _seconds(call))
    content = job_request(stage_of(call.get("workflow")), owner, environment, terms)
    server = await services.environments.server_of(environment)
    identity = identify(owner, call.text("nonce"), call.values, server, counted=False)
    structlog.contextvars.bind_contextvars(job_id=identity.job_id)
    started = await services.starter.start(StartRequest(identity, content, owner_text))
    return json_response(await services.reader.started(started, services.environments), sort_keys=False)


@endpoint(
    Operation(
        "GET",
        OPERATOR + "/compute",
        "operatorStatus",
        TAG,
        "Jobs of the calling provider",
        {200: Answer("Those that match every filter, newest first.", ref("Jobs"), _JOBS)},
        SIGNED,
        parameters=_FILTERS,
    ),
    head=False,
)
async def status(request: Request, services: ServicesDep) -> Response:
    call = await read_call(request, services)
    if not any(filter_of(call, name) for name in ("owner", "jobId", "agreementId")):
        raise Refused("owner, jobId or agreementId is missing.")
    provider = await require_provider(request, services, call, text_of(call, "jobId"))
    found = await _selected(services, call, provider, may_lag=True)
    return json_response(await services.reader.objects(found), sort_keys=False)


@endpoint(
    Operation(
        "PUT",
        OPERATOR + "/compute",
        "operatorStop",
        TAG,
        "Stop a job, or all of an owner's",
        {200: Answer("The jobs, afterwards.", ref("Jobs"), _JOBS)},
        SIGNED,
        parameters=_FILTERS,
    )
)
async def stop(request: Request, services: ServicesDep) -> Response:
    """Without a job id all of the owner's that have not ended. What has ended stays as it is."""
    call = await read_call(request, services)
    require(call, ("owner", "providerSignature", "nonce"))
    provider = await require_provider(request, services, call, text_of(call, "jobId"))
    found = await _selected(services, call, provider, unfinished_only=not filter_of(call, "jobId"))
    stopped = await stop_jobs(services.argo, found)
    return json_response(await services.reader.objects(stopped), sort_keys=False)


@endpoint(
    Operation(
        "DELETE",
        OPERATOR + "/compute",
        "operatorDelete",
        TAG,
        "Delete a job, or all of an owner's",
        {
            200: Answer(
                "The jobs that are gone, or an empty text.",
                {"anyOf": [ref("Jobs"), {"const": ""}]},
                {"job": [samples.job(results="", removed=1)], "none": ""},
            )
        },
        SIGNED,
        parameters=_FILTERS,
    )
)
async def delete(request: Request, services: ServicesDep) -> Response:
    """The jobs that are gone; an empty text if there were none, for ocean.py takes the first of a list."""
    call = await read_call(request, services)
    require(call, ("owner", "providerSignature", "nonce"))
    provider = await require_provider(request, services, call, text_of(call, "jobId"))
    found = await _selected(services, call, provider)
    deleted = await delete_jobs(services.argo, services.results, services.claims, found)
    return json_response(services.reader.removed(deleted) if deleted else "", sort_keys=False)


async def _selected(
    services: Services, call: Call, provider: Provider, *, unfinished_only: bool = False, may_lag: bool = False
) -> list[Workflow]:
    """The provider's jobs that match every filter, newest first."""
    return await services.reader.of_provider(
        provider.addresses,
        owner=address_of(filter_of(call, "owner")),
        job_id=filter_of(call, "jobId"),
        agreement_id=filter_of(call, "agreementId"),
        chain_id=text_of(call, "chainId"),
        unfinished_only=unfinished_only,
        may_lag=may_lag,
    )


async def _require_environment(services: Services, call: Call, environment: str) -> None:
    """Raises Refused, ArgoError."""
    found = await services.environments.find(environment)
    chain_id = text_of(call, "chainId")
    if chain_id and not (chain_id.isascii() and chain_id.isdigit() and len(chain_id) <= 30):
        raise Refused("chainId must be an integer.")
    if found is None or (chain_id and not found.serves(int(chain_id))):
        raise Refused("The environment does not exist, or does not serve this chain.")


def _seconds(call: Call) -> int:
    """`validUntil`, 0 if absent. Raises Refused."""
    text = text_of(call, "validUntil")
    if text and not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Refused("validUntil must be Unix seconds.")
    return int(text or "0")
