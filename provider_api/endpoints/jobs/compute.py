"""The jobs: POST starts one, GET reads, PUT stops, DELETE removes. Answers are arrays of job objects."""

from __future__ import annotations

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ocean import signing
from provider_api.access.request import ComputeRequest, read_start
from provider_api.calls.fields import Field, integer, job_id, required, text_value, validate
from provider_api.calls.parameters import Input, read_json_object
from provider_api.calls.signature import About
from provider_api.endpoints.jobs.initialize_compute import ALGORITHM
from provider_api.endpoints.jobs.job_call import read_job_call
from provider_api.endpoints.request import (
    CONSUMER,
    NONCE,
    SIGNATURE,
    consumer_of,
    parameters_of,
    require_compute,
    services_of,
)
from provider_api.http.responses import json_response
from provider_api.jobs.delete import delete_jobs
from provider_api.jobs.identity import identify
from provider_api.jobs.start import StartRequest
from provider_api.jobs.stop import stop_jobs

router = APIRouter()

START = (
    Field("dataset.documentId", (required, text_value), bail=True),
    Field("dataset.serviceId", (required, text_value), bail=True),
    Field("dataset.transferTxId", (required, text_value)),
    *ALGORITHM,
    CONSUMER,
    Field("jobId", (job_id,), bail=True),
    NONCE,
    SIGNATURE,
)
STATUS = (
    CONSUMER,
    Field("jobId", (text_value,)),
    Field("agreementId", (text_value,)),
    Field("resultsFrom", (integer,)),
)


@router.post("/api/services/compute")
async def start(request: Request) -> Response:
    """Validation follows the general rule (a query hides the body); the job itself is read from the body only. Where no
    environment exists, nothing can be started, and 404 says so before anything else."""
    await require_compute(request)
    sent = await parameters_of(request, START)
    body = read_json_object(request.headers.get("content-type", ""), await request.body())
    given = Input(body, sent.token_sent)
    validate(START, given)
    services = services_of(request)
    owner, document = given.text("consumerAddress"), given.text("dataset.documentId")
    job = given.text("jobId")
    content = read_start(given, consumer_of(given))
    caller = await services.callers.identify(
        request, given, lambda nonce: signing.start_message(owner, document, nonce, job), about=About(named(content))
    )
    server = await services.environments.server_of(given.text("environment"))
    identity = identify(caller.address, given.text("nonce"), body, server, signed=caller.text)
    structlog.contextvars.bind_contextvars(job_id=identity.job_id)
    await services.control.require_start(content)
    workflow = await services.starter.start(StartRequest(identity, content, owner))
    return json_response(await services.reader.started(workflow, services.environments), sort_keys=False)


@router.api_route("/api/services/compute", methods=["GET", "HEAD"])
async def status(request: Request) -> Response:
    """Not signed: whoever knows an address may see its jobs, as with Ocean Provider. Long lists of results are cut:
    then `resultsNext` is what `resultsFrom` must be for the next part."""
    given = await parameters_of(request, STATUS)
    services = services_of(request)
    owner, job_id = consumer_of(given), given.text("jobId")
    if job_id:
        found = await services.reader.find(owner, job_id)
        workflows = [] if found is None else [found]
    else:
        workflows = await services.reader.of_owner(owner, _hex(given.text("agreementId")))
    results_from = int(given.text("resultsFrom") or 0)
    return json_response(await services.reader.objects(workflows, results_from), sort_keys=False)


@router.put("/api/services/compute")
async def stop(request: Request) -> Response:
    """One job, or without a job id all of the consumer's that still run."""
    services = services_of(request)
    call = await read_job_call(request, may_sign_no_nonce=True)
    workflows = await services.reader.addressed_by(call.caller.address, call.job_id, unfinished_only=True)
    await services.callers.use_up(call.caller)
    stopped = await stop_jobs(services.argo, workflows)
    return json_response(await services.reader.objects(stopped), sort_keys=False)


@router.delete("/api/services/compute")
async def delete(request: Request) -> Response:
    """One job, or without a job id all of the consumer's: whatever still runs ends, and nothing of them stays."""
    services = services_of(request)
    call = await read_job_call(request, may_sign_no_nonce=False)
    workflows = await services.reader.addressed_by(call.caller.address, call.job_id)
    await services.callers.use_up(call.caller)
    deleted = await delete_jobs(services.argo, services.results, services.claims, workflows)
    return json_response(services.reader.removed(deleted), sort_keys=False)


def named(content: ComputeRequest) -> tuple[str, ...]:
    """The assets that a start is about."""
    assets = (*content.datasets, content.algorithm.asset)
    return tuple(asset.document_id for asset in assets if asset.document_id)


def _hex(text: str) -> str:
    """An agreement id that can be a label's value; anything else matches no job."""
    digits = text.lower().removeprefix("0x")
    return digits if not digits or (digits.isascii() and digits.isalnum()) else "0" * 32
