"""GET computeResult: one file of a job's results, for the job's owner."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ocean import signing
from provider_api.errors import Refused
from provider_api.fields import Field, integer, required, text_value
from provider_api.files.names import disposition
from provider_api.jobs.records import find_workflow
from provider_api.jobs.results import Part, RangeUnsatisfiable, requested_part
from provider_api.routes.request import CONSUMER, NONCE, SIGNATURE, parameters_of, services_of
from workflow_templates import names

router = APIRouter()

FIELDS = (
    Field("jobId", (required, text_value), bail=True),
    Field("index", (required, integer), bail=True),
    CONSUMER,
    NONCE,
    SIGNATURE,
)


@router.api_route("/api/services/computeResult", methods=["GET", "HEAD"])
async def compute_result(request: Request) -> Response:
    given = await parameters_of(request, FIELDS)
    services = services_of(request)
    owner, job_id, index = given.text("consumerAddress"), given.text("jobId"), given.text("index")
    consumer = await services.callers.require(
        request, given, lambda nonce: signing.result_message(owner, job_id, index, nonce)
    )
    workflow = await find_workflow(services.argo, job_id)
    if workflow is None:
        raise Refused(f"No results for job {job_id[:64]}", 404)
    if workflow.labels.get(names.OWNER) != consumer:
        raise Refused(f"Owner {owner} mismatch for job {job_id}", 404)
    file = await services.results.file(workflow, int(index))
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{file.sha256}"', "X-Content-Type-Options": "nosniff"}
    part = _part(request, file.filesize, headers)
    if part is None:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{file.filesize}"})
    stream = await services.results.stream(file, part)
    await services.callers.consume(consumer, given.text("nonce"))
    whole = part == Part(0, file.filesize)
    headers["Content-Length"] = str(part.end - part.start)
    headers["Content-Disposition"] = disposition(file.filename)
    if not whole:
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{file.filesize}"
    return StreamingResponse(stream, 200 if whole else 206, headers, media_type=file.content_type)


def _part(request: Request, size: int, headers: dict[str, str]) -> Part | None:
    """The part to send; None if the requested one does not exist. If-Range with another tag asks for the whole."""
    condition = request.headers.get("if-range")
    wanted = request.headers.get("range") if condition in (None, headers["ETag"]) else None
    try:
        return requested_part(wanted, size) or Part(0, size)
    except RangeUnsatisfiable:
        return None
