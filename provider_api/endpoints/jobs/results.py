"""GET computeResult: one file of a job's results, for the job's owner."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from contract import names
from ocean import signing
from provider_api.calls.fields import Field, canonical_number, position, required, text_value
from provider_api.calls.signature import Signed
from provider_api.endpoints.descriptions import (
    ARGO_FAILED,
    AUTH_TOKEN,
    CONSUMER_PARAMETER,
    NONCE_PARAMETER,
    away,
    signature,
    signed,
)
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.jobs.result_file import FILE_ANSWERS, RANGE_HEADERS, answer_with
from provider_api.endpoints.request import CONSUMER, NONCE, SIGNATURE, CallDep, ServicesDep
from provider_api.http.errors import Refused
from provider_api.jobs.records import find_existing
from provider_api.openapi import samples
from provider_api.openapi.operation import Failure, Operation, Parameter

FIELDS = (
    Field("jobId", (required, text_value), bail=True),
    Field("index", (required, position, canonical_number), bail=True),
    CONSUMER,
    NONCE,
    SIGNATURE,
)


@endpoint(
    Operation(
        "GET",
        "/api/services/computeResult",
        "computeResult",
        "Compute",
        "One file of a job's results",
        FILE_ANSWERS,
        {
            400: signed("jobId"),
            404: Failure(
                "Refusal",
                "No such job, none of this account, no results yet, or no such file.",
                {"index": {"error": "No such index 9 in this compute job"}},
            ),
            502: ARGO_FAILED,
            503: away("The result store does not answer at the moment."),
        },
        fields=FIELDS,
        parameters={
            "jobId": Parameter("The job.", samples.JOB),
            "index": Parameter("`index` of the result.", "0"),
            "consumerAddress": CONSUMER_PARAMETER,
            "nonce": NONCE_PARAMETER,
            "signature": signature("consumerAddress + jobId + index + nonce"),
        },
        request_headers={**RANGE_HEADERS, **AUTH_TOKEN},
    )
)
async def compute_result(request: Request, call: CallDep, services: ServicesDep) -> Response:
    owner, job_id, index = call.text("consumerAddress"), call.text("jobId"), call.text("index")
    caller = await services.callers.require(call, Signed(partial(signing.result_message, owner, job_id, index)))
    workflow = await find_existing(services.argo, job_id)
    if workflow is None:
        raise Refused(f"No results for job {job_id[:64]}", 404)
    if workflow.labels.get(names.OWNER) != caller.address:
        raise Refused(f"Owner {owner} mismatch for job {job_id}", 404)
    file = await services.results.file(workflow, int(index))

    async def use_up() -> None:
        await services.callers.use_up(caller)

    return await answer_with(request, services.results, file, use_up)
