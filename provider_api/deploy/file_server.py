"""A small HTTP server on the loopback address, whose files can be found only by whoever knows their secret path.

The demo's data owner; and where a rehearsal's pods fetch what lies on this machine.
"""

from __future__ import annotations

import http.server
import os
import secrets
import shutil
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote


class FileServer:
    """Serves given files, each under a path of its own that cannot be guessed, as they are when they are asked for."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        token = secrets.token_urlsafe(16)
        found = {f"/{token}/{quote(name)}": path for name, path in files.items()}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self, *, body: bool) -> None:
                path = found.get(self.path.partition("?")[0])
                with ExitStack() as stack:
                    try:
                        file = None if path is None else stack.enter_context(path.open("rb"))
                    except OSError:
                        file = None
                    self.send_response(200 if file is not None else 404)
                    self.send_header("Content-Type", "application/octet-stream")
                    self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size if file else 0))
                    self.end_headers()
                    if body and file is not None:
                        shutil.copyfileobj(file, self.wfile)

            def do_GET(self) -> None:
                self._answer(body=True)

            def do_HEAD(self) -> None:
                self._answer(body=False)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: a log would hold the secret paths."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.urls = {name: f"http://{self.address}/{token}/{quote(name)}" for name in files}

    def __enter__(self) -> FileServer:
        threading.Thread(target=self._server.serve_forever, name="file server", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
