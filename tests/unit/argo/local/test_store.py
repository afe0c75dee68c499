"""The store: names, lists and their order, what a crash leaves, who may open it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from argo.local.workflows.rows import Row
from argo.local.workflows.selectors import Requirement, parse_labels
from argo.local.workflows.store import DataFolderInUse, NameTaken, Store

pytestmark = pytest.mark.unit

PHASE, COMPLETED = "workflows.argoproj.io/phase", "workflows.argoproj.io/completed"


def row(name: str, created: float = 1.0, **labels: str) -> Row:
    return Row(name, f"uid-{name}", created, dict(labels), {}, {"workflowTemplateRef": {"name": "t"}}, {})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as opened:
        yield opened


def add(store: Store, new: Row, *, finished: float | None = None) -> Row:
    store.insert(new, {"parameters": []}, {"name": "t", "spec": {"a": 1}})
    if finished is not None:
        new.finished = finished
        new.labels |= {PHASE: "Succeeded", COMPLETED: "true"}
        store.save(new, labels_changed=True)
    return new


def names(store: Store, text: str = "", **page: Any) -> list[str]:
    reader = store.reader()
    try:
        rows, _ = reader.select(parse_labels(text), (), limit=page.get("limit", 0), offset=page.get("offset", 0))
    finally:
        reader.close()
    return [found.name for found in rows]


def test_what_is_stored_is_read_again(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        stored = add(store, row("a", owner="x"))
        assert store.get("a") == stored
        assert store.content(stored) == ({"parameters": []}, {"name": "t", "spec": {"a": 1}})
        assert store.get("b") is None
    with Store(tmp_path) as again:
        assert again.get("a") == stored
        assert again.version == stored.version


def test_a_name_is_taken_once(store: Store) -> None:
    add(store, row("a"))
    with pytest.raises(NameTaken):
        add(store, row("a"))
    assert store.delete("a")
    assert not store.delete("a")
    add(store, row("a"))


def test_unfinished_come_first_and_the_newest_of_each_before_the_others(store: Store) -> None:
    for number in range(3):
        add(store, row(f"old-{number}", number), finished=100.0 + number)
        add(store, row(f"new-{number}", number))
    assert names(store) == ["new-2", "new-1", "new-0", "old-2", "old-1", "old-0"]
    assert names(store, limit=2, offset=2) == ["new-0", "old-2"]


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("owner=x", {"a", "c"}),
        ("owner!=x", {"b", "d"}),
        ("owner in (x,y)", {"a", "b", "c"}),
        ("owner", {"a", "b", "c"}),
        ("!owner", {"d"}),
        (f"{COMPLETED}!=true", {"a", "b", "d"}),
        (f"{COMPLETED}=true", {"c"}),
        (f"owner=x,{PHASE}=Succeeded", {"c"}),
        ("n>3", {"b"}),
        ("n<3", {"a"}),
        ("owner=';DROP", set()),
    ],
)
def test_selects_by_label_as_the_selector_itself_would(store: Store, selector: str, found: set[str]) -> None:
    rows = [row("a", owner="x", n="1"), row("b", owner="y", n="5"), row("c", owner="x"), row("d", n="z")]
    for new in rows:
        add(store, new, finished=5.0 if new.name == "c" else None)
    assert set(names(store, selector)) == found
    assert {new.name for new in rows if all(item.matches(new.labels) for item in parse_labels(selector))} == found


def test_counts_what_remains(store: Store) -> None:
    for number in range(5):
        add(store, row(f"a-{number}", number, owner="x"))
    reader = store.reader()
    try:
        rows, left = reader.select(parse_labels("owner=x"), (), limit=2, offset=1)
        assert (len(rows), left) == (2, 2)
        only = (Requirement("name", "in", ("a-3",)),)
        assert [found.name for found in reader.select((), only, limit=0, offset=0)[0]] == ["a-3"]
    finally:
        reader.close()


def test_expired_and_unfinished(store: Store) -> None:
    done = add(store, row("done", 1), finished=10.0)
    done.expires = 20.0
    store.save(done, labels_changed=False)
    add(store, row("later", 3))
    add(store, row("early", 2))
    assert [found.name for found in store.unfinished()] == ["later", "early"]
    assert store.expired(19.0) == []
    assert store.expired(20.0) == ["done"]


def test_one_server_at_a_time(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataFolderInUse):
        Store(tmp_path)
