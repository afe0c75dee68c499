"""A file server that misbehaves on request, job specs, and the step programs as processes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from nacl.public import PrivateKey

from contract.job_spec import Algorithm, Binding, InputAsset, JobSpec, seal
from contract.keys import generate_keys, read_private_keys
from tests.support import forks
from tests.support.kubo import Kubo, running_kubo

ROOT = Path(__file__).resolve().parents[3]
JOB_ID = "00" + "a1" * 15
IMAGE = "registry.example/algorithm@sha256:" + "ab" * 32
SECRET_PATH = "/top-secret-path"


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FileServer:
    """`files`: path -> content. The other fields are faults of a path."""

    port: int
    files: dict[str, bytes] = field(default_factory=dict)
    break_after: dict[str, int] = field(default_factory=dict)  # bytes sent per connection
    status_first: dict[str, list[int]] = field(default_factory=dict)  # answers before the good one
    redirects: dict[str, str] = field(default_factory=dict)
    no_ranges: set[str] = field(default_factory=set)
    seen: list[Seen] = field(default_factory=list)

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    def put(self, path: str, content: bytes) -> dict[str, Any]:
        """Serve it; returns the file object."""
        self.files[SECRET_PATH + path] = content
        return self.file(path)

    def file(self, path: str) -> dict[str, Any]:
        return {"type": "url", "url": f"http://{self.authority}{SECRET_PATH}{path}", "method": "GET"}


def _handler(state: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            state.seen.append(Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            path = self.path.partition("?")[0]
            if state.status_first.get(path):
                return self.send_empty(state.status_first[path].pop(0))
            if path in state.redirects:
                return self.send_empty(302, Location=state.redirects[path])
            content = state.files.get(path)
            if content is None:
                return self.send_empty(404)
            etag, start = f'"{hashlib.sha256(content).hexdigest()[:16]}"', 0
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
            if asked and path not in state.no_ranges and self.headers.get("if-range") == etag:
                start = int(asked[1])
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("ETag", etag)
            self.end_headers()
            cut = state.break_after.get(path)
            part = content[start : start + cut] if cut else content[start:]
            with contextlib.suppress(OSError):
                self.wfile.write(part)
                if len(part) < len(content) - start:
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
            return None

        do_POST = do_GET

        def send_empty(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@pytest.fixture
def server() -> Iterator[FileServer]:
    state = FileServer(0)
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    httpd.daemon_threads = True
    state.port = httpd.server_address[1]
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture(scope="session")
def kubo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubo]:
    """An IPFS node, or a named skip."""
    with running_kubo(tmp_path_factory.mktemp("kubo") / "repository") as node:
        yield node


@dataclass
class Job:
    """A volume, keys and a job spec in a temporary folder."""

    folder: Path
    service_key: PrivateKey = field(default_factory=PrivateKey.generate)
    changes: dict[str, str] = field(default_factory=dict)  # of the environment

    def __post_init__(self) -> None:
        self.data.mkdir()
        generate_keys(self.folder / "keys", self.service_key.public_key)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def environment_key(self) -> PrivateKey:
        return read_private_keys(self.folder / "keys" / "environment.key")[0]

    @property
    def environ(self) -> dict[str, str]:
        return {
            "C2D_JOB_ID": JOB_ID,
            "C2D_ENVIRONMENT": "free",
            "C2D_DATA": str(self.data),
            "C2D_JOB_SPEC": str(self.folder / "job-spec"),
            "C2D_KEYS": str(self.folder / "keys"),
            "C2D_IMAGE": IMAGE,
            "C2D_SECONDS": "60",
            "C2D_NETWORK": "none",
            "C2D_STORE": str(self.folder / "store"),
            "C2D_RESULTS": str(self.folder / "results.json"),
            "C2D_DOWNLOAD_ATTEMPTS": "2",
        } | self.changes

    def write_spec(self, spec: JobSpec, key: PrivateKey | None = None) -> None:
        text = seal(spec, key or self.service_key, self.environment_key.public_key)
        (self.folder / "job-spec").write_text(text)

    def run(self, step: str) -> subprocess.CompletedProcess[str]:
        environ = self.environ | {"PATH": os.environ["PATH"], "HOME": "/tmp"}
        return forks.run(f"pods.{step}", env=environ, cwd=self.folder, timeout=200, strict=True)

    def log(self, name: str = "configure.log") -> str:
        return (self.data / "adminlogs" / name).read_text()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


@pytest.fixture
def open_job() -> Iterator[Job]:
    """A job in a folder that other users may enter (pytest's own temporary folders are closed)."""
    with tempfile.TemporaryDirectory(prefix="c2d-test-") as folder:
        Path(folder).chmod(0o755)
        yield Job(Path(folder))


def spec_for(server: FileServer | None, inputs: list[InputAsset], algorithm: Algorithm, **changes: Any) -> JobSpec:
    values: dict[str, Any] = {
        "binding": Binding(job_id=JOB_ID, environment="free", image=IMAGE, seconds=60, network="none"),
        "owner": "0x" + "11" * 20,
        "secret": "5e" * 16,
        "run_seconds": 50,
        "inputs": tuple(inputs),
        "algorithm": algorithm,
        "allow_private": (server.authority,) if server else (),
        "max_input_bytes": 64 << 20,
    }
    return JobSpec(**(values | changes))


def did_of(number: int) -> str:
    return "did:op:" + f"{number:02x}" * 32


def an_input(number: int, *files: dict[str, Any], service_id: str = "s1", **more: Any) -> InputAsset:
    did = did_of(number)
    return InputAsset(did=did, service_id=service_id, files=files, ddo={"id": did, "name": "Größe"}, **more)


@pytest.fixture
def make_spec() -> Any:
    return spec_for


@pytest.fixture
def make_input() -> Any:
    return an_input
