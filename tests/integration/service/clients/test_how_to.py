"""The programs in the how-tos for clients, run as they stand there: only addresses and DIDs are put in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.clients import INSTALLED, JAVASCRIPT_CONSUMER, ROOT, ocean_js, ocean_py
from tests.support.file_sources import FileSources
from tests.support.how_to import ADDRESSES, HOW_TO, program, run
from tests.support.ocean_js import publish
from tests.support.service import Service

pytestmark = pytest.mark.integration

CLIENTS = ROOT / "tests" / "clients"


def test_ocean_py(service: Service, sources: FileSources, tmp_path: Path) -> None:
    put_in = {
        ADDRESSES: str(service.machine.address_file),
        "http://127.0.0.1:8545": service.chain_url,
        "http://127.0.0.1:8030": service.url,
        "https://data.example.org": f"{sources.url}/files",
    }
    printed = run(ocean_py(), program("ocean-py.md", "python", put_in), tmp_path, "program.py")
    assert "['file0']" in printed
    assert "Job finished" in printed
    assert "day,mm" in printed  # the algorithm's output holds what it was given


@pytest.mark.parametrize("version", ["3.3.0", "3.4.6"])
def test_ocean_js(service: Service, sources: FileSources, tmp_path: Path, version: str) -> None:
    command = ocean_js(version)
    owners = [JAVASCRIPT_CONSUMER.address]
    dataset = publish(service, owners, [f"{sources.url}/files/rain.csv"])
    algorithm = publish(service, owners, [f"{sources.url}/files/algorithm.py"], type="algorithm", service="access")
    put_in = {
        "http://127.0.0.1:8545": service.chain_url,
        "http://127.0.0.1:8030": service.url,
        "did:op:DATASET": dataset.id,
        "did:op:ALGORITHM": algorithm.id,
    }
    code = program("ocean-js.md", "js", put_in)
    (tmp_path / "node_modules").symlink_to(INSTALLED / f"oceanjs-{version}" / "node_modules")
    printed = run(command, f"(async () => {{\n{code}\nprocess.exit(0)\n}})()\n", tmp_path, "program.cjs")
    assert "algorithm.py" in printed
    assert "Job finished" in printed
    assert "day,mm" in printed


def test_the_versions_named_are_those_that_run_here() -> None:
    python = (CLIENTS / "oceanpy" / "requirements.in").read_text().split()
    assert f"pip install {' '.join(p for p in python if '==' in p)}\n" in (HOW_TO / "ocean-py.md").read_text()
    text = (HOW_TO / "ocean-js.md").read_text()
    for version in ("3.3.0", "3.4.6"):
        wanted = json.loads((CLIENTS / f"oceanjs-{version}" / "package.json").read_text())["dependencies"]
        assert wanted["@oceanprotocol/lib"] == version
        assert version in text
        assert f"ethers@{wanted['ethers']}" in text
