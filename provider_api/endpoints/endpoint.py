"""A route together with its description: path and methods are said once, in the description.

    @endpoint(Operation("GET", "/api/services/nonce", …))
    async def nonce(request: Request, services: ServicesDep) -> Response: …

`endpoints/operations.py` lists all of them and gives them to the application.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import Response

from provider_api.openapi.operation import Operation

Route = Callable[..., Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`head`: whether the route of a GET also gets requests with the method HEAD; it may refuse them."""

    operation: Operation
    route: Route
    head: bool

    @property
    def methods(self) -> list[str]:
        return ["GET", "HEAD"] if self.head and self.operation.method == "GET" else [self.operation.method]


def endpoint(operation: Operation, *, head: bool = True) -> Callable[[Route], Endpoint]:
    """The function below becomes the route of this operation."""
    return lambda route: Endpoint(operation, route, head)
