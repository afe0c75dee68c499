"""The how-tos for plain HTTP: their programs run as they stand there, and so do their curl lines."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clients import JAVASCRIPT_CONSUMER
from tests.support.file_sources import RAIN, FileSources
from tests.support.how_to import ADDRESSES, blocks, program, run
from tests.support.ocean_js import publish
from tests.support.service import Service

pytestmark = pytest.mark.integration


def test_consume(service: Service, sources: FileSources, tmp_path: Path) -> None:
    owners = [JAVASCRIPT_CONSUMER.address]
    dataset = publish(service, owners, [f"{sources.url}/files/rain.csv"])
    algorithm = publish(service, owners, [f"{sources.url}/files/algorithm.py"], type="algorithm", service="access")
    put_in = {
        "http://127.0.0.1:8545": service.chain_url,
        "http://127.0.0.1:8030": service.url,
        "did:op:DATASET": dataset.id,
        "did:op:ALGORITHM": algorithm.id,
    }
    printed = run([sys.executable], program("consume.md", "python", put_in), tmp_path, "program.py")
    for text in ("70 Job finished completed 0", "day,mm", "algorithm.py", "Token has been deactivated."):
        assert text in printed
    assert "'ordersJudged': False, 'reasons': []}" in printed


def test_publish_results(service: Service, sources: FileSources, tmp_path: Path) -> None:
    """Its program goes on from the one of `consume.md`."""
    owners = [JAVASCRIPT_CONSUMER.address]
    dataset = publish(service, owners, [f"{sources.url}/files/rain.csv"])
    algorithm = publish(service, owners, [f"{sources.url}/files/algorithm.py"], type="algorithm", service="access")
    put_in = {
        "http://127.0.0.1:8545": service.machine.chain_url,
        "http://127.0.0.1:8030": service.url,
        "did:op:DATASET": dataset.id,
        "did:op:ALGORITHM": algorithm.id,
    }
    code = program("consume.md", "python", put_in) + program("publish-results.md", "python", {})
    printed = run([sys.executable], code, tmp_path, "program.py")
    assert "70 completed did:op:" in printed
    assert printed.endswith("Rain, summed up 1000000000000000000\n")


def test_publish(service: Service, sources: FileSources, tmp_path: Path) -> None:
    put_in = {
        ADDRESSES: str(service.machine.address_file),
        "http://127.0.0.1:8545": service.chain_url,
        "http://127.0.0.1:8030": service.url,
        "https://data.example.org": f"{sources.url}/files",
    }
    printed = run([sys.executable], program("publish.md", "python", put_in), tmp_path, "program.py")
    assert f"'contentLength': '{len(RAIN)}'" in printed
    assert "'ordersJudged': False, 'reasons': []}" in printed


@pytest.mark.parametrize("page", ["consume.md", "publish.md"])
def test_curl(service: Service, page: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    lines = [line for block in blocks(page, "sh") for line in block.replace("\\\n", "").splitlines()]
    lines = [line for line in lines if line.startswith("curl ")]
    assert lines
    for line in lines:
        command = line.replace("http://127.0.0.1:8030", service.url) + " --fail --noproxy '*'"
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stdout[:1]) == (0, "{"), done.stderr
