"""GET one release: everything that an owner decides about."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from provider_api.endpoints.descriptions import ARGO_FAILED, AUTH_TOKEN, CHAIN_AWAY, signed
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.releases.asking import (
    FIELDS,
    JOB,
    SHOWN,
    asked_by,
    document,
    job_that_waits,
    parameters,
)
from provider_api.endpoints.request import CallDep, ServicesDep
from provider_api.http.responses import json_response
from provider_api.openapi.components import ref
from provider_api.openapi.operation import Answer, Failure, Operation

PATH = "/api/v1/releases/{job}"
NOTHING_WAITS = Failure(
    "Refusal",
    "No such job, none that waits for owners, or none on a dataset of this account.",
    {"none": {"error": "No results of job 0a wait for a decision of this account"}},
)


@endpoint(
    Operation(
        "GET",
        PATH,
        "release",
        "Compute",
        "The results of a job that wait for their owners",
        {200: Answer("Names, sizes and digests, and who has decided.", ref("Release"), {"held": SHOWN})},
        {400: signed("consumerAddress"), 404: NOTHING_WAITS, 502: ARGO_FAILED, 503: CHAIN_AWAY},
        text="An addition to Ocean's Provider. For owners of the data NFTs of the job's datasets.",
        fields=FIELDS[:3],
        parameters=parameters('"releases" + consumerAddress + job + nonce'),
        path_parameters=JOB,
        request_headers=AUTH_TOKEN,
    )
)
async def release(request: Request, call: CallDep, services: ServicesDep) -> Response:
    job = request.path_params["job"]
    caller = await asked_by(call, services, job)
    workflow, approval = await job_that_waits(services, job)
    answer = await document(services, workflow, approval, caller.address)
    await services.callers.use_up(caller)
    return json_response(answer, sort_keys=False)
