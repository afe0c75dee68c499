"""nginx in front of the service as operators have it: below a path, buffering as it does by itself, and mortal."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Final, Self

from provider_api.deploy.addresses import free_port
from tests.support.browser import require_program

PREFIX: Final = "/ocean/provider"
_CONFIGURATION: Final = """
{user}
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location {prefix}/ {{
      proxy_pass {target}/;
      proxy_read_timeout 300s;
    }}
  }}
}}
"""


class Nginx:
    """`with Nginx(service.url, folder) as proxy`; `proxy.url` stands for the service's address."""

    def __init__(self, target: str, folder: Path) -> None:
        self._program, self._folder = require_program("nginx"), folder
        port = free_port()
        self.url = f"http://127.0.0.1:{port}{PREFIX}"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        user = "user root;" if os.geteuid() == 0 else ""
        written = _CONFIGURATION.format(user=user, folder=folder, port=port, prefix=PREFIX, target=target)
        (folder / "nginx.conf").write_text(written)

    def start(self) -> None:
        configuration = str(self._folder / "nginx.conf")
        self._process = subprocess.Popen(
            [self._program, "-p", str(self._folder), "-c", configuration], stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(self.url + "/", timeout=30).close()
            except OSError:
                assert self._process.poll() is None, (self._folder / "error.log").read_text()
                assert time.monotonic() < deadline, "nginx does not answer"
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """At once: all connections are cut."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
