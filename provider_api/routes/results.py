"""GET computeResult: one file of a job's results, for the job's owner."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ocean import signing
from provider_api.access.signature import require_fresh, require_signer, stale
from provider_api.errors import Refused
from provider_api.fields import Field, integer, required, text_value
from provider_api.jobs.records import find_workflow
from provider_api.jobs.results import Part, RangeUnsatisfiable, disposition, requested_part
from provider_api.routes.compute import NONCE, SIGNATURE
from provider_api.routes.request import CONSUMER, parameters_of, services_of
from provider_api.storage.nonces import NonceStale
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
    nonce = given.text("nonce")
    require_fresh(await services.nonces.find(owner.lower()), nonce)
    consumer = require_signer(given, lambda text: signing.result_message(owner, job_id, index, text))
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
    try:
        await services.nonces.consume(consumer, nonce)
    except NonceStale as exc:
        raise stale(exc) from None
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
