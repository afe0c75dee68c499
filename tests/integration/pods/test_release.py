"""Release rules at the publishing step: either all that an algorithm left goes, or nothing of it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract.provenance import Provisioned
from contract.release import NO_RULES, ReleaseRules
from pods.provisioned import write_provisioned
from pods.settings import Volume
from results.store import StoreConfig
from tests.support.published import JOB_ID, use

pytestmark = pytest.mark.integration

DATA = b"name,income\n" + b"".join(b"person %d,%d\n" % (n, n * 7) for n in range(200))
OWN_LOGS = ["configure.log", "publish.log"]


def prepared(job: Any, rules: ReleaseRules | None = None, *, input_bytes: int = 100_000) -> Path:
    """The volume after the algorithm: a small table, its log, our own log. `rules` None: configuration told nothing."""
    data: Path = job.data
    for name in ("outputs", "logs", "adminlogs"):
        (data / name).mkdir()
    (data / "outputs/means.csv").write_bytes(b"group,mean\na,1\nb,2\n")
    (data / "logs/algorithm.log").write_bytes(b"read 200 rows\n")
    (data / "adminlogs/configure.log").write_bytes(b"fine\n")
    if rules is not None:
        measured = Provisioned(
            inputs=(), algorithm=(), documents={}, custom_data="", input_bytes=input_bytes, release=rules
        )
        write_provisioned(Volume(data), measured)
    use(job, StoreConfig(f"file://{job.folder / 'stored'}"))
    return data


def published(job: Any) -> tuple[list[str], dict[str, Any], str]:
    """The files that the consumer can have, the summary, and what the pod printed."""
    done = job.run("publishing")
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((job.folder / "stored" / JOB_ID / "manifest.json").read_bytes())
    return (
        [file["filename"] for file in manifest["files"]],
        json.loads((job.folder / "results.json").read_bytes()),
        done.stdout,
    )


def stored_bytes(job: Any) -> bytes:
    """All that lies in the store, names included."""
    files = [file for file in (job.folder / "stored").rglob("*") if file.is_file()]
    return b"".join(str(file).encode() + file.read_bytes() for file in files)


def test_what_meets_all_rules_is_published(job: Any) -> None:
    rules = ReleaseRules(max_bytes=1000, max_files=1, types=("csv",), log_bytes=100, share_of_inputs=0.1)
    prepared(job, rules)
    names, summary, _ = published(job)
    assert names == ["means.csv", "algorithm.log", *OWN_LOGS]
    assert "withheld" not in summary


def rows(data: Path) -> None:
    (data / "outputs/rows.csv").write_bytes(DATA)


def packed(data: Path) -> None:
    (data / "outputs/rows.csv").write_bytes(gzip.compress(DATA))


def many(data: Path) -> None:
    for number in range(1000):
        (data / f"outputs/{number}.csv").write_bytes(b"a,b\n1,%d\n" % number)


def talking(data: Path) -> None:
    (data / "logs/algorithm.log").write_bytes(DATA)


def elsewhere(data: Path) -> None:
    """Another file in the folder of logs is an output."""
    (data / "logs/more.txt").write_bytes(b"no table\n")


def nothing_more(data: Path) -> None:
    pass


BROKEN: dict[str, tuple[ReleaseRules, Callable[[Path], None], str]] = {
    "a copy of the data": (ReleaseRules(max_bytes=1000), rows, "max_bytes"),
    "a copy, by the share": (ReleaseRules(share_of_inputs=0.01), rows, "share_of_inputs"),
    "a packed copy": (ReleaseRules(types=("csv",)), packed, "types"),
    "many small files": (ReleaseRules(max_files=20), many, "max_files"),
    "a log that prints the data": (ReleaseRules(log_bytes=1000), talking, "log_bytes"),
    "a log that prints the data, by all bytes": (ReleaseRules(max_bytes=1000), talking, "max_bytes"),
    "a second log": (ReleaseRules(types=("csv",)), elsewhere, "types"),
    "no type at all": (ReleaseRules(types=()), nothing_more, "types"),
    "no byte at all": (ReleaseRules(max_bytes=0), nothing_more, "max_bytes"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_one_broken_rule_withholds_everything(job: Any, what: str) -> None:
    rules, act, named = BROKEN[what]
    act(prepared(job, rules))
    names, summary, printed = published(job)
    assert names == OWN_LOGS
    assert summary["withheld"] is True
    assert named in printed, "the operator reads which rule it was"
    stored = stored_bytes(job)
    for secret in (b"means.csv", b"group,mean", b"person 7", b"read 200 rows"):
        assert secret not in stored
    log = (job.folder / "stored" / JOB_ID / "adminlogs/publish.log").read_text()
    assert "release rules" in log
    assert named not in log, "the consumer does not read it"


def test_a_log_of_no_bytes_is_never_shown_but_withholds_nothing(job: Any) -> None:
    talking(prepared(job, ReleaseRules(log_bytes=0, max_bytes=100)))
    names, summary, _ = published(job)
    assert names == ["means.csv", *OWN_LOGS]
    assert "withheld" not in summary
    assert b"person 7" not in stored_bytes(job)


def test_rules_of_the_environment_hold_without_any_of_a_dataset(job: Any) -> None:
    for told in (NO_RULES, None):
        job.changes["C2D_RELEASE_RULES"] = json.dumps(ReleaseRules(max_bytes=10).told())
        if not job.data.joinpath("outputs").exists():
            prepared(job, told)
        names, summary, _ = published(job)
        assert (names, summary["withheld"]) == (OWN_LOGS, True)


def test_the_strictest_holds(job: Any) -> None:
    job.changes["C2D_RELEASE_RULES"] = json.dumps(ReleaseRules(max_bytes=1_000_000).told())
    rows(prepared(job, ReleaseRules(max_bytes=1000)))
    assert published(job)[0] == OWN_LOGS


def test_rules_that_cannot_be_read_let_nothing_go(job: Any) -> None:
    data = prepared(job, ReleaseRules())
    (data / "record/provisioned.json").write_text("{")
    names, summary, _ = published(job)
    assert (names, summary["withheld"]) == (OWN_LOGS, True)
    assert b"means.csv" not in stored_bytes(job)


def test_an_environment_whose_rules_are_none_is_told(job: Any) -> None:
    prepared(job)
    job.changes["C2D_RELEASE_RULES"] = '{"maxBytes": "much"}'
    done = job.run("publishing")
    assert done.returncode == 62
    assert "C2D_RELEASE_RULES" in done.stdout


def test_what_is_judged_is_what_is_published(job: Any) -> None:
    """A program that is still running may change its files; the copy is not its own."""
    data = prepared(job, ReleaseRules(types=("csv",)))
    assert published(job)[0] == ["means.csv", "algorithm.log", *OWN_LOGS]
    assert (data / "released/outputs/means.csv").stat().st_ino != (data / "outputs/means.csv").stat().st_ino
    (data / "outputs/means.csv").write_bytes(gzip.compress(DATA))
    names, summary, _ = published(job)  # the step's next attempt judges anew
    assert (names, summary["withheld"]) == (OWN_LOGS, True)


def test_the_copy_of_a_filter_is_judged(job: Any) -> None:
    data = prepared(job, ReleaseRules(max_bytes=1000))
    rows(data)  # what the algorithm left breaks the rule, what the filter left of it does not
    copy = data / "released"
    for name in ("outputs", "logs", "adminlogs"):
        (copy / name).mkdir(parents=True)
    (copy / "outputs/means.csv").write_bytes(b"group,mean\na,1\nb,2\n")
    (copy / "adminlogs/filter.log").write_bytes(b"looked\n")
    job.changes["C2D_RELEASE"] = "Succeeded"
    names, summary, _ = published(job)
    assert names == ["means.csv", "configure.log", "filter.log", "publish.log"]
    (copy / "outputs/rows.csv").write_bytes(DATA)
    names, summary, _ = published(job)
    assert (names, summary["withheld"]) == (["configure.log", "filter.log", "publish.log"], True)


def test_a_job_that_never_ran_is_not_called_withheld(job: Any) -> None:
    """Its configuration failed: there is an empty log, and no word about inputs."""
    data = prepared(job)
    job.changes["C2D_RELEASE_RULES"] = json.dumps(ReleaseRules(max_bytes=10, share_of_inputs=0.1).told())
    (data / "outputs/means.csv").unlink()
    (data / "logs/algorithm.log").write_bytes(b"")
    names, summary, _ = published(job)
    assert names == ["algorithm.log", *OWN_LOGS]
    assert "withheld" not in summary
