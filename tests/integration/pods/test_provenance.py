"""What the steps measure for a job's passport: digests of what was copied, whatever the way it came."""

from __future__ import annotations

import hashlib
import json
import stat
from typing import Any

import pytest

from contract.job_spec import Algorithm, TextSource
from contract.provenance import Provisioned, file_salt, salted_digest
from tests.support.published import JOB_ID

pytestmark = pytest.mark.integration

RAW = Algorithm(rawcode="echo hello\n", entrypoint="sh $ALGO")
BIG = bytes(range(256)) * 4096  # 1 MiB
SALT, OTHER_SALT = "a5" * 32, "5a" * 32


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def salted(content: bytes, index: int, salt: str = SALT) -> str:
    return salted_digest(file_salt(bytes.fromhex(salt), index), hashlib.sha256(content).digest())


def provisioned(job: Any) -> Provisioned:
    return Provisioned.model_validate_json((job.data / "record/provisioned.json").read_bytes())


def with_salt(asset: Any, salt: str = SALT, **changes: Any) -> Any:
    return asset.model_copy(update={"salt": salt, **changes})


def test_everything_that_goes_in_is_measured(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    first = with_salt(make_input(1, server.put("/a.csv", b"a" * 1000), server.put("/b.csv", b"")))
    second = with_salt(make_input(2, server.put("/c.csv", BIG)), OTHER_SALT, files=(TextSource(text="written"),))
    again = with_salt(make_input(1, server.put("/d.csv", BIG), service_id="s2"), OTHER_SALT)
    program, extra = b"#!/bin/sh\necho algorithm\n", b"extra"
    algorithm = Algorithm(
        did="did:op:" + "c0" * 32,
        ddo={"id": "algorithm"},
        files=(server.put("/algo.sh", program), server.put("/extra", extra)),
        entrypoint="sh $ALGO",
        custom_data={"name": "ü"},
    )
    job.write_spec(make_spec(server, [first, second, again], algorithm))
    assert job.run("configuration").returncode == 0
    found = provisioned(job)
    assert [(each.did, each.service_id, each.index, each.salted) for each in found.inputs] == [
        (first.did, "s1", 0, salted(b"a" * 1000, 0)),
        (first.did, "s1", 1, salted(b"", 1)),
        (second.did, "s1", 0, salted(b"written", 0, OTHER_SALT)),
        (again.did, "s2", 0, salted(BIG, 0, OTHER_SALT)),
    ]
    assert found.algorithm == (sha256(program), sha256(extra))
    assert found.custom_data == sha256((job.data / "inputs/algoCustomData.json").read_bytes())
    for did, digest in found.documents.items():
        assert digest == sha256((job.data / "ddos" / did.removeprefix("did:op:")).read_bytes())
    assert set(found.documents) == {first.did, second.did, algorithm.did}
    assert stat.S_IMODE((job.data / "record").stat().st_mode) == 0o700
    text = (job.data / "record/provisioned.json").read_text() + (job.data / "adminlogs/configure.log").read_text()
    assert SALT not in text
    assert OTHER_SALT not in text


def test_code_that_was_sent_along_is_measured(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    job.write_spec(make_spec(server, [with_salt(make_input(1, server.put("/a", b"x")))], RAW))
    assert job.run("configuration").returncode == 0
    assert provisioned(job).algorithm == (sha256(b"echo hello\n"),)


def test_a_download_that_broke_off_is_measured_as_it_ended(
    server: Any, job: Any, make_spec: Any, make_input: Any
) -> None:
    """Continued where it broke off, or begun anew where the server cannot continue."""
    resumed, anew = server.put("/resumed", BIG), server.put("/anew", BIG)
    server.break_after["/top-secret-path/resumed"] = 300_000
    server.no_ranges.add("/top-secret-path/anew")
    server.status_first["/top-secret-path/anew"] = [503]
    job.write_spec(make_spec(server, [with_salt(make_input(1, resumed, anew))], RAW))
    assert job.run("configuration").returncode == 0
    assert [each.salted for each in provisioned(job).inputs] == [salted(BIG, 0), salted(BIG, 1)]


def test_without_salts_nothing_is_written(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    """Of a service that makes no passports."""
    job.write_spec(make_spec(server, [make_input(1, server.put("/a", b"x"))], RAW))
    assert job.run("configuration").returncode == 0
    assert not (job.data / "record").exists()


def test_what_an_earlier_attempt_left_is_gone(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    file = server.put("/a", b"x")
    job.write_spec(make_spec(server, [with_salt(make_input(1, file))], RAW))
    assert job.run("configuration").returncode == 0
    server.files["/top-secret-path/a"] = b"y"
    server.status_first["/top-secret-path/a"] = [404]
    assert job.run("configuration").returncode == 31
    assert not (job.data / "record").exists()
    assert job.run("configuration").returncode == 0
    assert [each.salted for each in provisioned(job).inputs] == [salted(b"y", 0)]


@pytest.mark.parametrize("content", [None, "{", '{"version": 2}'], ids=["none", "broken", "unknown"])
def test_publishing_repeats_it_and_without_it_lets_nothing_go(
    server: Any, job: Any, make_spec: Any, make_input: Any, content: str | None
) -> None:
    """It has the release rules too."""
    job.write_spec(make_spec(server, [with_salt(make_input(1, server.put("/a", b"x")))], RAW))
    assert job.run("configuration").returncode == 0
    measured = provisioned(job)
    (job.data / "outputs/answer").write_text("42")
    if content is not None:
        (job.data / "record/provisioned.json").write_text(content)
    store = job.folder / "stored"
    (job.folder / "store").mkdir()
    (job.folder / "store/store.json").write_text(json.dumps({"url": f"file://{store}"}))
    done = job.run("publishing")
    assert done.returncode == 0, done.stdout
    manifest = json.loads((store / JOB_ID / "manifest.json").read_bytes())
    summary = json.loads((job.folder / "results.json").read_bytes())
    if content is None:
        assert manifest["files"][0]["path"] == "outputs/answer"
        assert summary["files"][0]["sha256"] == manifest["files"][0]["sha256"] == sha256(b"42")
        for told in (manifest, summary):
            assert Provisioned.model_validate(told["provisioned"], strict=False) == measured
    else:
        assert [file["filename"] for file in manifest["files"]] == ["configure.log", "publish.log"]
        assert summary["withheld"] is True
        assert "provisioned" not in manifest.keys() | summary.keys()
        assert "cannot be read" in job.log("publish.log")
