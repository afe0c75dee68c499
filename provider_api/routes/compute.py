"""The jobs: POST starts one, GET reads, PUT stops. Answers are arrays of job objects."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ocean import signing
from provider_api.access.request import read_start
from provider_api.access.signature import require_fresh, require_signer, signature_given, stale
from provider_api.fields import Field, nonce_number, required, text_value, validate
from provider_api.jobs.identity import identify
from provider_api.jobs.start import StartRequest
from provider_api.jobs.stop import stop_jobs
from provider_api.parameters import Input, read_json_object
from provider_api.responses import json_response
from provider_api.routes.initialize_compute import ALGORITHM
from provider_api.routes.request import CONSUMER, consumer_of, parameters_of, services_of
from provider_api.storage.nonces import NonceStale

router = APIRouter()

NONCE = Field("nonce", (required, nonce_number), bail=True)
SIGNATURE = Field("signature", (signature_given, text_value), bail=True)
START = (
    Field("dataset.documentId", (required, text_value), bail=True),
    Field("dataset.serviceId", (required, text_value), bail=True),
    Field("dataset.transferTxId", (required, text_value)),
    *ALGORITHM,
    CONSUMER,
    NONCE,
    SIGNATURE,
)
STATUS = (CONSUMER, Field("jobId", (text_value,)), Field("agreementId", (text_value,)))
STOP = (CONSUMER, Field("jobId", (text_value,)), Field("documentId", (text_value,)), NONCE, SIGNATURE)


@router.post("/api/services/compute")
async def start(request: Request) -> Response:
    """Validation follows the general rule (a query hides the body); the job itself is read from the body only."""
    await parameters_of(request, START)
    body = read_json_object(request.headers.get("content-type", ""), await request.body())
    given = Input(body)
    validate(START, given)
    services = services_of(request)
    owner, document = given.text("consumerAddress"), given.text("dataset.documentId")
    job_id = given.text("jobId")
    consumer = require_signer(given, lambda nonce: signing.start_message(owner, document, nonce, job_id))
    identity = identify(consumer, given.text("nonce"), body)
    workflow = await services.starter.start(StartRequest(identity, read_start(given, consumer), owner))
    return json_response(await services.reader.objects([workflow]), sort_keys=False)


@router.api_route("/api/services/compute", methods=["GET", "HEAD"])
async def status(request: Request) -> Response:
    """Not signed: whoever knows an address may see its jobs, as with the peer."""
    given = await parameters_of(request, STATUS)
    services = services_of(request)
    owner, job_id = consumer_of(given), given.text("jobId")
    if job_id:
        found = await services.reader.find(owner, job_id)
        workflows = [] if found is None else [found]
    else:
        workflows = await services.reader.of_owner(owner, _hex(given.text("agreementId")))
    return json_response(await services.reader.objects(workflows), sort_keys=False)


@router.put("/api/services/compute")
async def stop(request: Request) -> Response:
    """One job, or without a job id all of the consumer's that still run."""
    given = await parameters_of(request, STOP)
    services = services_of(request)
    owner, job_id, document = given.text("consumerAddress"), given.text("jobId"), given.text("documentId")
    nonce = given.text("nonce")
    require_fresh(await services.nonces.find(consumer_of(given)), nonce)
    consumer = require_signer(given, lambda text: signing.job_message(owner, job_id, document, text))
    if job_id:
        found = await services.reader.find(consumer, job_id)
        workflows = [] if found is None else [found]
    else:
        workflows = await services.reader.of_owner(consumer, unfinished_only=True)
    try:
        await services.nonces.consume(consumer, nonce)
    except NonceStale as exc:
        raise stale(exc) from None
    stopped = await stop_jobs(services.argo, workflows)
    return json_response(await services.reader.objects(stopped), sort_keys=False)


def _hex(text: str) -> str:
    """An agreement id that can be a label's value; anything else matches no job."""
    digits = text.lower().removeprefix("0x")
    return digits if not digits or (digits.isascii() and digits.isalnum()) else "0" * 32
