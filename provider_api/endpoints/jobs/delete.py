"""DELETE compute: removes a job, or all of an account's. The answer is an array of job objects."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from provider_api.endpoints.descriptions import (
    ARGO_FAILED,
    AUTH_TOKEN,
    away,
    signed,
)
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.jobs.job_call import FIELDS, job_parameters, read_job_call
from provider_api.endpoints.request import ServicesDep
from provider_api.http.responses import json_response
from provider_api.jobs.delete import delete_jobs
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import Answer, Operation

_HALF_DELETED: Final = away(
    "The result store does not answer at the moment.",
    "What is still listed is not deleted, or not wholly; send the request again, with a new nonce if need be.",
)


@endpoint(
    Operation(
        "DELETE",
        "/api/services/compute",
        "computeDelete",
        "Compute",
        "Delete a job, or all",
        {
            200: Answer(
                "The jobs that are gone, as they were; `[]` if there were none.",
                ref("Jobs"),
                {"job": [samples.job(results="", removed=1)], "none": []},
            )
        },
        {400: signed("consumerAddress"), 502: ARGO_FAILED, 503: _HALF_DELETED},
        text="What still runs is ended and publishes nothing; then results, logs, volume and the job itself are"
        " removed, and its orders are free for another job.",
        fields=FIELDS,
        parameters=job_parameters("The job; without it all jobs of the account."),
        request_headers=AUTH_TOKEN,
    )
)
async def delete(request: Request, services: ServicesDep) -> Response:
    """One job, or without a job id all of the consumer's: whatever still runs ends, and nothing of them stays."""
    call = await read_job_call(request, services, may_sign_no_nonce=False)
    workflows = await services.reader.addressed_by(call.caller.address, call.job_id)
    await services.callers.use_up(call.caller)
    deleted = await delete_jobs(services.argo, services.results, services.claims, workflows)
    return json_response(services.reader.removed(deleted), sort_keys=False)
