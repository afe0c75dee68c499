"""What the index remembers, forgets, and refuses to remember."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocean.chain.index_store import KEPT_CHECKPOINTS, TAIL, IndexStore, MetadataEvent
from ocean.chain.metadata import PackedDocument

pytestmark = pytest.mark.unit

NFT, OTHER = "0x" + "11" * 20, "0x" + "22" * 20


def changed(block: int, log_index: int = 0, address: str = NFT) -> MetadataEvent:
    packed = PackedDocument(b"\1", f"{block}.{log_index}".encode(), b"\2" * 32)
    return MetadataEvent(address, block, log_index, f"0x{block}", OTHER, "http://x", packed, block * 10)


@pytest.fixture
def store() -> Iterator[IndexStore]:
    made = IndexStore(None)
    made.begin(8996, "0xgenesis")
    yield made
    made.close()


def test_newest_event_is_by_block_then_position(store: IndexStore) -> None:
    store.add([("did:1", NFT, 1)], [changed(9, 1), changed(10, 2), changed(10, 11), changed(2)], (10, "0xa"))
    newest = store.newest_event(NFT)
    assert newest == changed(10, 11)
    assert store.created(NFT) == 20
    assert (store.nft_of("did:1"), store.nft_of("did:2"), store.dids()) == (NFT, None, ["did:1"])


def test_events_of_unknown_emitters_are_left_out(store: IndexStore) -> None:
    store.add([("did:1", NFT, 1)], [changed(3, address=OTHER)], (3, "0xa"))
    assert store.newest_event(OTHER) is None
    assert store.created(OTHER) is None


def test_same_range_twice_changes_nothing(store: IndexStore) -> None:
    for _ in range(2):
        store.add([("did:1", NFT, 1)], [changed(3)], (3, "0xa"))
    assert store.dids() == ["did:1"]
    assert store.checkpoints() == [(3, "0xa")]


def test_roll_back_forgets_what_lies_above(store: IndexStore) -> None:
    store.add([("did:1", NFT, 1)], [changed(1)], (1, "0xa"))
    store.add([("did:2", OTHER, 2)], [changed(2), changed(2, 1, OTHER)], (2, "0xb"))
    store.roll_back(1)
    assert store.dids() == ["did:1"]
    assert store.newest_event(NFT) == changed(1)
    assert store.checkpoints() == [(1, "0xa")]
    store.roll_back(-1)
    assert (store.dids(), store.checkpoints()) == ([], [])


def test_checkpoints_are_bounded(store: IndexStore) -> None:
    for block in range(KEPT_CHECKPOINTS + 5):
        store.add([], [], (block, hex(block)))
    assert len(store.checkpoints()) == KEPT_CHECKPOINTS
    assert store.checkpoints()[0] == (KEPT_CHECKPOINTS + 4, hex(KEPT_CHECKPOINTS + 4))


def test_checkpoints_thin_out_with_their_distance(store: IndexStore) -> None:
    """Wherever the chain forks, about as much is read again as lies above the fork; near the head none is missing."""
    newest = 0
    for step in (1, 7, 100, 3, 1000):
        for _ in range(120):
            newest += step
            store.add([], [], (newest, hex(newest)))
    for _ in range(200):
        newest += 1
        store.add([], [], (newest, hex(newest)))
    known = [block for block, _ in store.checkpoints()]
    assert known[:TAIL] == list(range(newest, newest - TAIL, -1))
    for distance in (2**power for power in range(7, 17)):
        shared = max(block for block in known if block <= newest - distance)
        assert newest - shared <= 2 * distance + 1000


def test_the_content_of_one_block_is_forgotten(store: IndexStore) -> None:
    store.add([("did:1", NFT, 1)], [changed(1)], (1, "0xa"))
    store.add([("did:2", OTHER, 2)], [changed(2)], (3, "0xc"), blocks=[(2, "0xb")])
    assert store.blocks_with_content(0, 3) == [(1, "0xa"), (2, "0xb")]
    store.forget(2)
    assert store.dids() == ["did:1"]
    assert store.newest_event(NFT) == changed(1)
    assert store.checkpoints() == [(3, "0xc"), (1, "0xa")]
    assert store.newest() == 3


def test_it_belongs_to_one_chain_across_restarts(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "index.db"
    first = IndexStore(path)
    assert not first.belongs_to(8996, "0xg")
    first.begin(8996, "0xg")
    first.add([("did:1", NFT, 1)], [changed(1)], (1, "0xa"))
    first.close()
    second = IndexStore(path)
    assert second.belongs_to(8996, "0xg")
    assert not second.belongs_to(8996, "0xh")
    assert not second.belongs_to(1, "0xg")
    assert second.newest_event(NFT) == changed(1)
    second.begin(1, "0xh")
    assert (second.dids(), second.newest_event(NFT), second.checkpoints()) == ([], None, [])
    second.close()


@pytest.mark.parametrize("kind", ["other version", "no database"])
def test_unusable_file_is_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "index.db"
    if kind == "other version":
        with sqlite3.connect(path) as db:
            db.executescript("CREATE TABLE nft (x); PRAGMA user_version = 99;")
        db.close()
    else:
        path.write_bytes(b"?" * 5000)
    store = IndexStore(path)
    store.begin(8996, "0xg")
    store.add([("did:1", NFT, 1)], [changed(1)], (1, "0xa"))
    assert store.dids() == ["did:1"]
    store.close()


def test_orders_of_known_datatokens_are_counted(store: IndexStore) -> None:
    token, forged = "0x" + "33" * 20, "0x" + "44" * 20
    for _ in range(2):  # a range that is read twice counts once
        store.add([], [], (2, "0xb"), datatokens=[(token, 1)], orders=[(token, 1), (token, 2), (token, 2), (forged, 2)])
    store.add([], [], (3, "0xc"), orders=[(token, 3)])
    assert (store.orders_of(token), store.orders_of(forged)) == (4, 0)
    store.roll_back(1)
    assert store.orders_of(token) == 1
    store.roll_back(0)
    store.add([], [], (1, "0xa"), orders=[(token, 1)])
    assert store.orders_of(token) == 0, "the datatoken went with its block"
