"""The shelf: files of publishers who use `c2d publish` on the machine of a development service.

Each lies in a folder whose name cannot be guessed, and is served below it to whoever knows the address: the service,
out of encrypted lists of files. Nothing is listed, and nothing is logged, for a log would hold the secret paths. The
port stands in published documents, so the folder remembers it.
"""

from __future__ import annotations

import http.server
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from provider_api.deploy.addresses import free_port, noted_port, port_is_free

SHELF_PORT: Final = 8032
_HOST: Final = "127.0.0.1"


class Shelf:
    """`with Shelf(folder) as shelf:`. `address`: host:port. `moved`: whether it had to leave the port of before, so
    that what was published then cannot be fetched any more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        note = folder / ".port"
        known = noted_port(note)
        wanted = known or SHELF_PORT
        port = wanted if port_is_free(_HOST, wanted) else free_port(_HOST)
        self.moved = known is not None and port != known
        note.write_text(f"{port}\n")
        self._server = _Server((_HOST, port), partial(_Handler, directory=str(folder)))
        self.address = f"{_HOST}:{port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="shelf", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever fetches a file may close the connection when it likes; that is nothing to tell."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Files at /FOLDER/NAME, and nothing else: no lists, no files beside the folders, no links that lead out."""

    protocol_version = "HTTP/1.1"

    def send_head(self) -> Any:
        path = Path(self.translate_path(self.path))
        root = Path(self.directory)
        inside = path.parent.parent == root and not path.name.startswith(".") and path.is_file()
        if not inside or path.is_symlink() or path.parent.is_symlink():
            self.send_error(404)
            return None
        return super().send_head()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: see above."""
