"""IPFS as a result store, without a node: which addresses and options are taken, names, patience, what answers mean."""

from __future__ import annotations

import hashlib
import re

import pytest

from results.ipfs import KuboStore, folder_name
from results.kubo_rpc import KuboFailed, Patience, require_success
from results.store import StoreInvalid, is_transient, key_for, open_store

pytestmark = pytest.mark.unit

JOB_ID = "00" + "a1" * 15


def opened(url: str, **options: str) -> KuboStore:
    store = open_store(url, options)
    assert isinstance(store, KuboStore)
    return store


@pytest.mark.parametrize(
    ("url", "address", "folder"),
    [
        ("ipfs+http://kubo:5001/c2d", "http://kubo:5001", "/c2d"),
        ("ipfs+https://kubo.example/c2d/jobs/", "https://kubo.example", "/c2d/jobs"),
        ("ipfs+http://[::1]:5001/my%20results", "http://[::1]:5001", "/my results"),
    ],
)
def test_addresses(url: str, address: str, folder: str) -> None:
    store = opened(url)
    assert (store.node.url, store.folder) == (address, folder)


@pytest.mark.parametrize(
    "url",
    [
        "ipfs+http://kubo:5001",
        "ipfs+http://kubo:5001/",
        "ipfs+http://kubo:5001/a//b",
        "ipfs+http://kubo:5001/a/../b",
        "ipfs+http://kubo:5001/a%00",
        "ipfs+http://kubo:5001/a?arg=b",
        "ipfs+http://kubo:5001/a#b",
        "ipfs+http://kubo:port/a",
        "ipfs+http://kubo:0/a",
        "ipfs+http://kubo:70000/a",
        "ipfs+http:///a",
        "ipfs+http://hush:hush@kubo/a",
        "ipfs+http://ku bo/a",
        "ipfs://kubo/a",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(StoreInvalid) as refused:
        open_store(url)
    assert "hush" not in str(refused.value)


def test_the_only_option_is_a_header() -> None:
    assert opened("ipfs+http://kubo/a", authorization="Bearer hush").node.headers == {"Authorization": "Bearer hush"}
    assert opened("ipfs+http://kubo/a", authorization="").node.headers == {}
    assert "hush" not in repr(opened("ipfs+http://kubo/a", authorization="Bearer hush"))
    for options in ({"authorization": "Bearer hush\r\nX: y"}, {"authorization": "Bearer hüsh"}, {"region": "hush"}):
        with pytest.raises(StoreInvalid) as refused:
            open_store("ipfs+http://kubo/a", options)
        assert not re.search("h[uü]sh", str(refused.value))


def test_names_tell_nothing() -> None:
    store = opened("ipfs+http://kubo/c2d")
    keys = {key_for(store, JOB_ID, b"outputs/secret.csv") for _ in range(3)}
    assert len(keys) == 3, "each try has a name of its own"
    for key in keys:
        assert re.fullmatch(rf"{JOB_ID}/[0-9a-f]{{32}}", key)
        name = key.removeprefix(f"{JOB_ID}/")
        assert store.path(key) == f"/c2d/{folder_name(JOB_ID)}/{name}"
    assert store.path(JOB_ID) == f"/c2d/{folder_name(JOB_ID)}"
    assert JOB_ID not in store.path(JOB_ID)
    assert folder_name(JOB_ID) == hashlib.blake2b(JOB_ID.encode(), digest_size=16).hexdigest()


def test_patience_ends_and_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("results.kubo_rpc.time.monotonic", lambda: now)
    transient = KuboFailed("HTTP 500", transient=True)
    patience, pauses = Patience(10), list[float]()
    while now < 1010:
        pauses.append(patience.pause(transient))
        now += pauses[-1]
    with pytest.raises(KuboFailed, match="500"):
        patience.pause(transient)
    assert sum(pauses) == pytest.approx(10)
    assert pauses[0] <= 0.2 < pauses[3]
    assert max(pauses) <= 5
    patience.went_on()
    assert patience.pause(transient) <= 0.2
    with pytest.raises(KuboFailed, match="403"):
        patience.pause(KuboFailed("HTTP 403", transient=False))
    with pytest.raises(KuboFailed):
        Patience(0).pause(transient)


def test_what_answers_mean() -> None:
    require_success(200, b"anything", "/a")
    with pytest.raises(FileNotFoundError):
        require_success(500, b'{"Message":"/a: file does not exist","Code":0,"Type":"error"}', "/a")
    for status, transient in (
        (500, True),
        (502, True),
        (503, True),
        (429, True),
        (403, False),
        (404, False),
        (301, False),
    ):
        with pytest.raises(KuboFailed) as failed:
            require_success(status, b"file does not exist" if status != 500 else b"no space left: /a", "/a")
        assert (failed.value.cause, failed.value.transient) == (f"HTTP {status}", transient)
        assert is_transient(opened("ipfs+http://kubo/a"), failed.value) is transient
