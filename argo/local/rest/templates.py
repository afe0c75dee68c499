"""/api/v1/workflow-templates (read only), /version, /info, /userinfo, and an archive that does not exist."""

from __future__ import annotations

import platform
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from argo.local.errors import ApiError
from argo.local.rest import documents
from argo.local.rest.answers import VERSION, answer, server_of
from argo.local.rest.fields import restore_template
from argo.local.rest.query import Query


async def list_templates(request: Request) -> Response:
    server = server_of(request)
    known = ("fields", "namePattern", "listOptions.labelSelector", "listOptions.limit", "listOptions.continue")
    query = Query(request, known)
    server.library.refresh()
    labels, pattern = query.labels(), query.text("namePattern")
    images = server.controller.runtime.image_names()
    found = [
        documents.template(stored, images)
        for stored in server.library.templates()
        if pattern in stored.name
        and all(item.matches(stored.document["metadata"].get("labels", {})) for item in labels)
    ]
    offset, limit = query.number("listOptions.continue"), query.number("listOptions.limit")
    page = found[offset : offset + limit] if limit else found[offset:]
    metadata: dict[str, Any] = {"resourceVersion": str(server.store.version)}
    if offset + len(page) < len(found):
        metadata["continue"] = str(offset + len(page))
    shown = query.fields().apply({"metadata": metadata, "items": page})
    items = [restore_template(item) for item in shown.get("items") or []]
    return answer({"metadata": shown.get("metadata", {}), "items": items or None})


async def get_template(request: Request) -> Response:
    server = server_of(request)
    query = Query(request, ("fields", "getOptions.resourceVersion"))
    server.library.refresh()
    found = documents.template(server.library.get(request.path_params["name"]), server.controller.runtime.image_names())
    return answer(restore_template(query.fields().apply(found)))


async def version(request: Request) -> Response:
    Query(request, ())
    return answer(
        {
            "version": VERSION,
            "buildDate": "2026-08-21T00:00:00Z",
            "gitCommit": "",
            "gitTag": VERSION.partition("+")[0],
            "gitTreeState": "clean",
            "goVersion": "",
            "compiler": "",
            "platform": f"{platform.system().lower()}/{platform.machine()}",
        }
    )


async def info(request: Request) -> Response:
    Query(request, ())
    return answer({"managedNamespace": server_of(request).settings.namespace, "modals": {}})


async def user_info(request: Request) -> Response:
    Query(request, ())
    return answer({"subject": "local"})


async def list_archived(request: Request) -> Response:
    """As a server without an archive answers."""
    options = ("labelSelector", "fieldSelector", "limit", "continue")
    Query(request, ("fields", "namePrefix", "namespace", *(f"listOptions.{name}" for name in options)))
    return answer({"metadata": {}, "items": None})


async def no_archived(request: Request) -> Response:
    Query(request, ("namespace", "name"))
    raise ApiError(404, "not found")
