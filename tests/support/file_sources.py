"""One HTTP server that stands for every kind of source a publisher may name: a web server, gateways, a GraphQL server.

GET  /files/NAME     the text given under that name; after a table (.csv) the query that came with the request
GET  /ipfs/HASH      "ipfs HASH"
GET  /arweave/TX     "arweave TX"
POST /graphql        the request's JSON, as the answer's data
"""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse
from collections.abc import Mapping
from typing import Any, Self

from tests.support.quiet_server import QuietServer

RAIN, WIND = "day,mm\n1,3\n2,0\n", "day,kmh\n1,20\n2,8\n"
ALGORITHM = """
import json, os, pathlib
inputs = pathlib.Path(os.environ["INPUTS"])
read = {str(p.relative_to(inputs)): p.read_text() for p in sorted(inputs.rglob("*")) if p.is_file()}
pathlib.Path(os.environ["OUTPUTS"], "read.json").write_text(json.dumps(read))
print("read", len(read), "files")
"""
SOURCES = {"rain.csv": RAIN, "wind.csv": WIND, "algorithm.py": ALGORITHM}


class FileSources:
    """`with FileSources({"a.txt": "text"}) as sources:`; `sources.address` must be allowed to the service."""

    def __init__(self, files: Mapping[str, str]) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                kind, _, name = path.removeprefix("/").partition("/")
                if kind == "files" and name in files:
                    table = name.endswith(".csv")
                    shown = urllib.parse.unquote(query) if table else ""
                    self._answer(200, "text/csv" if table else "text/plain", files[name] + shown)
                elif kind in ("ipfs", "arweave"):
                    self._answer(200, "text/plain", f"{kind} {name}")
                else:
                    self._answer(404, "text/plain", "")

            do_HEAD = do_GET

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
                self._answer(200, "application/json", json.dumps({"data": asked}))

            def _answer(self, status: int, kind: str, text: str) -> None:
                content = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.address}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="file sources", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
