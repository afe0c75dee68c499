"""The filtering step's parts as processes: the copy, the wrapper around a filter, and what is published then."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from contract.exit_codes import ExitCode
from contract.manifest import Manifest
from workflow_templates import steps
from workflow_templates.environment import read_environments
from workflow_templates.parts import Filter

pytestmark = pytest.mark.integration
JOB_ID = "00" + "a1" * 15


def left_behind(data: Path) -> None:
    """An ordinary job's volume, with things in it that no filter should have to meet."""
    for folder in ("outputs/deep/er", "logs", "adminlogs"):
        (data / folder).mkdir(parents=True)
    (data / "outputs" / "a").write_bytes(b"first")
    (data / "outputs" / "deep" / "er" / "b").write_bytes(b"x" * 3_000_000)
    (data / "logs" / "algorithm.log").write_text("said something\n")
    (data / "logs" / ".run").write_text("started 4242\nfinished 4243\nexit 0\n")
    (data / "adminlogs" / "configure.log").write_text("configured\n")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def publish(job: Any, release: str | None) -> Manifest:
    """What publishing makes of the volume when filtering ended so."""
    (job.folder / "store").mkdir(exist_ok=True)
    (job.folder / "store" / "store.json").write_text(json.dumps({"url": f"file://{job.folder}/published"}))
    (job.folder / "published").mkdir(exist_ok=True)
    if release is not None:
        job.changes["C2D_RELEASE"] = release
    done = job.run("publishing")
    assert done.returncode == ExitCode.DONE, done.stdout + done.stderr
    return Manifest.model_validate_json((job.folder / "published" / JOB_ID / "manifest.json").read_bytes())


def paths(manifest: Manifest) -> list[str]:
    return [file.path for file in manifest.files]


def test_outputs_and_logs_are_copied(job: Any) -> None:
    left_behind(job.data)
    done = job.run("filtering")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "copied 3 files, 3.0 MB; 0 left out\n"
    assert tree(job.data / "released") == {
        "adminlogs/filter.log": b"",
        "logs/algorithm.log": b"said something\n",
        "outputs/a": b"first",
        "outputs/deep/er/b": b"x" * 3_000_000,
    }


def test_a_volume_with_nothing_on_it_gives_an_empty_copy(job: Any) -> None:
    assert job.run("filtering").returncode == 0
    assert sorted(p.name for p in (job.data / "released").iterdir()) == ["adminlogs", "logs", "outputs"]
    assert tree(job.data / "released") == {"adminlogs/filter.log": b""}


def test_links_and_odd_files_are_not_followed_nor_named(job: Any, tmp_path: Path) -> None:
    left_behind(job.data)
    (tmp_path / "elsewhere").write_text("not the algorithm's")
    outputs = job.data / "outputs"
    (outputs / "link-SIGNAL").symlink_to(tmp_path / "elsewhere")
    (outputs / "folder-link").symlink_to("/etc")
    os.mkfifo(outputs / "fifo")
    os.link(outputs / "a", outputs / "z-again")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(os.path.relpath(outputs / "socket"))
    os.truncate(outputs / "deep" / "er" / "b", 0)
    done = job.run("filtering")
    assert done.returncode == 0
    assert done.stdout == "copied 3 files, 20 B; 5 left out\n"
    assert set(tree(job.data / "released" / "outputs")) == {"a", "deep/er/b"}
    assert not [p for p in (job.data / "released").rglob("*") if p.is_symlink()]
    assert (job.data / "released" / "adminlogs" / "filter.log").read_text() == ""


def test_names_of_any_bytes_are_kept(job: Any) -> None:
    left_behind(job.data)
    odd = os.fsencode(job.data / "outputs") + b"/\xff\n-\xe2\x80\xae"
    with open(odd, "wb") as file:
        file.write(b"odd")
    assert job.run("filtering").returncode == 0
    copied = os.fsencode(job.data / "released" / "outputs") + b"/\xff\n-\xe2\x80\xae"
    assert Path(os.fsdecode(copied)).read_bytes() == b"odd"


def test_a_second_attempt_begins_anew_in_the_same_folders(job: Any) -> None:
    left_behind(job.data)
    assert job.run("filtering").returncode == 0
    released = job.data / "released"
    before = {p.name: p.stat().st_ino for p in released.iterdir()}
    (released / "outputs" / "a").write_text("rewritten")
    (released / "outputs" / "new").mkdir()
    (released / "logs" / "away").symlink_to(job.data / "outputs")
    assert job.run("filtering").returncode == 0
    assert {p.name: p.stat().st_ino for p in released.iterdir()} == before
    assert (released / "outputs" / "a").read_bytes() == b"first"
    assert not (released / "outputs" / "new").exists()
    assert (job.data / "outputs" / "a").read_bytes() == b"first"


