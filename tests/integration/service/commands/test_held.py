"""Results that wait for the owners of datasets, and files that are not what their passport says."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.profiles import Profiles
from tests.support.commands import ALICE, Commands
from tests.support.plain_provider import PlainProvider
from tests.support.service import Service

pytestmark = pytest.mark.integration


def test_results_that_wait(c2d: Commands, numbers: Path, algorithm: str, tmp_path: Path) -> None:
    described = tmp_path / "held.toml"
    rules = "[release]\nmaxBytes = 1000000\nlogBytes = 0\napproval = 'owner'\napprovalSeconds = 3600\n"
    described.write_text(f'files = [{{ path = "{numbers.name}" }}]\n{rules}')
    dataset = c2d("publish", str(described)).line
    done = c2d("run", dataset, algorithm, "-o", "held", "--json", code=6)
    job = done.json["job"]["jobId"]
    assert not Path("held/sum.json").exists()
    assert f"wait for the owners of {dataset}" in c2d("watch", job, code=6).out
    c2d("results", job, "-o", "held", code=6)
    assert [each["jobId"] for each in c2d("releases", "list", "--json").json["releases"]] == [job]
    assert "sum.json" in c2d("releases", "show", job).out
    c2d("releases", "show", "0" * 32, "--json", code=3)
    c2d("releases", "approve", job, "--yes")
    c2d("watch", job)
    assert c2d("results", job, "-o", "held", "--json").json["verifiedBy"]
    assert Path("held/sum.json").read_text() == "42"


def test_a_result_that_somebody_changed(c2d: Commands, service: Service, dataset: str, algorithm: str) -> None:
    job = c2d("run", dataset, algorithm, "-d").line
    c2d("watch", job)
    with PlainProvider(service.url, hides=False) as changed:
        changed.spoil = lambda path, body: b"43" if body == b"42" else None
        Profiles().set("changed", provider=changed.url, account=f"development:{ALICE}")
        done = c2d("results", job, "-p", "changed", "-o", "changed", code=1)
    assert "NOT VERIFIED" in done.err
