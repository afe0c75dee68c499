"""The middleware in front of the routes: requests that nobody has signed are worked on as far as the budget goes.

The body is read before a place is taken, and the place given back with the head of the answer, so that a slow client
holds none. A refusal takes a moment: whoever asks in a loop gets no faster answers by it. Calls that are signed pass;
those that are refused are charged afterwards, because anybody has a key.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pods.publication import PUBLISHED_PATH
from provider_api.http import paths
from provider_api.http.clients import client_name
from provider_api.http.errors import NotOffered, TooMuchAsked
from provider_api.strangers.asking import Asker, asked_by, signed_by
from provider_api.strangers.budget import Budget

log = structlog.get_logger(__name__)

_LIVE: Final = re.compile(r"/api/v1/jobs/[^/]+/(events|log)")  # signed too; their answers may have no end
_COMPUTE: Final = "/api/services/compute"
_SIGNED: Final = {
    ("GET", "/api/services/download"),
    ("GET", "/api/services/computeResult"),
    ("GET", "/api/services/createAuthToken"),
    ("DELETE", "/api/services/deleteAuthToken"),
    ("POST", "/api/services/decrypt"),
    ("GET", "/api/v1/salts"),
    ("POST", _COMPUTE),
    ("PUT", _COMPUTE),
    ("DELETE", _COMPUTE),
}
_DEAR: Final = {  # they ask chains, files or other providers, or compute a lot
    "/api/services/fileinfo",
    "/api/services/initialize",
    "/api/services/initializeCompute",
    "/api/services/validateContainer",
    "/api/v1/why-not",
    "/api/v1/releases",
    "/api/aquarius/assets/ddo/validate",
    "/api/aquarius/assets/names",
    "/sign-in",
    "/data/",
}
_OPEN: Final = ("/health/", PUBLISHED_PATH + "/", paths.OPERATOR)  # ours, or with a permission of their own
_DEAR_UNITS, _REFUSED_UNITS = 10, 5
_PAUSE_SECONDS: Final = 1.0
_MOST_PAUSING: Final = 512


class StrangersGate:
    def __init__(self, app: ASGIApp, budget: Budget, *, proxies: bool) -> None:
        """`proxies`: some are trusted, so a client's address is its own."""
        self._app, self._budget, self._proxies = app, budget, proxies
        self._pausing = 0
        self._remarked = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_OPEN):
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        name = client_name(client[0]) if client else ""
        self._remark_proxy(scope)
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        live = scope["method"] == "GET" and _LIVE.fullmatch(scope["path"]) is not None
        if live or (method, scope["path"]) in _SIGNED:
            await self._signed(name, scope, receive, send, endless=live)
            return
        try:
            self._budget.require_units(name)
            await self._question(name, scope, receive, send)
        except TooMuchAsked:
            await self._pause()
            raise

    async def _signed(self, name: str, scope: Scope, receive: Receive, send: Send, *, endless: bool) -> None:
        """A consumer's, who passes; or a stranger's, with a key that has paid for nothing. What comes from an address
        that has used up its budget is worked on a few at a time, and a refusal takes a moment. `endless`: its place is
        given back with the head of the answer."""
        doubtful = not self._budget.has_units(name)
        place = _Place(self._budget, name)

        async def noticed(message: Message) -> None:
            if message["type"] == "http.response.start" and 400 <= message["status"] < 404:
                self._budget.spend_units(name, _REFUSED_UNITS)
                if doubtful:
                    await self._pause()
            if endless:
                place.leave()
            await send(message)

        with signed_by(Asker(self._budget, name)):
            if not doubtful:
                await self._app(scope, receive, noticed)
                return
            await place.take()
            try:
                await self._app(scope, receive, noticed)
            finally:
                place.leave()

    async def _question(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        self._budget.spend_units(name, _DEAR_UNITS if scope["path"] in _DEAR else 1)
        held = _HeldBody(self._budget, name)
        place = _Place(self._budget, name)

        async def noticed(message: Message) -> None:
            if message["type"] == "http.response.start":
                place.leave()
            await send(message)

        try:
            await held.read(receive)
            await place.take()
            with asked_by(Asker(self._budget, name)):
                await self._app(scope, held.receive, noticed)
        finally:
            place.leave()
            held.drop()

    async def _pause(self) -> None:
        """Before a refusal; only so many wait, the others are refused at once."""
        if self._pausing >= _MOST_PAUSING:
            return
        self._pausing += 1
        try:
            await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            self._pausing -= 1

    def _remark_proxy(self, scope: Scope) -> None:
        """Once: a proxy in front that is not trusted makes all clients one."""
        if not self._remarked and not self._proxies:
            for name, _ in scope["headers"]:
                if name == b"x-forwarded-for":
                    self._remarked = True
                    log.warning("forwarded_address_ignored", setting="C2D_SERVER__TRUSTED_PROXIES")


class _Place:
    """One of the places at which requests of an address are worked on; it is given back once."""

    def __init__(self, budget: Budget, name: str) -> None:
        self._budget, self._name = budget, name
        self._taken = False

    async def take(self) -> None:
        """Raises TooMuchAsked."""
        await self._budget.enter(self._name)
        self._taken = True

    def leave(self) -> None:
        if self._taken:
            self._taken = False
            self._budget.places.leave(self._name)


class _HeldBody:
    """A body that has been read, for the application to read again. One that is too large is refused when the
    application reads it: who needs no body does not."""

    def __init__(self, budget: Budget, name: str) -> None:
        self._budget, self._name = budget, name
        self._messages: list[Message] = []
        self._held = 0
        self._receive: Receive | None = None
        self._refusal: NotOffered | None = None

    async def read(self, receive: Receive) -> None:
        """Raises TooMuchAsked."""
        self._receive = receive
        while True:
            try:
                message = await receive()
            except NotOffered as exc:
                self._refusal = exc
                return
            self._messages.append(message)
            if message["type"] != "http.request":
                return
            size = len(message.get("body", b""))
            self._budget.hold_body(self._name, size)
            self._held += size
            if not message.get("more_body"):
                return

    async def receive(self) -> Message:
        if self._messages:
            return self._messages.pop(0)
        if self._refusal is not None:
            raise self._refusal
        if self._receive is None:
            raise RuntimeError("the body is read first")
        return await self._receive()

    def drop(self) -> None:
        self._budget.drop_body(self._name, self._held)
