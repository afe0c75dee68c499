"""The first quarter of an hour with the command line: publish, run, and look after jobs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import Commands

pytestmark = pytest.mark.integration


def test_a_file_becomes_a_verified_result(c2d: Commands, dataset: str, algorithm: str) -> None:
    assert "yes, in ocean-compute; it costs nothing" in c2d("why", dataset, algorithm).out
    done = c2d("run", dataset, algorithm, "--output", "results", "--json")
    assert json.loads(Path("results/sum.json").read_text()) == 42, list(Path("results").rglob("*"))
    assert done.json["verifiedBy"] is not None
    assert "verified: these files are what" in c2d("results", done.json["job"]["jobId"], "-o", "results").err


def test_results_are_verified_and_described(c2d: Commands, dataset: str, algorithm: str) -> None:
    """As `run` does it, by a stranger who has the files and trusts the account."""
    done = c2d("run", dataset, algorithm, "-o", "files", "--json")
    signer, job = done.json["verifiedBy"], done.json["job"]["jobId"]
    found = c2d("verify", "files", "--signer", signer, "--json").json
    assert (found["jobId"], found["signer"], found["orderPaid"]) == (job, signer, False)
    assert "sum.json" in [file["path"] for file in found["files"]]
    crate = c2d("crate", "files", "--signer", signer, "--json").json
    assert json.loads(Path(crate["crate"]).read_text())["@graph"]
    assert f"job {job}, signed by {signer}" in c2d("verify", "files", "--signer", signer).out
    assert "say whom you trust" in c2d("verify", "files", "--json", code=2).json["error"]
    Path("files/sum.json").write_text("43")
    changed = c2d("verify", "files", "--signer", signer, "--json", code=1)
    assert changed.json["error"].startswith("NOT VERIFIED: sum.json is not among the files")


def test_a_job_that_is_left_alone(c2d: Commands, dataset: str, algorithm: str) -> None:
    job = c2d("run", dataset, algorithm, "--detach").line
    states = c2d("watch", job, "--json").lines
    assert [state["jobId"] for state in states] == [job] * len(states)
    assert states[-1]["statusText"] == "Job finished"
    assert c2d("jobs", "--json").json[0]["jobId"] == job
    assert job in c2d("jobs").out
    assert c2d("show", job, "--json").json["status"] == 70
    assert "it has finished" in c2d("show", job).out
    assert c2d("logs", job).out == "added 3\n"
    assert c2d("results", job, "--json").json["verifiedBy"] is not None
    c2d("rm", job)
    assert "has no job" in c2d("show", job, code=3).err


def test_a_job_is_stopped(c2d: Commands, dataset: str, tmp_path: Path) -> None:
    waits = tmp_path / "waits.py"
    waits.write_text("import time\nprint('here', flush=True)\ntime.sleep(600)\n")
    algorithm = c2d("publish-algorithm", str(waits)).line
    job = c2d("run", dataset, algorithm, "--detach", "--json").json["jobId"]
    assert c2d("stop", job, "--json").json[0]["jobId"] == job
    assert "it was stopped" in c2d("watch", job, code=1).out


def test_an_algorithm_that_fails(c2d: Commands, dataset: str, tmp_path: Path) -> None:
    fails = tmp_path / "fails.py"
    fails.write_text("raise SystemExit(37)\n")
    algorithm = c2d("publish-algorithm", str(fails)).line
    done = c2d("run", dataset, algorithm, code=1)
    assert "the algorithm ended with exit code 37" in done.err
    job = c2d("jobs", "--json").json[0]["jobId"]
    c2d("watch", job, "--exit-code", code=37)
