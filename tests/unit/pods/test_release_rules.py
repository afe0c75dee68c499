"""Which release rules a job's files break, and how the rules of several owners become one."""

from __future__ import annotations

import gzip
import os
import zipfile
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contract.release import TEXTS, ContentType, ReleaseRules, strictest
from pods.publishing.release import MAX_PATHS, Broken, broken_rules, share_in_bytes
from pods.publishing.sources import FILTER_LOG, Source, find_results, step_log
from pods.publishing.tree import Found
from pods.settings import Volume

pytestmark = pytest.mark.unit

CSV = b"a,b\n1,2\n"


class Job:
    """A volume as an algorithm leaves it, and what would be published of it."""

    def __init__(self, root: Path) -> None:
        self.volume = Volume(root)
        for folder in (self.volume.outputs, self.volume.logs, self.volume.adminlogs):
            folder.mkdir()

    def write(self, name: str, content: bytes) -> Path:
        path = self.volume.outputs / name
        path.write_bytes(content)
        return path

    def files(self) -> tuple[Source, ...]:
        found = find_results(self.volume, max_files=10_000, max_bytes=1 << 50).files
        return (*found, *step_log(self.volume.adminlogs, FILTER_LOG, "filteringLog"))

    def broken(self, input_bytes: int | None = 1000, **rules: Any) -> list[Broken]:
        return list(broken_rules(self.files(), ReleaseRules(**rules), input_bytes))


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """An output of 8 bytes, a log of 30, another file in `logs/` of 5, and a log of ours of 2000."""
    job = Job(tmp_path)
    job.write("a.csv", CSV)
    (job.volume.logs / "algorithm.log").write_bytes(b"\x1b" * 30)
    (job.volume.logs / "more.txt").write_bytes(b"more\n")
    (job.volume.adminlogs / FILTER_LOG.decode()).write_bytes(b"\0" * 2000)
    return job


ALL = 8 + 5 + 30

TABLE: list[tuple[dict[str, Any], int | None, Broken | None]] = [
    ({}, None, None),
    ({"max_bytes": ALL}, None, None),
    ({"max_bytes": ALL - 1}, None, Broken("max_bytes", ALL, ALL - 1)),
    ({"max_bytes": ALL - 30, "log_bytes": 0}, None, None),
    ({"max_files": 2}, None, None),
    ({"max_files": 1}, None, Broken("max_files", 2, 1)),
    ({"share_of_inputs": 0.1}, 430, None),
    ({"share_of_inputs": 0.1}, 429, Broken("share_of_inputs", ALL, 42)),
    ({"share_of_inputs": 0.1, "log_bytes": 0}, 130, None),
    ({"share_of_inputs": 0.1}, 0, Broken("share_of_inputs", ALL, 0)),
    ({"share_of_inputs": 1000.0}, None, Broken("share_of_inputs", ALL, None)),
    ({"share_of_inputs": 0.0}, 10, Broken("share_of_inputs", ALL, 0)),
    ({"types": ("csv", "text")}, None, None),
    ({"types": ("text",)}, None, None),
    ({"types": ("csv", "png")}, None, Broken("types", "text", "csv, png", "logs/more.txt")),
    ({"log_bytes": 30}, None, None),
    ({"log_bytes": 29}, None, Broken("log_bytes", 30, 29)),
    ({"log_bytes": 0}, None, None),
    ({"approval": "owner", "approval_seconds": 60}, None, None),
]


@pytest.mark.parametrize(("rules", "input_bytes", "expected"), TABLE)
def test_a_rule(job: Job, rules: dict[str, Any], input_bytes: int | None, expected: Broken | None) -> None:
    assert job.broken(input_bytes, **rules) == ([] if expected is None else [expected])


def test_all_that_are_broken_are_told(job: Job) -> None:
    found = job.broken(10, max_bytes=1, max_files=1, share_of_inputs=0.5, types=("png",), log_bytes=1)
    assert [each.rule for each in found] == ["max_bytes", "max_files", "share_of_inputs", "types", "types", "log_bytes"]