def test_the_limits_are_those_of_publishing(job: Any) -> None:
    left_behind(job.data)
    job.changes |= {"C2D_MAX_OUTPUT_BYTES": "1000", "C2D_MAX_OUTPUT_FILES": "5"}
    assert job.run("filtering").stdout == "copied 2 files, 20 B; 1 left out\n"


def test_no_room_for_the_copy_withholds_and_says_so(job: Any) -> None:
    left_behind(job.data)
    environ = job.environ | {"PYTHONPATH": str(Path.cwd()), "PATH": os.environ["PATH"]}
    words = "ulimit -f 1000; trap '' XFSZ; exec python -m pods.filtering"  # blocks of 512 bytes: a file may not grow on
    done = subprocess.run(["sh", "-c", words], env=environ, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == ExitCode.NOT_COLLECTED, done.stdout + done.stderr
    assert "no room" in (job.data / "released" / "adminlogs" / "filter.log").read_text()


def test_a_missing_setting_is_named(job: Any) -> None:
    job.changes["C2D_DATA"] = ""
    done = job.run("filtering")
    assert (done.returncode, done.stdout) == (ExitCode.NOT_COLLECTED, "filtering cannot start: C2D_DATA is not set\n")


# --- the wrapper -----------------------------------------------------------------------------------------------------


def wrapped(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """The filter's container command, as a plain process."""
    made = steps.filtering(read_environments()[0], Filter(image="any", command=command))
    words = list(made.command or [])
    environ = {"PATH": os.environ["PATH"], "C2D_FILTER_LOG": str(folder / "filter.log")}
    return subprocess.run(words, env=environ, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize("code", [0, 1, 10, 75, 255])
def test_a_filter_ends_the_pod_as_it_ended(tmp_path: Path, code: int) -> None:
    done = wrapped(tmp_path, "sh", "-c", f"echo out; echo err >&2; exit {code}")
    assert (done.returncode, done.stdout, done.stderr) == (code, "out\nerr\n", "")
    assert (tmp_path / "filter.log").read_text() == "out\nerr\n"


def test_words_reach_the_filter_as_they_are(tmp_path: Path) -> None:
    assert wrapped(tmp_path, "printf", "[%s]", "a b", "$HOME", "'", '"; exit 0').stdout == "[a b][$HOME]['][\"; exit 0]"


@pytest.mark.parametrize("command", [("no-such-program",), ("sh", "-c", "kill -9 $$"), ("/",)])
def test_an_end_without_a_verdict_is_none(tmp_path: Path, command: tuple[str, ...]) -> None:
    assert wrapped(tmp_path, *command).returncode not in (0, 75)


def test_a_filter_decides_whatever_becomes_of_its_log(tmp_path: Path) -> None:
    assert wrapped(tmp_path / "missing", "sh", "-c", "echo said; exit 0").returncode == 0
    assert wrapped(tmp_path / "missing", "sh", "-c", "echo said; exit 3").returncode == 3


# --- publishing ------------------------------------------------------------------------------------------------------


def test_the_copy_is_published_not_what_the_algorithm_changes_later(job: Any) -> None:
    left_behind(job.data)
    assert job.run("filtering").returncode == 0
    (job.data / "released" / "outputs" / "deep" / "er" / "b").unlink()
    (job.data / "released" / "adminlogs" / "filter.log").write_text("fine\n")
    (job.data / "outputs" / "a").write_text("changed after the verdict")
    (job.data / "outputs" / "late").write_text("made after the verdict")
    manifest = publish(job, "Succeeded")
    assert paths(manifest) == [
        "outputs/a",
        "logs/algorithm.log",
        "adminlogs/configure.log",
        "adminlogs/filter.log",
        "adminlogs/publish.log",
    ]
    assert (manifest.run, manifest.left_out) == (None, ())
    assert (job.folder / "published" / manifest.files[0].key).read_bytes() == b"first"


@pytest.mark.parametrize("release", ["Failed", "Error", "Omitted", "", "{{tasks.filtering.status}}", "succeeded"])
def test_nothing_of_the_algorithms_is_published_without_a_release(job: Any, release: str) -> None:
    left_behind(job.data)
    os.symlink("/etc", job.data / "outputs" / "named-SIGNAL")
    assert job.run("filtering").returncode == 0
    (job.data / "released" / "adminlogs" / "filter.log").write_text("no\n")
    manifest = publish(job, release)
    assert paths(manifest) == ["adminlogs/configure.log", "adminlogs/filter.log", "adminlogs/publish.log"]
    assert [(entry.path, entry.reason) for entry in manifest.left_out] == [("", "withheld")]
    assert manifest.run is None
    published = b"".join(tree(job.folder / "published").values())
    for secret in (b"first", b"said something", b"SIGNAL", b"4242", b"deep"):
        assert secret not in published


def test_publishing_after_a_filter_that_never_ran_has_the_other_logs(job: Any) -> None:
    left_behind(job.data)
    assert paths(publish(job, "Error")) == ["adminlogs/configure.log", "adminlogs/publish.log"]
