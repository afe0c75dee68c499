"""A source of very large files that costs next to nothing: one block, sent by the kernel again and again.

`/whole` with its length, `/chunked` in chunks, and each also broken: `/whole-broken`, `/chunked-broken` close the
connection half-way. The length of a block is odd, so that a misplaced piece is noticed.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

from tests.support.quiet_server import QuietServer

BLOCK = random.Random(2).randbytes(1_000_003)  # noqa: S311
BLOCKS = 2148
SIZE = len(BLOCK) * BLOCKS  # 2 GiB and a little


@dataclass
class LargeSource:
    """`with LargeSource() as source:`; `source.address` ("host:port") must be allowed to the service."""

    requests: Counter[str] = field(default_factory=Counter)  # by path
    sent: int = 0  # bytes, by all answers together
    ended: int = 0  # answers that are over, however they ended

    def __post_init__(self) -> None:
        source, block, lock = self, os.memfd_create("block"), threading.Lock()
        os.write(block, BLOCK)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                source.requests[self.path] += 1
                kind, _, broken = self.path.removeprefix("/").partition("-")
                self.close_connection = True
                self.send_response(200)
                self.send_header(
                    *(("Content-Length", str(SIZE)) if kind == "whole" else ("Transfer-Encoding", "chunked"))
                )
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    self._send(BLOCKS // 2 if broken else BLOCKS, chunked=kind == "chunked", broken=bool(broken))
                with lock:
                    source.ended += 1

            def _send(self, blocks: int, *, chunked: bool, broken: bool) -> None:
                for _ in range(blocks):
                    if chunked:
                        self.wfile.write(b"%x\r\n" % len(BLOCK))
                    position = 0
                    while position < len(BLOCK):
                        count = os.sendfile(self.connection.fileno(), block, position, len(BLOCK) - position)
                        position += count
                        source.sent += count
                    if chunked:
                        self.wfile.write(b"\r\n")
                if chunked and not broken:
                    self.wfile.write(b"0\r\n\r\n")

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self._block = block
        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def url(self, path: str) -> str:
        return f"http://{self.address}{path}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="large source", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        os.close(self._block)
