"""The publishing step as a process in tests: a volume to publish, the store it is told of, what the service reads."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from nacl.public import PrivateKey

from contract.keys import encode_key
from contract.manifest import Manifest
from results.store import Store, StoreConfig, load_manifest, open_store, stream_object

JOB_ID = "00" + "a1" * 15
SERVICE = PrivateKey(bytes(32))  # a key that everybody knows
# Before a publishing program that shall not wait for a store that is away.
IMPATIENT = (
    "import os, sys, results.store as s, pods.publishing.program as p\n"
    "p.Uploader.__init__.__kwdefaults__['backoff_seconds'] = 0.01\n"
    "s.open_store.__kwdefaults__['retry_timeout_seconds'] = 0.5\n"
)
RUN = "sys.exit(p.run(os.environ))\n"


def use(job: Any, config: StoreConfig) -> None:
    """Write the job's store.json."""
    (job.folder / "store").mkdir(exist_ok=True)
    document: dict[str, Any] = {"url": config.url, "options": dict(config.options)}
    if config.seal_for is not None:
        document["seal_for"] = encode_key(config.seal_for)
    (job.folder / "store/store.json").write_text(json.dumps(document))


def as_service(config: StoreConfig, *, retry_timeout_seconds: float = 10) -> Store:
    """The store as the service opens it."""
    return open_store(config.url, config.options, key=SERVICE, retry_timeout_seconds=retry_timeout_seconds)


def make_volume(job: Any) -> Path:
    data: Path = job.data
    for name in ("outputs/models", "logs", "adminlogs"):
        (data / name).mkdir(parents=True)
    (data / "outputs/b.csv").write_bytes(b"1,2\n")
    (data / "outputs/B.csv").write_bytes(b"")
    (data / "outputs/.hidden").write_bytes(b"h")
    (data / "outputs/models/große Datei.bin").write_bytes(os.urandom(3 << 20))
    (data / "logs/algorithm.log").write_bytes(b"see https://example.org/ 0x" + b"ab" * 65 + b"\n")
    (data / "logs/extra.txt").write_bytes(b"extra")
    (data / "logs/.run").write_text("started 100\nfinished 160\nexit 0\n")
    (data / "adminlogs/configure.log").write_text("got https://user:pw@host/x?signature=0xabc in 1 s\nfine\n")
    return data


def load(config: StoreConfig, job: Any) -> Manifest:
    summary = json.loads((job.folder / "results.json").read_text())
    manifest = asyncio.run(load_manifest(as_service(config), JOB_ID, summary["digest"]))
    assert summary["count"] == len(manifest.files)
    return manifest


def read(config: StoreConfig, key: str, start: int = 0, end: int | None = None) -> bytes:
    async def collect() -> bytes:
        return b"".join([piece async for piece in stream_object(as_service(config), key, start=start, end=end)])

    return asyncio.run(collect())


def start_python(job: Any, code: str) -> subprocess.Popen[str]:
    """A program in the publishing pod's environment."""
    environ = job.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=pipe, stderr=pipe, text=True)


def run_python(job: Any, code: str) -> subprocess.CompletedProcess[str]:
    with start_python(job, code) as process:
        try:
            out, err = process.communicate(timeout=240)
        finally:
            process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
