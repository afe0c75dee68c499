"""PUT compute: stops a job, or all of an account's. The answer is an array of job objects."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from provider_api.endpoints.descriptions import (
    AUTH_TOKEN,
    COMPUTE_FAILURES,
    signed,
)
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.jobs.job_call import FIELDS, job_parameters, read_job_call
from provider_api.endpoints.request import ServicesDep
from provider_api.http.responses import json_response
from provider_api.jobs.stop import stop_jobs
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import Answer, Operation


@endpoint(
    Operation(
        "PUT",
        "/api/services/compute",
        "computeStop",
        "Compute",
        "Stop a job, or all that run",
        {
            200: Answer(
                "The jobs that the request was about; outputs so far are published.",
                ref("Jobs"),
                {"job": [samples.job()]},
            )
        },
        {400: signed("consumerAddress"), **COMPUTE_FAILURES},
        fields=FIELDS,
        parameters=job_parameters("The job; without it all jobs of the account that have not ended."),
        request_headers=AUTH_TOKEN,
    )
)
async def stop(request: Request, services: ServicesDep) -> Response:
    """One job, or without a job id all of the consumer's that still run."""
    call = await read_job_call(request, services, may_sign_no_nonce=True)
    workflows = await services.reader.addressed_by(call.caller.address, call.job_id, unfinished_only=True)
    await services.callers.use_up(call.caller)
    stopped = await stop_jobs(services.argo, workflows)
    return json_response(await services.reader.objects(stopped), sort_keys=False)
