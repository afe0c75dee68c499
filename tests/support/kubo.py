"""A real Kubo node without a network, on a free port of loopback, with a repository of its own. It can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from provider_api.deploy.addresses import free_port
from results.ipfs import folder_name
from tests.support.clients import INSTALLED, require_client

START_SECONDS = 90
FOLDER = "/c2d/jobs"


class Kubo:
    """`kill` and `start` again is a crash. `secrets`: which RPC paths each bearer token opens; none: all are open."""

    def __init__(self, repository: Path, secrets: Mapping[str, Sequence[str]] | None = None) -> None:
        self.port, self.repository = free_port(), repository
        self._secrets = {"tests": ("/api/v0",), **secrets} if secrets else {}
        self._program = str(INSTALLED / "kubo" / "ipfs")
        self._environ = {**os.environ, "IPFS_PATH": str(repository), "IPFS_TELEMETRY": "off"}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> str:
        """As a result store."""
        return f"ipfs+{self.url}{FOLDER}"

    @property
    def running(self) -> bool:
        return self._process is not None

    # --- the process -------------------------------------------------------------------------------------------------

    def make(self) -> None:
        """Skips, or fails in CI, where there is no Kubo."""
        require_client("kubo")
        self._run("init", "--profile", "test")
        self._run("config", "Addresses.API", f"/ip4/127.0.0.1/tcp/{self.port}")
        self._run("config", "Addresses.Gateway", "")
        self._run("config", "--json", "Addresses.Swarm", "[]")
        for secret, paths in self._secrets.items():
            allowed = {"AuthSecret": f"bearer:{secret}", "AllowedPaths": list(paths)}
            self._run("config", "--json", f"API.Authorizations.{secret}", json.dumps(allowed))

    def start(self) -> None:
        log = self.repository / "daemon.log"
        with log.open("ab") as file:
            command = [self._program, "daemon", "--offline"]
            self._process = subprocess.Popen(command, env=self._environ, stdout=file, stderr=file)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, log.read_text()[-1000:]
            assert time.monotonic() < deadline, "Kubo does not answer"
            time.sleep(0.05)

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(START_SECONDS)
            self._process = None

    def _run(self, *words: str) -> None:
        command = [self._program, *words]
        subprocess.run(command, env=self._environ, check=True, capture_output=True, timeout=START_SECONDS)

    def _answers(self) -> bool:
        try:
            return self.call("version").status_code == 200
        except httpx.TransportError:
            return False

    # --- what is in it -----------------------------------------------------------------------------------------------

    def call(self, command: str, *words: str, content: bytes | None = None, **options: str) -> httpx.Response:
        params: list[tuple[str, Any]] = [("arg", word) for word in words]
        return httpx.post(
            f"{self.url}/api/v0/{command}",
            params=[*params, *options.items()],
            headers={"Authorization": "Bearer tests"} if self._secrets else {},
            files=None if content is None else {"file": content},
            timeout=240,
            trust_env=False,
        )

    def names(self, folder: str = FOLDER) -> list[str]:
        """What lies in a folder of its tree; [] if there is none."""
        answer = self.call("files/ls", folder)
        return [] if answer.status_code == 500 else [one["Name"] for one in answer.json()["Entries"] or []]

    def names_of(self, job_id: str) -> list[str]:
        """The objects of a job."""
        return self.names(f"{FOLDER}/{folder_name(job_id)}")

    def everything(self) -> bytes:
        """All blocks that the node has, one after the other."""
        lines = self.call("refs/local").text.splitlines()
        return b"".join(self.call("block/get", json.loads(line)["Ref"]).content for line in lines)


@contextlib.contextmanager
def running_kubo(repository: Path, secrets: Mapping[str, Sequence[str]] | None = None) -> Iterator[Kubo]:
    node = Kubo(repository, secrets)
    node.make()
    node.start()
    try:
        yield node
    finally:
        node.kill(signal.SIGTERM)
