"""The embedded Argo server in a thread, for tests that are about it or its client."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from argo.local.app import create_app
from argo.local.pods.runtime import PodRuntime
from argo.local.settings import LocalArgoSettings


@contextmanager
def served(settings: LocalArgoSettings, runtime: PodRuntime | None = None) -> Iterator[str]:
    """Its address, when it answers. `runtime`: instead of sandboxes."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            create_app(settings, runtime), log_level="warning", access_log=False, timeout_graceful_shutdown=1
        )
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 60
        while not running.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        running.should_exit = True
        thread.join(60)
