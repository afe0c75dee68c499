"""The demo's data owner: a small HTTP server whose files can be found only by whoever knows their secret path."""

from __future__ import annotations

import http.server
import secrets
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class FileServer:
    """Serves given files on the loopback address, each under a path of its own that cannot be guessed."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        token = secrets.token_urlsafe(16)
        contents = {f"/{token}/{name}": path.read_bytes() for name, path in files.items()}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self, *, body: bool) -> None:
                content = contents.get(self.path.partition("?")[0])
                self.send_response(200 if content is not None else 404)
                self.send_header("Content-Type", "application/octet-stream")
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                if body and content:
                    self.wfile.write(content)

            def do_GET(self) -> None:
                self._answer(body=True)

            def do_HEAD(self) -> None:
                self._answer(body=False)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: a log would hold the secret paths."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.urls = {name: f"http://{self.address}/{token}/{name}" for name in files}

    def __enter__(self) -> FileServer:
        threading.Thread(target=self._server.serve_forever, name="file server", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
