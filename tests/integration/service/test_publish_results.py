"""Results become a new asset: a whole job on the real service and chain, and what others can do with the asset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ocean.ddo import DDO
from tests.support.service import FREE, Buyer, raw_python

pytestmark = pytest.mark.integration

METADATA = {"name": "Rain, summed up", "description": "One number", "author": "C. Onsumer", "license": "CC0-1.0"}
CODE = """
import os, pathlib
folder = pathlib.Path(os.environ["OUTPUTS"])
(folder / "models").mkdir()
(folder / "models" / "grosse Datei ü.bin").write_bytes(bytes(range(256)) * 5000)
(folder / "answer.txt").write_text("42")
"""


async def run(
    buyer: Buyer, dataset: DDO, code: str = CODE, output: Any = None, environment: str = FREE
) -> dict[str, Any]:
    """A raw algorithm's job, to its end."""
    ordered, algorithm = await buyer.order([dataset], raw_python(code), environment=environment)
    wanted = {"publishOutput": True, "metadata": METADATA} if output is None else output
    request = await buyer.consumer.start_request(environment, ordered, algorithm)
    started = await buyer.consumer.start({**request, "output": wanted})
    return await buyer.finished(started["jobId"])


async def test_outputs_become_an_asset(buyer: Buyer, open_dataset: DDO, tmp_path: Path) -> None:
    job = await run(buyer, open_dataset)
    print((await buyer.result(job, "publish.log", tmp_path)).decode())
    assert (job["status"], job["reason"]) == (70, "completed"), job
    assert job["resultsDid"].startswith("did:op:")
