"""/api/v1/workflow-events: every change of a workflow, as records or as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from argo.local.errors import ApiError
from argo.local.rest import documents
from argo.local.rest.answers import JSON, refusal, server_of
from argo.local.rest.fields import Fields
from argo.local.rest.query import Query
from argo.local.workflows.controller import Change
from argo.local.workflows.rows import Row

_KEEP_ALIVE_SECONDS: Final = 15.0
_PREFIX: Final = "result.object."
_MAX_WAITING: Final = 10_000  # events of a caller that does not read; then its stream ends


async def watch(request: Request) -> Response:
    """Existing workflows come first as ADDED, unless a resourceVersion says from where on."""
    try:
        options = ("labelSelector", "fieldSelector", "resourceVersion")
        query = Query(request, ("fields", *(f"listOptions.{name}" for name in options)))
        server = server_of(request)
        labels, (names, _), fields = query.labels(), query.names(), query.fields()
        since = query.number("listOptions.resourceVersion")
    except ApiError as exc:
        return refusal(exc, stream=True)
    queue: asyncio.Queue[tuple[Change, dict[str, Any]] | None] = asyncio.Queue()
    content, namespace = server.store.content, server.settings.namespace

    def listen(change: Change, row: Row) -> None:
        wanted = all(item.matches(row.labels) for item in labels)
        if wanted and all((row.name in item.values) == (item.operator == "in") for item in names):
            if queue.qsize() >= _MAX_WAITING:
                server.controller.listeners.discard(listen)
                queue.put_nowait(None)
                return
            source = _nothing if change == "DELETED" else content
            try:
                document = documents.workflow(row, namespace, source, fields, _PREFIX)
            except Exception:
                queue.put_nowait(None)  # the caller would miss a change: its stream ends, and it watches anew
                raise
            queue.put_nowait((change, document))

    server.controller.listeners.add(listen)
    reader = server.store.reader()
    try:
        rows, _ = reader.select(labels, names, limit=0, offset=0, newer_than=since)
        for row in reversed(rows):
            listen("MODIFIED" if since else "ADDED", row)
    finally:
        reader.close()
    sse = request.headers.get("accept") == "text/event-stream"

    async def records() -> AsyncIterator[bytes]:
        try:
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), _KEEP_ALIVE_SECONDS if sse else None)
                except TimeoutError:
                    yield b":\n"
                    continue
                if event is None:
                    return
                yield _record(*event, fields, sse=sse)
        finally:
            server.controller.listeners.discard(listen)

    return StreamingResponse(records(), media_type="text/event-stream" if sse else JSON)


def _nothing(_: Row) -> tuple[dict[str, Any], dict[str, Any]]:
    return {}, {"name": "", "spec": {}}


def _record(change: Change, document: dict[str, Any], fields: Fields, *, sse: bool) -> bytes:
    text = json.dumps(fields.apply({"result": {"type": change, "object": document}}))
    return f"data: {text} \n\n\n".encode() if sse else f"{text}\n".encode()
