"""What every request passes on its way in and out, as plain ASGI.

* Extra slashes at the start of a path are dropped; doubled ones further inside are redirected (308) to the clean path.
* Any origin may call (CORS), preflights are answered here. Browsers may read Content-Disposition.
* A body above the limit is refused with 413 without reading it to the end; too much in front of it with 414 or 431.
* Each request has an id, in the log and in the answer's X-Request-ID.
"""

from __future__ import annotations

import re
import secrets
import time
from urllib.parse import quote

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from provider_api.http.errors import NotOffered, render
from provider_api.telemetry.metrics import Metrics
from provider_api.telemetry.tracing import Attributes, Tracer

log = structlog.get_logger(__name__)

_KNOWN_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_METHODS = ", ".join(_KNOWN_METHODS)
MAX_HEAD_BYTES = 64 * 1024  # of a request's address and headers: consumer parameters travel in addresses
_EXPOSED = "Content-Disposition, Content-Range, ETag, Accept-Ranges, Retry-After, X-Log-Ended, X-Log-Next, X-Request-ID"


class Transport:
    def __init__(
        self, app: ASGIApp, max_body_bytes: int, metrics: Metrics, tracer: Tracer, *, log_requests: bool = False
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._metrics, self._tracer, self._log_requests = metrics, tracer, log_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = secrets.token_hex(8)
        sender = _Sender(send, headers, request_id)
        began = time.perf_counter()
        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            self._tracer.span("request", parent=headers) as span,
        ):
            try:
                early = _too_large(scope) or self._early_answer(scope, headers)
                if early is not None:
                    await early(scope, receive, sender)
                    return
                await self._app(scope, _Limited(receive, headers, self._max_body_bytes), sender)
            finally:
                self._note(scope, sender, time.perf_counter() - began, span)

    def _note(self, scope: Scope, sender: _Sender, seconds: float, span: Attributes) -> None:
        """Count the request, and write its line. A route is named by its pattern: paths are without number."""
        method = scope["method"] if scope["method"] in _KNOWN_METHODS else "other"
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.request(method, route, sender.status, seconds, sender.size)
        job = structlog.contextvars.get_contextvars().get("job_id", "")
        span |= {"name": f"{method} {route}", "http.response.status_code": sender.status, "c2d.job_id": job}
        if self._log_requests:
            log.info(
                "request",
                method=method,
                route=route,
                status=sender.status,
                seconds=round(seconds, 4),
                bytes=sender.size,
            )

    def _early_answer(self, scope: Scope, headers: Headers) -> Response | None:
        path = "/" + scope["path"].lstrip("/")
        if path != scope["path"]:
            scope["path"], scope["raw_path"] = path, quote(path).encode()
        if scope["method"] == "OPTIONS":
            return Response(
                headers={
                    "Access-Control-Allow-Methods": _METHODS,
                    "Access-Control-Allow-Headers": headers.get("access-control-request-headers", "AuthToken"),
                    "Access-Control-Max-Age": "600",
                }
            )
        if "//" in path:
            query = scope["query_string"].decode("latin-1")
            clean = quote(re.sub("/{2,}", "/", path))
            return Response(status_code=308, headers={"Location": f"{clean}?{query}" if query else clean})
        return None


def _too_large(scope: Scope) -> Response | None:
    """A refusal of a head that is too large, and of its address if that is."""
    address = len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"])
    if address > MAX_HEAD_BYTES:
        return render(NotOffered(414))
    if address + sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD_BYTES:
        return render(NotOffered(431))
    return None


class _Limited:
    """Receives the body, as far as it is allowed."""

    def __init__(self, receive: Receive, headers: Headers, limit: int) -> None:
        self._receive, self._limit, self._seen = receive, limit, 0
        length = headers.get("content-length", "")
        digits = length.lstrip("0")
        self._too_long = digits.isascii() and digits.isdigit() and (len(digits) > 18 or int(digits) > limit)

    async def __call__(self) -> Message:
        if self._too_long:
            raise NotOffered(413)
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self._limit:
            raise NotOffered(413)
        return message


class _Sender:
    """Sends the answer with the headers that every answer has."""

    def __init__(self, send: Send, request: Headers, request_id: str) -> None:
        self._send, self._origin, self._request_id = send, request.get("origin"), request_id
        self.status, self.size = 0, 0  # 0: nothing was answered

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
        elif message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["Access-Control-Allow-Origin"] = self._origin or "*"
            headers["Access-Control-Expose-Headers"] = _EXPOSED
            headers["X-Request-ID"] = self._request_id
            if self._origin:
                headers.add_vary_header("Origin")
        await self._send(message)
