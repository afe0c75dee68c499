"""A threading HTTP server that takes it easy when a client closes a connection without reading to the end."""

from __future__ import annotations

import http.server
import sys
from typing import Any


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