def test_nothing_breaks_nothing(tmp_path: Path) -> None:
    strict = {"max_bytes": 0, "max_files": 0, "share_of_inputs": 0.0, "types": ()}
    job = Job(tmp_path)
    (job.volume.adminlogs / FILTER_LOG.decode()).write_bytes(b"ours\n")
    assert job.broken(None, **strict) == []
    (job.volume.logs / "algorithm.log").write_bytes(b"said\n")
    assert job.broken(None, **strict, log_bytes=0) == []
    assert [each.rule for each in job.broken(None, **strict)] == ["max_bytes", "share_of_inputs"]
    (job.volume.logs / "algorithm.log").write_bytes(b"")
    assert job.broken(None, **strict) == []


def test_a_thousand_small_files(job: Job) -> None:
    for number in range(1000):
        job.write(f"{number:04}", bytes([number % 256]) + b"\0")
    found = job.broken(max_files=1000, types=("csv", "text"))
    assert found[0] == Broken("max_files", 1002, 1000)
    assert [each.path for each in found[1:]] == [f"outputs/{number:04}" for number in range(MAX_PATHS)]


def test_names_say_nothing(job: Job) -> None:
    job.write("a.png", CSV)
    job.write("b.csv", gzip.compress(CSV))
    job.write("c.onnx", CSV)
    with zipfile.ZipFile(job.volume.outputs / "d.csv", "w") as archive:
        archive.writestr("a.zip", gzip.compress(CSV))
    job.write("e\n\xff", b"\0")
    (job.volume.logs / "more.txt").unlink()
    assert job.broken(types=("csv", "png", "onnx")) == [
        Broken("types", "gzip (in it: csv and text)", "csv, png, onnx", "outputs/b.csv"),
        Broken("types", "zip (in it: csv and text; gzip)", "csv, png, onnx", "outputs/d.csv"),
        Broken("types", "other", "csv, png, onnx", "outputs/e\\x0aÿ"),
    ]
    assert [each.path for each in job.broken(types=("csv", "text", "gzip", "other"))] == ["outputs/d.csv"]


