"""A small reverse proxy in front of the service: what lies below one path is handed on without it.

The host's own `/` answers too, as the service's does, because ocean.py asks there whether an address is a provider's.
"""

from __future__ import annotations

import http.client
import http.server
import threading
import urllib.parse
from typing import Any, Self

from tests.support.quiet_server import QuietServer

NOT_HANDED_ON = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}


class PathPrefix:
    """`with PathPrefix(service.url) as proxy: proxy.url` stands for the service's address; `paths` were asked for."""

    def __init__(self, target: str, prefix: str = "/ocean/provider") -> None:
        address = urllib.parse.urlsplit(target).netloc
        paths = self.paths = list[str]()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _hand_on(self) -> None:
                paths.append(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                rest = self.path.removeprefix(prefix)
                if not (self.path == "/" or self.path.startswith(prefix)):
                    self.send_error(404)
                    return
                upstream = http.client.HTTPConnection(address, timeout=240)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_HANDED_ON}
                upstream.request(self.command, rest or "/", body or None, headers)
                answer = upstream.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in NOT_HANDED_ON:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)
                upstream.close()

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = _hand_on

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}{prefix}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="path prefix", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
