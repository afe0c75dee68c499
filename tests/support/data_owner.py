"""A data owner's HTTP server that does as a test says: holds answers back, breaks off, changes files, keeps a record.

It runs in threads of its own, so that it answers whatever loop the test is on. Each file lies under a secret path.
"""

from __future__ import annotations

import http.server
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any, Self

from tests.support.quiet_server import QuietServer

HOLD_SECONDS = 600.0
BREAK_OFF = 0  # as a status: close the connection without an answer


@dataclass
class Served:
    """One file. Requests wait at `gate` (open at first); `content` and `status` are read when they pass it."""

    url: str
    content: bytes
    status: int = 200
    gate: threading.Event = field(default_factory=threading.Event)
    headers: list[dict[str, str]] = field(default_factory=list)  # of each request so far, lower-case names

    @property
    def requests(self) -> int:
        return len(self.headers)

    def hold(self) -> None:
        self.gate.clear()

    def release(self) -> None:
        self.gate.set()


class DataOwner:
    """`with DataOwner() as owner:`; `owner.address` ("host:port") must be allowed to the service."""

    def __init__(self) -> None:
        files = self._files = dict[str, Served]()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                served = files.get(self.path.partition("?")[0])
                if served is None:
                    self._answer(404, b"")
                    return
                served.headers.append({name.lower(): value for name, value in self.headers.items()})
                served.gate.wait(HOLD_SECONDS)
                if served.status == BREAK_OFF:
                    self.close_connection = True
                    return
                self._answer(served.status, served.content)

            def _answer(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/octet-stream")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:  # the client was killed
                    self.close_connection = True

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def serve(self, content: bytes | str, *, token: str | None = None, name: str = "data.csv") -> Served:
        """A new file, under a path with `token` in it."""
        path = f"/{token or secrets.token_urlsafe(16)}/{name}"
        data = content.encode() if isinstance(content, str) else content
        served = self._files[path] = Served(f"http://{self.address}{path}", data)
        served.release()
        return served

    @property
    def requests(self) -> int:
        """Of all files together."""
        return sum(served.requests for served in self._files.values())

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="data owner", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for served in self._files.values():
            served.release()
        self._server.shutdown()
        self._server.server_close()
