"""Sends the requests of a table and writes the answers down."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.answers.calls import Call, Table
from tests.support.answers.varying import constant, without_samples

LONGEST: Final = 3000  # characters of a body that are written down
# Headers that every answer has. Only what differs from this is written down.
ALWAYS: Final = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": (
        "Content-Disposition, Content-Range, ETag, Accept-Ranges, Retry-After, X-Log-Ended, X-Log-Next, X-Request-ID"
    ),
}
Answers = dict[str, dict[str, Any]]


@dataclass
class Book:
    """The answers of one noun, by the name of the request. `folder`: each service gets one of its own in it."""

    folder: Path
    answers: Answers = field(default_factory=dict)
    _folders: int = 0

    def new_folder(self) -> Path:
        self._folders += 1
        made = self.folder / str(self._folders)
        made.mkdir()
        return made


@dataclass
class Asker:
    """Asks one application. `named`: ids that are different each time, with what to call them."""

    book: Book
    app: ASGIApp
    every_answer: bool = True  # whether it has the headers that every answer of the public application has
    named: dict[str, str] = field(default_factory=dict)

    async def table(self, table: Table, prefix: str = "") -> None:
        for name, call in table.items():
            await self.ask(f"{prefix}{name}", call)

    async def ask(self, name: str, call: Call, job: str = "") -> httpx.Response:
        """Send one request and write its answer down. `job`: what to call the job that it starts."""
        if name in self.book.answers:
            raise KeyError(f"two requests have the name {name!r}")
        query = call.query if isinstance(call.query, str) else urlencode(dict(call.query))
        transport = httpx.ASGITransport(_with_query(self.app, query))
        async with httpx.AsyncClient(transport=transport, trust_env=False) as http:
            url = f"http://provider{call.path}"
            request = httpx.Request(call.method, url, headers=dict(call.headers), content=call.body)
            answer = await http.send(request)
        if job:
            self.named[answer.json()[0]["jobId"]] = job
        self.book.answers[name] = {"asked": call.line[:200], **self._written(answer, compared=call.compared)}
        return answer

    def _written(self, answer: httpx.Response, *, compared: bool) -> dict[str, Any]:
        headers = dict(answer.headers)
        if self.every_answer:
            assert len(headers.pop("x-request-id")) == 16
            headers = {**{name: "is missing" for name in ALWAYS if name not in headers}, **headers}
        for name, value in ALWAYS.items():
            if headers.get(name) == value:
                del headers[name]
        if not compared or headers.get("content-length") == str(len(answer.content)):
            headers.pop("content-length", None)
        text = constant(answer.content.decode("utf-8", "backslashreplace"), self.named)
        if len(headers.get("retry-after", "")) > 2:
            headers["retry-after"] = "<later>"
        if "version=0.0.4" in headers.get("content-type", ""):
            text = without_samples(text)
        shown: dict[str, Any] = {"body": text}
        if not compared:
            shown = {}
        elif len(text) > LONGEST:
            encoded = text.encode()
            shown = {"bytes": len(encoded), "sha256": hashlib.sha256(encoded).hexdigest()}
        listed = {name: constant(headers[name], self.named) for name in sorted(headers)}
        return {"status": answer.status_code, "headers": listed, **shown}


def _with_query(app: ASGIApp, query: str) -> ASGIApp:
    """The application, which gets the query to the letter: httpx would spell it otherwise, and bounds its length."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "query_string": query.encode()}, receive, send)

    return asked
