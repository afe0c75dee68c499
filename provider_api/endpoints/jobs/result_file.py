"""One file of a job's results as an answer: the whole, or the part that a Range header asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from contract.manifest import ResultFile
from provider_api.files.names import disposition
from provider_api.jobs.passports import PassportFile
from provider_api.jobs.results import Part, RangeUnsatisfiable, ResultStore, requested_part
from provider_api.openapi.operation import ANY, STRING, Answer, Parameter

FILE_ANSWERS: Final = {
    200: Answer(
        "The file.",
        ANY,
        media="*/*",
        headers={
            "Content-Disposition": "`attachment;filename=NAME`",
            "ETag": "SHA-256 of the file.",
            "Accept-Ranges": "`bytes`",
        },
    ),
    206: Answer("The part that was asked for.", ANY, media="*/*", headers={"Content-Range": "Which part it is."}),
    416: Answer("There is no such part.", headers={"Content-Range": "`bytes */SIZE`"}),
}
RANGE_HEADERS: Final = {
    "Range": Parameter("A part of the file, `bytes=0-1023`.", schema=STRING),
    "If-Range": Parameter("Only if the file has this ETag; else the whole.", schema=STRING),
}


async def answer_with(
    request: Request,
    store: ResultStore,
    file: ResultFile | PassportFile,
    before_sending: Callable[[], Awaitable[None]] | None = None,
) -> Response:
    """`before_sending` is awaited when the file is there and before its first byte. Raises Refused, NeighbourAway."""
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{file.sha256}"', "X-Content-Type-Options": "nosniff"}
    headers["Content-Disposition"] = disposition(file.filename)
    part = _part(request, file.filesize, headers)
    if part is None:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{file.filesize}"})
    stream = await store.stream(file, part)
    if before_sending is not None:
        await before_sending()
    whole = part == Part(0, file.filesize)
    headers["Content-Length"] = str(part.end - part.start)
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
