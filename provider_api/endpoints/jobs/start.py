"""POST compute: starts a job. The answer is an array with its job object."""

from __future__ import annotations

from functools import partial

import structlog
from starlette.requests import Request
from starlette.responses import Response

from ocean import signing
from provider_api.access.request import ComputeRequest, read_start
from provider_api.calls.fields import Field, job_id, required, text_value
from provider_api.calls.signature import Signed
from provider_api.endpoints.descriptions import (
    AUTH_TOKEN,
    COMPUTE_FAILURES,
    CONSUMER_PARAMETER,
    NONCE_PARAMETER,
    signature,
    signed,
)
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.jobs.job_request import ALGORITHM, ALGORITHM_PARAMETERS, REFUSED_BY_A_RULE
from provider_api.endpoints.request import (
    CONSUMER,
    NONCE,
    SIGNATURE,
    ServicesDep,
    consumer_of,
    read_body_call,
    require_compute,
)
from provider_api.http.responses import json_response
from provider_api.jobs.identity import identify
from provider_api.jobs.start import StartRequest
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import ANY, Answer, Operation, Parameter

FIELDS = (
    Field("dataset.documentId", (required, text_value), bail=True),
    Field("dataset.serviceId", (required, text_value), bail=True),
    Field("dataset.transferTxId", (required, text_value)),
    *ALGORITHM,
    CONSUMER,
    Field("jobId", (job_id,), bail=True),
    NONCE,
    SIGNATURE,
)


@endpoint(
    Operation(
        "POST",
        "/api/services/compute",
        "computeStart",
        "Compute",
        "Start a job",
        {200: Answer("The job.", ref("Jobs"), {"accepted": [samples.new_job()]})},
        {
            400: signed(
                "dataset.documentId",
                **REFUSED_BY_A_RULE,
                unpaid={"error": {"order": "fees_not_paid"}},
                taken={"error": f"agreementId {samples.TX} already in use for other job."},
            ),
            **COMPUTE_FAILURES,
        },
        text="The same signed request again is answered with the same job, however often it is sent.",
        fields=FIELDS,
        parameters={
            "dataset.documentId": Parameter("DID of the first dataset."),
            "dataset.serviceId": Parameter("Its compute service."),
            "dataset.transferTxId": Parameter("Its order."),
            **ALGORITHM_PARAMETERS,
            "consumerAddress": CONSUMER_PARAMETER,
            "jobId": Parameter("Not needed; if there is one, it is signed between address and DID."),
            "nonce": NONCE_PARAMETER,
            "signature": signature("consumerAddress + dataset.documentId + nonce"),
            "environment": Parameter("Id of the environment of the orders.", schema=ANY),
            "dataset.userdata": Parameter("Consumer parameters of the dataset.", schema=ANY),
            "additionalDatasets": Parameter("Further datasets, like `dataset`.", schema=ANY),
            "output": Parameter(
                "An object or its JSON text. In an environment with `publishesResults`, `publishOutput` (true) together"
                " with `metadata` that has a `name` asks that the outputs become an asset of the consumer. Neither does"
                " so alone, and everything else is ignored.",
                schema=ANY,
            ),
        },
        place="body",
        request_headers=AUTH_TOKEN,
        examples={
            "published": {
                "consumerAddress": samples.CONSUMER,
                "environment": samples.ENVIRONMENT,
                "dataset": samples.DATASET,
                "algorithm": samples.ALGORITHM,
                "nonce": samples.NONCE,
                "signature": samples.SIGNATURE,
            },
            "results_as_an_asset": {
                "consumerAddress": samples.CONSUMER,
                "environment": samples.ENVIRONMENT,
                "dataset": samples.DATASET,
                "algorithm": samples.ALGORITHM,
                "output": {"publishOutput": True, "metadata": {"name": "Rain, summed up", "license": "CC0-1.0"}},
                "nonce": samples.NONCE,
                "signature": samples.SIGNATURE,
            },
        },
    )
)
async def start(request: Request, services: ServicesDep) -> Response:
    """Validation follows the general rule (a query hides the body); the job itself is read from the body only. Where no
    environment exists, nothing can be started, and 404 says so before anything else."""
    await require_compute(services)
    call = await read_body_call(request, FIELDS)
    owner, document = call.text("consumerAddress"), call.text("dataset.documentId")
    job = call.text("jobId")
    content = read_start(call, consumer_of(call))
    message = partial(signing.start_message, owner, document, job_id=job)
    caller = await services.callers.identify(call, Signed(message, dids=named(content)))
    server = await services.environments.server_of(call.text("environment"))
    identity = identify(caller.address, call.text("nonce"), call.values, server, signed=caller.text)
    structlog.contextvars.bind_contextvars(job_id=identity.job_id)
    await services.control.require_start(content)
    started = await services.starter.start(StartRequest(identity, content, owner))
    return json_response(await services.reader.started(started, services.environments), sort_keys=False)


def named(content: ComputeRequest) -> tuple[str, ...]:
    """The assets that a start is about."""
    assets = (*content.datasets, content.algorithm.asset)
    return tuple(asset.document_id for asset in assets if asset.document_id)
