"""What may be shown of an earlier read: never less than the watch has told, never without a watch, never for long."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argo.client.parsing import parse_workflow
from argo.client.seen import CONFIRMED_SECONDS, Reading, SeenWorkflows
from contract import names

pytestmark = pytest.mark.unit

ARCHIVING = "workflows.argoproj.io/workflow-archiving-status"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def document(name: str, version: str, **changes: Any) -> dict[str, Any]:
    metadata = {"name": name, "resourceVersion": version, "labels": {names.OWNER: "o1"}}
    status = {"phase": "Running", "message": version}
    return {"metadata": metadata | changes.pop("metadata", {}), "status": status | changes}


def read(seen: SeenWorkflows, found: Mapping[str, Any]) -> None:
    with seen.reading(found["metadata"]["name"]) as reading:
        seen.keep(reading, found, parse_workflow(found))


def version(seen: SeenWorkflows, name: str = "a") -> str | None:
    """What a status would tell; None: it would ask Argo."""
    found = seen.find(name)
    return None if found is None else found.message


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seen(clock: Clock) -> SeenWorkflows:
    seen = SeenWorkflows(clock=clock)
    seen.opened()
    return seen


def test_who_listens_is_told_of_what_is_new_to_readers(seen: SeenWorkflows) -> None:
    heard: list[str] = []
    with seen.listening("a", lambda: heard.append("one")), seen.listening("a", lambda: heard.append("other")):
        seen.changed("b", "5")
        assert heard == []
        seen.changed("a", "5")
        assert sorted(heard) == ["one", "other"]
        read(seen, document("a", "5"))
        seen.changed("a", "5")
        assert len(heard) == 2, "that has been read"
        seen.changed("a", "6")
        seen.changed("a")
        assert len(heard) == 6
        seen.lost()
        seen.opened()
        assert len(heard) == 10, "a watch that begins or ends may have missed something"
    seen.changed("a", "7")
    assert len(heard) == 10


def test_a_read_is_shown_until_the_watch_tells_of_a_change(seen: SeenWorkflows) -> None:
    assert version(seen) is None
    read(seen, document("a", "1"))
    seen.changed("a", "1")  # the event of what was read
    seen.changed("b", "2")
    assert version(seen) == "1"
    seen.changed("a", "3")
    assert version(seen) is None
    read(seen, document("a", "3"))
    assert (version(seen), seen.hits, seen.misses) == ("3", 2, 2)
    seen.changed("a")
    assert version(seen) is None


def test_nothing_is_shown_without_a_watch(seen: SeenWorkflows) -> None:
    read(seen, document("a", "1"))
    seen.lost()
    assert version(seen) is None
    read(seen, document("a", "1"))
    assert version(seen) is None
    seen.opened()
    assert version(seen) is None
    assert len(seen) == 0


def test_a_read_of_before_the_watch_is_not_kept(seen: SeenWorkflows) -> None:
    found = document("a", "1")
    with seen.reading("a") as reading:
        seen.lost()
        seen.opened()
        seen.keep(reading, found, parse_workflow(found))
    assert version(seen) is None


@pytest.mark.parametrize(("told", "kept"), [(["2"], False), (["1"], True), (["0", "1"], True), (["1", ""], False)])
def test_a_change_during_the_read(seen: SeenWorkflows, told: list[str], kept: bool) -> None:
    found = document("a", "1")
    with seen.reading("a") as reading:
        for each in told:
            seen.changed("a", each)
        seen.keep(reading, found, parse_workflow(found))
    assert (version(seen) == "1") is kept


def test_an_own_change_outlives_an_older_event(seen: SeenWorkflows) -> None:
    found = document("a", "1")
    with seen.reading("a") as reading:
        seen.changed("a")  # stopped here, and then the event of its start arrives
        seen.changed("a", "1")
        seen.keep(reading, found, parse_workflow(found))
    assert version(seen) is None


def test_after_a_while_it_is_read_again(seen: SeenWorkflows, clock: Clock) -> None:
    read(seen, document("a", "1"))
    clock.now += CONFIRMED_SECONDS
    assert version(seen) is None
    read(seen, document("a", "1"))
    assert version(seen) == "1"
    assert seen.alive


def test_a_watch_that_has_missed_a_change_is_not_believed(seen: SeenWorkflows, clock: Clock) -> None:
    read(seen, document("a", "1"))
    read(seen, document("b", "2"))
    clock.now += CONFIRMED_SECONDS
    read(seen, document("a", "3"))
    assert not seen.alive
    assert (version(seen), version(seen, "b")) == (None, None)


def test_two_reads_at_once_say_nothing_about_the_watch(seen: SeenWorkflows) -> None:
    old, new = document("a", "1"), document("a", "2")
    with seen.reading("a") as slow:
        read(seen, new)
        seen.keep(slow, old, parse_workflow(old))
    assert (seen.alive, version(seen)) == (True, "2")


@pytest.mark.parametrize(
    "found",
    [
        document("a", "1", metadata={"labels": {names.OWNER: "o1", ARCHIVING: "Persisted"}}),
        document("a", "1", metadata={"labels": {names.OWNER: "o1", ARCHIVING: "Archived"}}),
        document("a", "1", metadata={"labels": {}}),
        document("a", ""),
        document("a", "1", compressedNodes="H4sI"),
        document("a", "1", offloadNodeStatusVersion="fnv:1"),
    ],
    ids=["archived", "archived-too", "not-ours", "no-version", "compressed", "offloaded"],
)
def test_what_is_always_read_by_name(seen: SeenWorkflows, found: dict[str, Any]) -> None:
    read(seen, document("a", "0"))
    seen.changed("a", "1")
    read(seen, found)
    assert version(seen) is None


def test_it_is_bounded_in_records_and_bytes(clock: Clock) -> None:
    seen = SeenWorkflows(clock=clock, most_records=10, most_bytes=10_000)
    seen.opened()
    for number in range(30):
        read(seen, document(f"w{number}", "1"))
    assert len(seen) == 10
    for number in range(30):
        read(seen, document(f"w{number}", "1", message="x" * 4_000))
    assert len(seen) == 2
    read(seen, document("large", "1", message="x" * 10_000))
    assert (version(seen, "large"), len(seen)) == (None, 2)


@dataclass
class Under:
    """A read under way: the model's, which sees what is true at some moment while it lasts."""

    reading: Reading
    within: ExitStack
    found: dict[str, Any] | None = None
    gone: bool = False