@pytest.mark.timeout(60)
def test_a_terabyte_of_holes(job: Job) -> None:
    os.truncate(job.write("a.csv", CSV), 1 << 40)
    assert job.broken(1 << 43, max_bytes=1 << 30, share_of_inputs=0.1, types=("csv", "text")) == [
        Broken("max_bytes", (1 << 40) + 35, 1 << 30),
        Broken("share_of_inputs", (1 << 40) + 35, (1 << 43) // 10),
        Broken("types", "other", "csv, text", "outputs/a.csv"),
    ]


EVERYTHING = tuple(get_args(ContentType))


def swap_for_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def swap_for_another(path: Path) -> None:
    (path.parent / "new").write_bytes(CSV)
    (path.parent / "new").rename(path)


def swap_the_folder(path: Path) -> None:
    path.parent.rename(path.parent.parent / "away")
    path.parent.symlink_to(path.parent.parent / "away")


@pytest.mark.parametrize(
    "change",
    [Path.unlink, swap_for_a_link, swap_for_another, swap_the_folder, lambda path: os.truncate(path, 3)],
    ids=["removed", "a link", "another file", "a link instead of its folder", "shorter"],
)
def test_a_file_that_is_not_what_was_found_is_never_allowed(job: Job, change: Any) -> None:
    """Not even where everything is."""
    files = [file for file in job.files() if file.path == b"outputs/a.csv"]
    change(job.volume.outputs / "a.csv")
    rules = ReleaseRules(types=EVERYTHING)
    assert broken_rules(files, rules, 1) == (Broken("types", "changed", ", ".join(EVERYTHING), "outputs/a.csv"),)
    assert broken_rules(files, ReleaseRules(max_files=1), 1) == ()


def test_a_file_that_grows_is_judged_as_it_was_found(job: Job) -> None:
    files = job.files()
    with (job.volume.outputs / "a.csv").open("ab") as file:
        file.write(b"\0\0\0")
    assert broken_rules(files, ReleaseRules(types=("text",), max_bytes=ALL), 1) == ()


def test_a_file_that_cannot_be_read_is_never_allowed(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    found = job.broken(types=EVERYTHING)
    assert [(each.path, each.found) for each in found] == [
        ("outputs/a.csv", "unreadable (EIO)"),
        ("logs/more.txt", "unreadable (EIO)"),
    ]


def test_no_descriptor_stays_open(job: Job) -> None:
    before = len(os.listdir("/proc/self/fd"))
    job.write("b", b"\0")
    os.truncate(job.write("c", gzip.compress(CSV)), 40)
    job.broken(types=("csv",))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("share", "size", "expected"),
    [(0.1, 30, 3), (0.29, 100, 29), (1e-07, 10**9, 100), (0.0, 10, 0), (1.0, 2**60 + 1, 2**60 + 1), (0.5, 3, 1)],
)
def test_a_share_is_what_is_written(share: float, size: int, expected: int) -> None:
    assert share_in_bytes(share, size) == expected


def source(size: int, kind: Any = "output", scrubbed: bool = False) -> Source:
    return Source(Path("/nowhere"), Found(b"x", size, (0, 0)), b"outputs/x", kind, scrubbed)


SOURCES = st.lists(
    st.builds(source, st.integers(0, 100), st.sampled_from(["output", "algorithmLog"]), st.booleans()), max_size=6
)
NUMBERS = st.none() | st.integers(0, 200)
RULES = st.builds(
    ReleaseRules,
    max_bytes=NUMBERS,
    max_files=st.none() | st.integers(0, 6),
    share_of_inputs=st.none() | st.sampled_from([0.0, 0.1, 0.25, 1.0, 3.0]),
    types=st.none() | st.lists(st.sampled_from(EVERYTHING), unique=True).map(tuple),
    log_bytes=NUMBERS,
    approval=st.sampled_from(["none", "owner"]),
    approval_seconds=st.none() | st.integers(60, 90 * 86_400),
    owners_look=st.none() | st.booleans(),
    filtered=st.none() | st.booleans(),
)


@given(SOURCES, RULES, st.none() | st.integers(0, 300))
def test_amounts_are_as_they_are_read_aloud(files: list[Source], rules: ReleaseRules, inputs: int | None) -> None:
    rules = rules.model_copy(update={"types": None})
    theirs = [file for file in files if not file.scrubbed]
    logs = [file.file.size for file in theirs if file.type == "algorithmLog"] if rules.log_bytes != 0 else []
    outputs = [file.file.size for file in theirs if file.type == "output"]
    size = sum(outputs) + sum(logs)
    expected = {
        "max_bytes": rules.max_bytes is not None and size > rules.max_bytes,
        "max_files": rules.max_files is not None and len(outputs) > rules.max_files,
        "share_of_inputs": rules.share_of_inputs is not None
        and size * 20 > round(rules.share_of_inputs * 20) * (inputs or 0),
        "log_bytes": rules.log_bytes is not None and any(log > rules.log_bytes for log in logs),
    }
    assert {each.rule for each in broken_rules(files, rules, inputs)} == {
        name for name, is_so in expected.items() if is_so
    }


# --- Rules of several owners ------------------------------------------------------------------------------------------


def said(rules: ReleaseRules) -> ReleaseRules:
    """The same in one order."""
    return rules if rules.types is None else rules.model_copy(update={"types": tuple(sorted(rules.types))})


@given(RULES, RULES, RULES)
def test_the_order_of_the_owners_does_not_matter(one: ReleaseRules, two: ReleaseRules, three: ReleaseRules) -> None:
    whole = said(strictest([one, two, three]))
    assert all(said(strictest(order)) == whole for order in permutations([one, two, three]))
    assert said(strictest([strictest([one, two]), three])) == whole
    assert said(strictest([one, strictest([two, three])])) == whole


@given(RULES)
def test_saying_it_twice_is_saying_it_once(rules: ReleaseRules) -> None:
    once = strictest([rules])
    assert once == strictest([rules, rules]) == strictest([once])
    beside_nothing = strictest([rules, ReleaseRules()])
    assert beside_nothing == once.model_copy(update={"owners_look": False if rules.owners_look is False else None})
    assert once.model_copy(update={"types": None}) == rules.model_copy(update={"types": None})
    assert allowed(once.types) == allowed(rules.types)


def test_nobody_says_nothing() -> None:
    assert strictest([]) == strictest([ReleaseRules(), ReleaseRules()]) == ReleaseRules()


def allowed(types: tuple[ContentType, ...] | None) -> frozenset[ContentType] | None:
    """Each kind that passes: whoever allows texts allows tables."""
    return None if types is None else frozenset(types) | (TEXTS if "text" in types else frozenset())


def is_as_strict(one: ReleaseRules, other: ReleaseRules) -> bool:
    def within(mine: float | None, theirs: float | None) -> bool:
        return theirs is None or (mine is not None and mine <= theirs)

    return (
        within(one.max_bytes, other.max_bytes)
        and within(one.max_files, other.max_files)
        and within(one.share_of_inputs, other.share_of_inputs)
        and within(one.log_bytes, other.log_bytes)
        and within(one.approval_seconds, other.approval_seconds)
        and (other.approval == "none" or one.approval == "owner")
        and (other.types is None or (allowed(one.types) or frozenset()) <= (allowed(other.types) or frozenset()))
        and (other.types is None or one.types is not None)
        and (other.owners_look is not False or one.owners_look is False)
        and (one.owners_look is not True or other.owners_look is True)
        and (not other.filtered or one.filtered is True)
    )


@given(st.lists(RULES, max_size=4))
def test_no_owner_gets_less_than_was_said(several: list[ReleaseRules]) -> None:
    whole = strictest(several)
    assert all(is_as_strict(whole, each) for each in several)


@given(st.lists(RULES, max_size=4), SOURCES, st.none() | st.integers(0, 300))
def test_what_breaks_a_rule_of_one_owner_breaks_those_of_all(
    several: list[ReleaseRules], files: list[Source], inputs: int | None
) -> None:
    """But for what a log counts where another owner has it never shown: it does not leave then."""
    whole = strictest(several)
    if whole.log_bytes == 0:
        files = [file for file in files if file.type != "algorithmLog"]
    together = {each.rule for each in broken_rules(files, whole, inputs)}
    for each in several:
        assert {broken.rule for broken in broken_rules(files, each, inputs)} <= together


@given(st.lists(st.sampled_from(EVERYTHING), unique=True).map(tuple), st.lists(st.sampled_from(EVERYTHING)).map(tuple))
def test_a_file_that_passes_all_passes_each(one: tuple[ContentType, ...], two: tuple[ContentType, ...]) -> None:
    types = strictest([ReleaseRules(types=one), ReleaseRules(types=two)]).types
    assert types is not None
    assert allowed(types) == (allowed(one) or frozenset()) & (allowed(two) or frozenset())


@pytest.mark.parametrize(
    "rules",
    [
        {"max_bytes": -1},
        {"max_bytes": 1.5},
        {"max_files": "3"},
        {"share_of_inputs": float("nan")},
        {"share_of_inputs": -0.1},
        {"types": ("exe",)},
        {"approval": "anybody"},
        {"approval_seconds": 1},
        {"max_megabytes": 1},
    ],
)
def test_rules_that_make_no_sense(rules: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ReleaseRules(**rules)


def test_the_size_is_that_of_what_is_published(job: Job) -> None:
    """Of a long log the beginning only."""
    (log,) = (file for file in job.files() if file.type == "algorithmLog")
    cut = replace(log, file=replace(log.file, size=10))
    assert broken_rules([cut], ReleaseRules(max_bytes=10, log_bytes=10), 1) == ()
