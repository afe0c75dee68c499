"""Schemathesis over the whole description against the running service: every check, with good data and with bad.

Requests that fit the schema may still be refused where a schema cannot say what is good: a signature, an order, a DID
that exists. The endpoints that have no such state must accept them. The samples of the description are replaced by
assets that are published, so that requests get as far as they can.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ocean.ddo import DDO
from provider_api.deploy.file_server import FileServer
from provider_api.endpoints.operations import OPERATIONS
from provider_api.openapi import document, samples
from tests.support.service import Buyer, Service

pytestmark = pytest.mark.integration

# Whatever fits the schema is good here.
STATELESS = {"root", "live", "ready", "spec", "docs", "nonce", "computeEnvironments", "computeStatus"}
STATELESS |= {"listChains", "getNames"}
CONFIG = """
seed = 1
[generation]
deterministic = true
max-examples = {examples}
database = "none"
[warnings]
enabled = false
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404"]
"""
STRICT = """
[[operations]]
include-name = "{name}"
checks.positive_data_acceptance.expected-statuses = ["2xx"]
"""


@pytest.fixture
async def described(buyer: Buyer, files: FileServer, open_dataset: DDO, tmp_path: Path) -> Path:
    """The description with real assets in its examples."""
    algorithm = await buyer.publish(files.urls["algorithm.py"], kind="algorithm")
    text = json.dumps(document(OPERATIONS))
    for sample, real in (
        (samples.DID, open_dataset.id),
        (samples.ALGORITHM_DID, algorithm.id),
        (samples.DATASET["serviceId"], open_dataset.services[0].id),
        (samples.ALGORITHM["serviceId"], algorithm.services[0].id),
    ):
        assert sample in text
        text = text.replace(sample, real)
    path = tmp_path / "openapi.json"
    path.write_text(text)
    return path


def run(service: Service, described: Path, *options: str, examples: int) -> subprocess.CompletedProcess[str]:
    strict = (STRICT.format(name=f"{one.method} {one.path}") for one in OPERATIONS if one.id in STATELESS)
    config = described.with_name("schemathesis.toml")
    config.write_text(CONFIG.format(examples=examples) + "".join(strict))
    words = [str(Path(sys.executable).with_name("st")), "--config-file", str(config), "run", str(described)]
    words += [
        "--url",
        service.url,
        "--checks",
        "all",
        "--continue-on-failure",
        "--suppress-health-check",
        "all",
        *options,
    ]
    return subprocess.run(words, capture_output=True, text=True, cwd=described.parent, timeout=280, check=False)


@pytest.mark.parametrize("phase", ["examples,coverage", "fuzzing,stateful"])
def test_nothing_is_found(service: Service, described: Path, phase: str) -> None:
    done = run(service, described, "--phases", phase, examples=15)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
