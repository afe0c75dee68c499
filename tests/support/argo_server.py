"""Starts the single-machine Argo server as a process of its own, and speaks to it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml

from provider_api.deploy.addresses import free_port
from tests.support.sandboxes import require_sandboxes

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT / "tests" / "recordings"


def queued_template() -> dict[str, Any]:
    """`rec-queued`: the recorded `rec-plain` with a turn before it, as our environments have one. Not recorded."""
    document: dict[str, Any] = yaml.safe_load((RECORDINGS / "templates" / "rec-plain.yaml").read_text())
    document["metadata"] = {"name": "rec-queued", "namespace": "jobs"}
    compute = {"name": "compute", "template": "compute", "depends": "turn.Succeeded"}
    tasks = [{"name": "turn", "template": "turn"}, compute]
    document["spec"]["templates"] += [{"name": "turn", "suspend": {}}, {"name": "queued", "dag": {"tasks": tasks}}]
    return document


class ArgoServer:
    """One server process on a data folder. `kill` and `start` again is a crash."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self.data, self.arguments, self.port = data, arguments, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def token(self) -> str:
        return (self.data / "token").read_text()

    def start(self) -> None:
        require_sandboxes()
        command = [sys.executable, "-m", "argo.local", "--data", str(self.data), "--port", str(self.port)]
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data.parent / f"{self.data.name}.log").open("ab") as log:
            self.process = subprocess.Popen([*command, *self.arguments], cwd=ROOT, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError((self.data.parent / f"{self.data.name}.log").read_text()[-2000:])
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)
        raise TimeoutError("the Argo server does not answer")

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)
            self.process.wait(60)
            self.process = None

    def client(self) -> httpx.AsyncClient:
        return client(self.url, self.token)


def client(url: str, token: str, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=240, transport=transport)


@contextlib.contextmanager
def running(data: Path, *arguments: str) -> Iterator[ArgoServer]:
    server = ArgoServer(data, *arguments)
    server.start()
    try:
        yield server
    finally:
        server.kill(signal.SIGTERM)


def submission(name: str, template: str, arguments: dict[str, str], **spec: Any) -> dict[str, Any]:
    parameters = [{"name": key, "value": value} for key, value in arguments.items()]
    metadata = {
        "name": name,
        "labels": {"c2d.oceanprotocol.com/owner": "o1"},
        "annotations": {"c2d.oceanprotocol.com/x": "y"},
    }
    inner = {"workflowTemplateRef": {"name": template}, "arguments": {"parameters": parameters}, **spec}
    return {"workflow": {"metadata": metadata, "spec": inner}}
