"""/api/v1/workflows: create, list, get, delete, stop, terminate, resume."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from argo.local.errors import invalid
from argo.local.rest import documents
from argo.local.rest.answers import Server, answer, server_of
from argo.local.rest.fields import Fields, restore_workflow
from argo.local.rest.query import IGNORED, Query
from argo.local.spec.submission import read_submission
from argo.local.workflows.rows import Row

_LIST = ("fields", "nameFilter", *(f"listOptions.{name}" for name in ("labelSelector", "fieldSelector", "limit")))
_MAX_BODY_BYTES = 3 * 1024 * 1024


async def create(request: Request) -> Response:
    Query(request, ())
    server = server_of(request)
    body = await _body(request)
    for key in body:
        if key not in ("workflow", "serverDryRun", "createOptions", "namespace", "instanceID"):
            raise invalid(f'unknown field "{key}"')
    options = body.get("createOptions") or {}
    if not isinstance(options, dict) or set(options) - {"dryRun"}:
        raise invalid("only createOptions.dryRun is supported by this server")
    dry_run = bool(body.get("serverDryRun")) or "All" in (options.get("dryRun") or [])
    submission = read_submission(body.get("workflow"), server.settings.namespace)
    row = await server.controller.create(submission, dry_run=dry_run)
    return answer(
        _document(row, lambda _: (dict(submission.spec["arguments"]), {}), Fields(""), server.settings.namespace)
    )


async def list_workflows(request: Request) -> Response:
    server = server_of(request)
    query = Query(request, (*_LIST, "listOptions.continue"))
    labels, (names, remaining), fields = query.labels(), query.names(), query.fields()
    if query.text("nameFilter") not in ("", "Exact"):
        raise invalid("only nameFilter=Exact is supported by this server")
    offset, limit = query.number("listOptions.continue"), query.number("listOptions.limit")

    def work() -> bytes:
        reader = server.store.reader()
        try:
            rows, left = reader.select(labels, names, limit=limit, offset=offset)
            namespace = server.settings.namespace
            items = [documents.workflow(row, namespace, reader.content, fields, "items.") for row in rows]
        finally:
            reader.close()
        metadata: dict[str, Any] = {"resourceVersion": str(server.store.version)}
        if left:
            metadata["continue"] = str(offset + len(rows))
            if remaining:
                metadata["remainingItemCount"] = left
        found = fields.apply({"metadata": metadata, "items": items})
        shown = [restore_workflow(item) for item in found.get("items") or []]
        return json.dumps({"metadata": found.get("metadata", {}), "items": shown or None}).encode()

    return answer(await asyncio.to_thread(work))


async def get(request: Request) -> Response:
    server = server_of(request)
    query = Query(request, ("fields", "uid", "getOptions.resourceVersion"))
    row = server.controller.current(request.path_params["name"])
    if query.text("uid") not in ("", row.uid):
        raise invalid("there is no archive to look for another uid in")
    return answer(_document(row, server.store.content, query.fields(), server.settings.namespace))


async def delete(request: Request) -> Response:
    Query(request, IGNORED)
    await server_of(request).controller.delete(request.path_params["name"])
    return answer({})


async def stop(request: Request) -> Response:
    return await _act(request, lambda server, name: server.controller.shut_down(name, "Stop"))


async def terminate(request: Request) -> Response:
    return await _act(request, lambda server, name: server.controller.shut_down(name, "Terminate"))


async def resume(request: Request) -> Response:
    return await _act(request, lambda server, name: server.controller.resume(name))


async def _act(request: Request, act: Callable[[Server, str], Row]) -> Response:
    Query(request, ())
    server = server_of(request)
    for key, value in (await _body(request)).items():
        if key not in ("name", "namespace") and value not in (None, ""):
            raise invalid(f"{key} is not supported by this server")
    row = act(server, request.path_params["name"])
    return answer(_document(row, server.store.content, Fields(""), server.settings.namespace))


def _document(row: Row, content: documents.Content, fields: Fields, namespace: str) -> dict[str, Any]:
    found = fields.apply(documents.workflow(row, namespace, content, fields))
    return restore_workflow(found)


async def _body(request: Request) -> dict[str, Any]:
    data = await request.body()
    if len(data) > _MAX_BODY_BYTES:
        raise invalid(f"the request is larger than {_MAX_BODY_BYTES} bytes")
    try:
        body = json.loads(data or b"{}")
    except ValueError as exc:
        raise invalid(f"the body is not JSON: {exc}") from exc
    if not isinstance(body, dict):
        raise invalid("the body is not a JSON object")
    return body
