"""Where results go, whatever a provider calls them; and what is kept of an order until a job has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from client.answers import Job, required
from client.exits import Exit, Unreachable
from client.jobs.facts import describe, outcome
from client.jobs.fetching import place_of
from client.jobs.orders import Order, Orders

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "..", "/", "a/b/../c", "a/" * 40 + "b", "./"])
def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    with pytest.raises(Unreachable, match="no place in a folder"):
        place_of(tmp_path, {"filename": name}, 0)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("model.json", "model.json"),
        ("a/b.txt", "a/b.txt"),
        ("./a//b.txt", "a/b.txt"),
        ("", "result-3"),
        ("a\x1b[2J\n\0", "a\\x1b[2J\\n\\x00"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        (".c2d-parts/x", "_.c2d-parts/x"),
        ("ä" * 200 + ".csv", "ä" * 107 + "-3.csv"),
    ],
)
def test_names(tmp_path: Path, name: str, place: str) -> None:
    found = place_of(tmp_path, {"filename": name}, 3)
    assert str(found.relative_to(tmp_path)) == place
    found.parent.mkdir(parents=True, exist_ok=True)
    found.write_text("it can be written")


def test_a_status_of_others_is_no_format() -> None:
    job = {"jobId": "a", "status": 70, "statusText": "{0} {exit.__class__}", "dateFinished": "1", "detail": "{x}"}
    assert describe(job) == "{0} {exit.__class__} ({x})"
    assert outcome(job) is Exit.DONE
    assert outcome({**job, "reason": "something new"}) is Exit.FAILED
    assert outcome({**job, "held": {"for": []}}) is Exit.HELD


def test_an_answer_of_another_shape() -> None:
    for answer in (None, 7, "x", [], {}, {"jobId": 7}, {"jobId": "a b"}, {"jobId": "a", "held": {"until": 10**30}}):
        with pytest.raises(Unreachable, match="it does not answer as it should"):
            required(Job, answer, "it")


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Orders:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return Orders(8996, "0xAb")


def test_an_order_is_taken_by_one_command(orders: Orders) -> None:
    order = Order("did:op:1", "compute", "0xE", "0xtx")
    orders.note(order)
    rival = Orders(8996, "0xab")
    assert rival.take("did:op:1", "compute", "0xE") is None  # the command that made it lives
    orders.close()
    assert rival.take("did:op:2", "compute", "0xE") is None
    assert rival.take("did:op:1", "compute", "0xF") is None
    assert rival.take("did:op:1", "compute", "0xE") == "0xtx"
    assert orders.take("did:op:1", "compute", "0xE") is None
    rival.settle()
    assert orders.take("did:op:1", "compute", "0xE") is None


def test_a_note_that_was_not_written_to_its_end(orders: Orders, tmp_path: Path) -> None:
    folder = tmp_path / "compute-to-data" / "orders" / "8996-0xab"
    folder.mkdir(parents=True)
    for text in ("", "{", "[]", json.dumps({"did": "x"})):
        (folder / "0xtx.json").write_text(text)
        assert orders.take("x", "y", "z") is None
