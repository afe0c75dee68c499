"""Answers with Argo's header, and the way from a request to what serves it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from argo.local.errors import ApiError
from argo.local.settings import LocalArgoSettings
from argo.local.spec.library import TemplateLibrary
from argo.local.workflows.controller import Controller
from argo.local.workflows.store import Store
from contract.argo_releases import NEWEST

VERSION: Final = f"{NEWEST.tried}+local"  # the version whose answers these are; "+local" tells it from a real one
HEADERS: Final = {"Grpc-Metadata-Argo-Version": VERSION}
JSON: Final = "application/json"


@dataclass(slots=True)
class Server:
    """What the routes use, opened by the application's lifespan."""

    settings: LocalArgoSettings
    store: Store
    library: TemplateLibrary
    controller: Controller


def server_of(request: Request) -> Server:
    server: Server = request.app.state.server
    namespace = request.path_params.get("namespace", server.settings.namespace)
    if namespace != server.settings.namespace:
        raise ApiError(403, f'this server manages the namespace "{server.settings.namespace}" only')
    return server


def answer(body: dict[str, Any] | bytes) -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(data, media_type=JSON, headers=HEADERS)


def refusal(error: ApiError, *, stream: bool = False) -> Response:
    body = error.stream_body() if stream else error.body()
    return Response(json.dumps(body).encode(), status_code=error.status, media_type=JSON)
