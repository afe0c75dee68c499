"""GET computeResult: one file of a job's results, for the job's owner."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from contract import names
from ocean import signing
from provider_api.calls.fields import Field, canonical_number, position, required, text_value
from provider_api.endpoints.jobs.result_file import answer_with
from provider_api.endpoints.request import CONSUMER, NONCE, SIGNATURE, parameters_of, services_of
from provider_api.http.errors import Refused
from provider_api.jobs.records import find_existing

router = APIRouter()

FIELDS = (
    Field("jobId", (required, text_value), bail=True),
    Field("index", (required, position, canonical_number), bail=True),
    CONSUMER,
    NONCE,
    SIGNATURE,
)


@router.api_route("/api/services/computeResult", methods=["GET", "HEAD"])
async def compute_result(request: Request) -> Response:
    given = await parameters_of(request, FIELDS)
    services = services_of(request)
    owner, job_id, index = given.text("consumerAddress"), given.text("jobId"), given.text("index")
    caller = await services.callers.require(
        request, given, lambda nonce: signing.result_message(owner, job_id, index, nonce)
    )
    workflow = await find_existing(services.argo, job_id)
    if workflow is None:
        raise Refused(f"No results for job {job_id[:64]}", 404)
    if workflow.labels.get(names.OWNER) != caller.address:
        raise Refused(f"Owner {owner} mismatch for job {job_id}", 404)
    file = await services.results.file(workflow, int(index))

    async def use_up() -> None:
        await services.callers.use_up(caller)

    return await answer_with(request, services.results, file, use_up)
