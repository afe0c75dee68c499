"""The last net around the routes: whatever rises out of them becomes an answer without a stack trace.

A neighbour's fault is 503 with Retry-After, or 502; anything else is ours, 500, and its text stays in the log. A
provider on the Operator-Service API would repeat by itself after 502 to 504: it gets 500.
"""

from __future__ import annotations

import traceback

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from argo.client.errors import ArgoError, ArgoUnavailable
from ocean.chain.errors import ChainUnavailable
from ocean.chain.order_wait import OrderPending
from provider_api.http import paths
from provider_api.http.errors import ApiError, NeighbourAway, NeighbourFailed, Refused, render
from provider_api.storage.database import StorageUnavailable

log = structlog.get_logger(__name__)


class CatchAll:
    def __init__(self, app: ASGIApp, retry_after_seconds: int) -> None:
        self._app = app
        self._retry_after_seconds = retry_after_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noticed(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noticed)
        except Exception as exc:
            if started or scope["type"] != "http":
                log.warning("answer_broken_off", path=scope.get("path"), error=type(exc).__name__)
                raise
            answer = render(told(exc, scope, self._retry_after_seconds))
            if answer.status_code > 500 and scope["path"].startswith(paths.OPERATOR):
                answer = render(Refused("A neighbour of the service does not answer at the moment.", 500))
            await answer(scope, receive, send)


def told(exc: Exception, scope: Scope, retry_after_seconds: int) -> ApiError:
    """What a client is told of whatever rises out of a route. What nobody foresaw is logged: its text may hold
    anything, so it stays there."""
    retry = retry_after_seconds
    if isinstance(exc, ApiError):
        return exc
    if isinstance(exc, OrderPending):
        return NeighbourAway("The order's transaction is not confirmed yet. Repeat the same request.", retry)
    if isinstance(exc, ChainUnavailable):
        log.warning("chain_unavailable", chain_id=exc.chain_id, reason=exc.reason)
        return NeighbourAway("The blockchain node does not answer at the moment.", retry)
    if isinstance(exc, StorageUnavailable):
        log.warning("storage_unavailable", reason=exc.reason)
        return NeighbourAway("The service's database does not answer at the moment.", retry)
    if isinstance(exc, ArgoUnavailable):
        log.warning("argo_unavailable", reason=exc.reason)
        return NeighbourAway("The compute service does not answer at the moment.", retry)
    if isinstance(exc, ArgoError):
        log.warning("argo_refused", error=type(exc).__name__, detail=str(exc))
        return NeighbourFailed("The compute service refused a request of ours.")
    log.error(
        "request_failed",
        path=scope["path"],
        method=scope["method"],
        error=type(exc).__name__,
        frames=_frames(exc),  # no message: it may repeat what a consumer sent
    )
    return ApiError("Internal error.")


def _frames(exc: BaseException) -> list[str]:
    """Where it happened, innermost last."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(exc.__traceback__)[-8:]]
