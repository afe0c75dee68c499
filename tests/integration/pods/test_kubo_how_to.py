"""The commands of docs/how-to/results-in-ipfs.md, as they stand there: a guarded node, the pods' store.json, a look."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from provider_api.keys import keys_of
from results.store import delete_job, load_manifest, open_store
from tests.support.clients import INSTALLED, ROOT
from tests.support.how_to import blocks, run
from tests.support.kubo import Kubo
from tests.support.published import JOB_ID, make_volume

pytestmark = pytest.mark.integration

PAGE, KEY = "results-in-ipfs.md", "0x" + "11" * 32


def test_the_commands(job: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("b2sum") is None:
        pytest.skip("b2sum is not installed")
    node = Kubo(tmp_path / "kubo", {"nobody": []})
    node.make()
    monkeypatch.setenv("IPFS_PATH", str(node.repository))
    monkeypatch.setenv("PATH", f"{INSTALLED / 'kubo'}:{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}")
    guard, tell, look = blocks(PAGE, "sh")
    assert "/ip4/0.0.0.0/tcp/5001\nipfs daemon --enable-gc\n" in guard
    guard = guard.replace("0.0.0.0/tcp/5001", f"127.0.0.1/tcp/{node.port}").replace("ipfs daemon --enable-gc\n", "")
    run(["sh", "-eu"], guard, tmp_path, "guard.sh")
    node.start()
    try:
        url = f"ipfs+{node.url}/c2d/results"
        monkeypatch.setenv("C2D_RESULTS__URL", url)
        monkeypatch.setenv("C2D_PROVIDER__KEY", KEY)
        command, kubectl = tell.splitlines()
        assert kubectl.endswith("create secret generic c2d-result-store --from-file=store.json")
        (job.folder / "store").mkdir()
        run(["sh", "-eu"], command, job.folder / "store", "tell.sh")
        make_volume(job)
        assert job.run("publishing").returncode == 0
        monkeypatch.setenv("JOB_ID", JOB_ID)
        assert "manifest.json" in run(["sh", "-eu"], look, tmp_path, "look.sh").split()
        service = open_store(url, {"authorization": "Bearer SECRET-2"}, key=keys_of(KEY).results)
        assert asyncio.run(load_manifest(service, JOB_ID)).complete
        asyncio.run(delete_job(service, JOB_ID))
    finally:
        node.kill()