@dataclass
class Truth:
    """What Argo knows of one workflow: (when, version), the last one is true; "" when it is deleted."""

    states: list[tuple[float, str]] = field(default_factory=list)

    def at(self, moment: float) -> int:
        return max(index for index, (when, _) in enumerate(self.states) if when <= moment)


class Watching:
    """Changes, events that lag or are lost, reads that overlap with them, own changes, ends of watches."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.seen = SeenWorkflows(clock=self.clock, most_records=8)
        self.truth = {name: Truth([(0.0, f"0{name}")]) for name in "ab"}
        self.events: list[tuple[str, int]] = []  # of this watch, not yet delivered
        self.all: list[tuple[str, int]] = []  # (name, index in its states), in order
        self.told = dict.fromkeys("ab", 0)  # the newest state that must be seen, as index
        self.reads: list[Under] = []
        self.versions = 0
        self.complete = True  # no event of this watch was lost
        self.seen.opened()

    def somebody_changes(self, name: str, gone: int) -> None:
        states = self.truth[name].states
        self.versions += 1
        states.append((self.clock.now, "" if gone == 5 else str(self.versions)))
        self.all.append((name, len(states) - 1))
        self.events.append((name, len(states) - 1))

    def we_change(self, name: str) -> None:
        self.seen.changed(name)
        self.somebody_changes(name, 0)
        self.seen.changed(name)
        self.told[name] = len(self.truth[name].states) - 1

    def an_event_arrives_or_not(self, number: int) -> None:
        name, index = self.events.pop(0)
        self.complete = self.complete and number < 5
        if number < 5:
            self.seen.changed(name, self.truth[name].states[index][1])
            self.told[name] = max(self.told[name], index)

    def the_watch_ends(self, back: int, opens: bool) -> None:
        """And the next one begins, perhaps, with a list that lags behind by some changes."""
        self.seen.lost()
        self.complete = True
        if opens:
            self.events = self.all[-back:] if back else []
            self.seen.opened()

    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    def it_is_read(self, name: str) -> None:
        self.a_read_begins(name)
        self.a_read_ends(-1)

    def a_read_begins(self, name: str) -> None:
        within = ExitStack()
        self.reads.append(Under(within.enter_context(self.seen.reading(name)), within))

    def observe(self, read: Under) -> None:
        if read.found is None:
            found = self.truth[read.reading.name].states[-1][1]
            read.found, read.gone = document(read.reading.name, found), not found

    def a_read_ends(self, which: int) -> None:
        read = self.reads.pop(which)
        self.observe(read)
        assert read.found is not None
        if read.gone:
            self.seen.changed(read.reading.name)
        else:
            self.seen.keep(read.reading, read.found, parse_workflow(read.found))
        read.within.close()

    def what_is_shown_is_true(self) -> None:
        for name in "ab":
            shown = version(self.seen, name)
            if shown is None:
                continue
            assert self.seen.alive
            states = self.truth[name].states
            index = next(index for index, (_, each) in enumerate(states) if each == shown)
            assert index >= self.told[name], "older than what was told"
            assert index >= self.truth[name].at(self.clock.now - CONFIRMED_SECONDS), "not true for too long"
            if self.complete and not self.events:
                assert index == len(states) - 1, "all was told, and this is not what is"

    def step(self, kind: int, number: int) -> None:
        name = "aab"[number % 3]
        match kind:
            case 0 | 1:
                self.somebody_changes(name, number)
            case 2:
                self.we_change(name)
            case 3 | 4 | 5 if self.events:
                self.an_event_arrives_or_not(number)
            case 6 if number < 2:
                self.the_watch_ends(number, bool(self.versions % 4))
            case 7:
                self.time_passes((0.5, 4.0, CONFIRMED_SECONDS)[number % 3])
            case 8 | 9:
                self.it_is_read(name)
            case 10 if len(self.reads) < 3:
                self.a_read_begins(name)
            case 11 if self.reads:
                self.observe(self.reads[number % len(self.reads)])
            case 12 | 13 if self.reads:
                self.a_read_ends(number % len(self.reads))
        self.what_is_shown_is_true()


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 13), st.integers(0, 5)), min_size=40, max_size=120))
def test_what_is_shown_is_what_the_watch_has_told_or_newer(steps: list[tuple[int, int]]) -> None:
    watching = Watching()
    for kind, number in steps:
        watching.step(kind, number)
    for read in watching.reads:
        read.within.close()
    assert not watching.seen._readings
