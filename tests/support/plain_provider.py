"""A provider as Ocean's own is, version 2.1.6: this project's service without all that only it has.

A proxy: paths of ours are not there, and neither are fields, results and headers that Ocean Provider does not send.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

from tests.support.quiet_server import QuietServer

_NOT_THERE: Final = ("/api/v1/", "/api/aquarius/", "/subgraphs/")
_OURS_OF_JOBS: Final = (
    "reason",
    "detail",
    "queuePosition",
    "exitCode",
    "startedAt",
    "validUntil",
    "held",
    "resultsNext",
    "environment",
    "chainId",
)
_OURS_OF_ENVIRONMENTS: Final = ("release", "maxResultsGB", "scratchRoot", "maxJobsPerAccount", "filtered")
_HEADERS: Final = ("content-type", "content-disposition")

Spoil = Callable[[str, bytes], bytes | None]


class PlainProvider:
    """`with PlainProvider(url) as plain:`; `plain.url`. `hides`: what is ours; else all goes through. `spoil`: what a
    test makes of the body of a path, None for leaving it; it may be set at any time."""

    def __init__(self, behind: str, *, hides: bool = True) -> None:
        self.hides = hides
        self.spoil: Spoil = lambda path, body: None
        handler = type("Handler", (_Handler,), {"provider": self, "behind": behind})
        self._server = QuietServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    provider: PlainProvider
    behind: str

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.provider.hides and path.startswith(_NOT_THERE):
            self._send(404, {"content-type": "application/json"}, b'{"error": "Not Found"}')
            return
        sent = {name: value for name, value in self.headers.items() if name.lower() in ("content-type", "authtoken")}
        answer = httpx.request(self.command, self.behind + self.path, content=content, headers=sent, timeout=60)
        body = answer.content
        if self.provider.hides and answer.is_success:
            body = self._without_ours(body)
        spoiled = self.provider.spoil(path, body)
        headers = {name: answer.headers[name] for name in _HEADERS if name in answer.headers}
        self._send(answer.status_code, headers, body if spoiled is None else spoiled)

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _without_ours(self, body: bytes) -> bytes:
        try:
            document = json.loads(body)
        except ValueError:
            return body
        return json.dumps(_plain(document)).encode()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def _plain(document: Any) -> Any:
    """A list of jobs, or environments by chain, without fields of ours; anything else as it is."""
    if isinstance(document, dict):
        if "jobId" in document:
            kept = {name: value for name, value in document.items() if name not in _OURS_OF_JOBS}
            if isinstance(kept.get("results"), list):
                kept["results"] = [entry for entry in kept["results"] if entry.get("type") != "passport"]
            return kept
        return {name: _plain(value) for name, value in document.items() if name not in _OURS_OF_ENVIRONMENTS}
    return [_plain(each) for each in document] if isinstance(document, list) else document
