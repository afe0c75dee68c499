"""`c2d releases trust|withdraw|look`, against a server that verifies all that it is sent."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.releases_service import (
    ANOTHER,
    FIRST,
    FOREIGN,
    JOB,
    ME,
    PROGRAM,
    SECOND,
    Answer,
    Caller,
    Service,
    as_json,
    said,
)

pytestmark = pytest.mark.integration


def day(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%d")


# --- Trust ------------------------------------------------------------------------------------------------------------


def test_trust(call: Caller, service: Service) -> None:
    service.add(FOREIGN, ANOTHER)
    service.add(SECOND, ME)
    done = call("trust", JOB, "--until", day(30), answers="y\n")
    assert done.exit_code == 0, done.output
    assert [(each.did, each.account, each.program, each.job_id) for each in service.trusts] == [
        (did, ME, PROGRAM, JOB) for did in (FIRST, SECOND)
    ]
    ends = [datetime.fromtimestamp(each.until or 0, UTC) for each in service.trusts]
    assert [f"{end:%Y-%m-%d %H:%M:%S}" for end in ends] == [f"{day(30)} 23:59:59"] * 2
    assert f"{ME} is about to trust the algorithm {PROGRAM} on" in done.output
    assert done.output.endswith(f"c2d releases withdraw --program {PROGRAM} --dataset DID\n")
    assert service.names() == ["nonce", "show", "trust", "trust"]


def test_trust_also_after_the_decision_and_on_one_dataset(call: Caller, service: Service) -> None:
    service.add(SECOND, ME)
    service.standing = "released"
    assert call("trust", JOB, "--until", day(0), "--dataset", SECOND, "--yes").exit_code == 0
    assert [each.did for each in service.trusts] == [SECOND]


@pytest.mark.parametrize("answers", ["n\n", "\n", ""])
def test_without_a_yes_nothing_is_sent(call: Caller, service: Service, answers: str) -> None:
    assert said(call("trust", JOB, "--until", day(1), answers=answers), 3).startswith("nothing was sent")
    assert service.trusts == []


@pytest.mark.parametrize("until", [day(-2), day(367), "2000-01-01"])
def test_an_end_that_nobody_takes(call: Caller, service: Service, until: str) -> None:
    assert said(call("trust", JOB, "--until", until, "--yes"), 2).startswith("--until is today or a later day")
    assert service.asked == []


@pytest.mark.parametrize("until", ["tomorrow", "", "2027-02-30", "31.01.2027"])
def test_what_is_no_day(call: Caller, service: Service, until: str) -> None:
    assert call("trust", JOB, "--until", until, "--yes").exit_code == 2
    assert service.asked == []


def test_an_algorithm_that_cannot_be_trusted(call: Caller, service: Service) -> None:
    service.program = ""
    assert "cannot be trusted once for all" in call("show", JOB).output
    assert said(call("trust", JOB, "--until", day(1), "--yes"), 3).startswith("this algorithm cannot be trusted")


def test_a_service_that_names_another_algorithm(call: Caller, service: Service) -> None:
    service.instead["show"] = as_json(service.shown() | {"program": "9" * 64})
    assert "another algorithm than its manifest" in said(call("trust", JOB, "--until", day(1), "--yes"), 5)
    assert service.trusts == []


def test_datasets_of_others(call: Caller, service: Service) -> None:
    service.add(FOREIGN, ANOTHER)
    for did in (FOREIGN, SECOND):
        assert "that this account owns" in said(call("trust", JOB, "--until", day(1), "--yes", "--dataset", did), 3)
    assert service.trusts == []


@pytest.mark.parametrize("change", [{"until": 5}, {"until": None}, {"program": "9" * 64}, {"documentId": SECOND}])
def test_a_statement_that_was_not_taken(call: Caller, service: Service, change: Any) -> None:
    until = int(time.time())
    told = {"documentId": FIRST, "program": PROGRAM, "account": ME, "until": until}
    service.instead["trust"] = as_json(told | change)
    assert "does not say that the statement was taken" in said(call("trust", JOB, "--until", day(9), "--yes"), 5)


def test_withdraw(call: Caller, service: Service) -> None:
    done = call("withdraw", "--dataset", FIRST, "--program", PROGRAM)
    assert done.exit_code == 0, done.output
    assert [(each.did, each.program, each.until, each.job_id) for each in service.trusts] == [
        (FIRST, PROGRAM, None, ""),
    ]
    service.instead["trust"] = as_json({"error": "There is no trust"}, 404)
    assert "There is no trust (404)" in said(call("withdraw", "--dataset", FIRST, "--program", PROGRAM), 3)


@pytest.mark.parametrize(
    ("did", "program"), [("did:op:1", PROGRAM), (FIRST, "9"), (FIRST, PROGRAM.upper()), (FIRST, PROGRAM + "\n")]
)
def test_what_cannot_be_withdrawn(call: Caller, service: Service, did: str, program: str) -> None:
    assert "are expected" in said(call("withdraw", "--dataset", did, "--program", program), 2)
    assert service.asked == []


# --- Looking ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def model(service: Service) -> bytes:
    """A file that waits."""
    content = b"weights, a few of them\n"
    service.contents[0] = content
    service.files[0] |= {"filesize": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return content


def test_look(call: Caller, service: Service, model: bytes, tmp_path: Path) -> None:
    target = tmp_path / "model.bin"
    done = call("look", JOB, "0", "--to", str(target))
    assert done.exit_code == 0, done.output
    assert target.read_bytes() == model
    assert target.stat().st_mode & 0o077 == 0
    assert service.names() == ["nonce", "show", "nonce", "file"]
    assert "is there already" in said(call("look", JOB, "0", "--to", str(target)), 2)


@pytest.mark.parametrize("sent", [b"", b"weights", b"x" * 23, b"x" * 5_000_000])
def test_a_file_that_is_not_the_manifests(
    call: Caller, service: Service, model: bytes, tmp_path: Path, sent: bytes
) -> None:
    service.contents[0] = sent
    told = said(call("look", JOB, "0", "--to", str(tmp_path / "model.bin")), 5)
    assert "do not decide by it" in told or "sends more than the 23 bytes" in told
    assert not (tmp_path / "model.bin").exists() or (tmp_path / "model.bin").stat().st_size <= len(model)


def test_where_owners_may_not_look(call: Caller, service: Service, model: bytes, tmp_path: Path) -> None:
    service.owners_look = False
    assert "not all of its datasets say so" in said(call("look", JOB, "0", "--to", str(tmp_path / "a")), 3)
    service.owners_look = True
    assert "there is no file 2" in said(call("look", JOB, "2", "--to", str(tmp_path / "a")), 3)
    service.instead["file"] = as_json({"error": "no"}, 403)
    assert "the service refuses: no (403)" in said(call("look", JOB, "0", "--to", str(tmp_path / "a")), 3)
    service.instead["file"] = Answer(307, headers={"location": "/elsewhere"})
    assert "none is followed" in said(call("look", JOB, "0", "--to", str(tmp_path / "b")), 2)
    assert "cannot be written" in said(call("look", JOB, "0", "--to", str(tmp_path / "no" / "a")), 2)
    assert "file" not in service.names()[-2:]
