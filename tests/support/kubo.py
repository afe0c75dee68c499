"""A real Kubo node without a network, on a free port of loopback, with a repository of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.argo_server import free_port
from tests.support.clients import INSTALLED, require_client

START_SECONDS = 30


@dataclass(frozen=True)
class Kubo:
    port: int
    repository: Path

    @property
    def store(self) -> str:
        """As a result store."""
        return f"ipfs+http://127.0.0.1:{self.port}/c2d/jobs"

    def call(self, command: str, *words: str, **options: str) -> httpx.Response:
        params: list[tuple[str, Any]] = [("arg", word) for word in words]
        return httpx.post(
            f"http://127.0.0.1:{self.port}/api/v0/{command}",
            params=[*params, *options.items()],
            timeout=30,
            trust_env=False,
        )

    def names(self, folder: str = "/c2d/jobs") -> list[str]:
        """What lies in a folder of its tree; [] if there is none."""
        answer = self.call("files/ls", folder)
        return [] if answer.status_code == 500 else [one["Name"] for one in answer.json()["Entries"] or []]

    def everything(self) -> bytes:
        """All blocks that the node has, one after the other."""
        lines = self.call("refs/local").text.splitlines()
        return b"".join(self.call("block/get", json.loads(line)["Ref"]).content for line in lines)


@contextlib.contextmanager
def running_kubo(folder: Path) -> Iterator[Kubo]:
    """Skips, or fails in CI, where there is no Kubo."""
    require_client("kubo")
    program, port = str(INSTALLED / "kubo" / "ipfs"), free_port()
    environ = {**os.environ, "IPFS_PATH": str(folder), "IPFS_TELEMETRY": "off"}

    def run(*words: str) -> None:
        subprocess.run([program, *words], env=environ, check=True, capture_output=True, timeout=START_SECONDS)

    run("init", "--profile", "test")
    run("config", "Addresses.API", f"/ip4/127.0.0.1/tcp/{port}")
    run("config", "Addresses.Gateway", "")
    run("config", "--json", "Addresses.Swarm", "[]")
    with (folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen([program, "daemon", "--offline"], env=environ, stdout=log, stderr=log)
    kubo = Kubo(port, folder)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(kubo):
            assert process.poll() is None, (folder / "daemon.log").read_text()[-1000:]
            assert time.monotonic() < deadline, "Kubo does not answer"
            time.sleep(0.05)
        yield kubo
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _answers(kubo: Kubo) -> bool:
    try:
        return kubo.call("version").status_code == 200
    except httpx.TransportError:
        return False
