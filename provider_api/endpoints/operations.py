"""Every endpoint, in the order in which the description shows them. The route of each stands below its description."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI

from provider_api.endpoints import files, jobs, metadata_store, operator, releases, service, subgraph
from provider_api.endpoints.endpoint import Endpoint
from provider_api.openapi.operation import Operation

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *service.ENDPOINTS,
    *files.ENDPOINTS,
    *jobs.ENDPOINTS,
    *releases.ENDPOINTS,
    *metadata_store.ENDPOINTS,
    *subgraph.ENDPOINTS,
    *operator.ENDPOINTS,
)
OPERATIONS: Final[tuple[Operation, ...]] = tuple(each.operation for each in ENDPOINTS)


def add_routes(app: FastAPI) -> None:
    """All on the application's own router: a router that includes others asks each of them, for every request."""
    app.state.operations = {each.route: each.operation for each in ENDPOINTS}
    for each in ENDPOINTS:
        app.add_api_route(each.operation.path, each.route, methods=each.methods)
