"""`python -m benchmarks.sendfile_server FILE …`: a file server in its own process that costs next to nothing.

The kernel copies from the page cache to the socket. Prints its port, then serves each FILE under its name, with Range
and an entity tag, until it is ended. `?rate=BYTES` lets the kernel send no more than that in a second, as a link would;
`/requests` tells how many requests for files there were.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import socketserver
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs

ROOT = Path(__file__).resolve().parents[1]
_SO_MAX_PACING_RATE, _UNLIMITED = 47, 2**64 - 1  # Linux; bytes per second


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files: dict[str, Path] = {}  # noqa: RUF012  (set once, by main)

    requests = 0

    def do_GET(self) -> None:
        name, _, query = self.path.partition("?")
        if name == "/requests":
            self._tell(_Handler.requests)
            return
        path = self.files.get(name)
        if path is None:
            self.send_error(404)
            return
        _Handler.requests += 1
        rate = int(parse_qs(query).get("rate", ["0"])[0]) or _UNLIMITED
        self.connection.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, rate.to_bytes(8, sys.byteorder))
        size, start = path.stat().st_size, 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        if asked and int(asked[1]) < size:
            start = int(asked[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(size - start))
        self.send_header("ETag", f'"{path.stat().st_mtime_ns:x}-{size:x}"')
        self.end_headers()
        self.wfile.flush()
        with path.open("rb") as file, contextlib.suppress(ConnectionError):
            while start < size:
                start += os.sendfile(self.connection.fileno(), file.fileno(), start, size - start)

    def _tell(self, number: int) -> None:
        content = str(number).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextlib.contextmanager
def serving(*files: Path) -> Iterator[int]:
    """The server as a process; its port."""
    words = [sys.executable, "-m", "benchmarks.sendfile_server", *map(str, files)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def write_random(path: Path, size: int) -> None:
    """A file of so many whole MiB that no compression makes smaller, for a server to serve."""
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(block)


def main(paths: list[str]) -> None:
    _Handler.files = {f"/{Path(path).name}": Path(path) for path in paths}
    with _Server(("127.0.0.1", 0), _Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
