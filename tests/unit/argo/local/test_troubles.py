"""Full disks, pods that cannot be removed, callers who hang up: the server goes on, and says so once."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from argo.local import troubles
from argo.local.engine.node import Node
from argo.local.errors import ApiError
from argo.local.pods.runtime import ImageUnavailable, PodEnd, PodStatus
from argo.local.workflows import controller as controller_module
from argo.local.workflows.controller import Controller
from argo.local.workflows.rows import Row
from argo.local.workflows.store import Store
from argo.local.workflows.tasks import Tasks
from tests.support.argo_controller import controlled, end, start, until
from tests.support.fake_pods import FakePods

pytestmark = pytest.mark.unit

FULL = sqlite3.OperationalError("database or disk is full")
NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller_module, "_ROUND_SECONDS", 0.01)
    monkeypatch.setattr(controller_module, "AGAIN_SECONDS", 0.01)


@pytest.fixture(autouse=True)
async def nothing_is_lost_in_silence() -> Any:
    """asyncio says "Task exception was never retrieved" and the like to its loop's handler."""
    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(str(context)))
    yield
    gc.collect()
    assert said == []


class Failing(Store):
    """A store that fails on demand, as often as it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.failures: dict[str, int] = {}
        self.failed = 0
        self.exc: Exception = FULL

    def _try(self, what: str) -> None:
        if self.failures.get(what, 0):
            self.failures[what] -= 1
            self.failed += 1
            raise self.exc

    def save(self, row: Row, *, labels_changed: bool) -> None:
        self._try("save")
        super().save(row, labels_changed=labels_changed)

    def insert(self, row: Row, arguments: Any, template: Any) -> None:
        self._try("insert")
        super().insert(row, arguments, template)

    def delete(self, name: str) -> bool:
        self._try("delete")
        return super().delete(name)

    def expired(self, now: float) -> list[str]:
        self._try("expired")
        return super().expired(now)


@pytest.mark.parametrize("failures", [1, 2, 7, 30])
@pytest.mark.parametrize(
    "exc", [FULL, sqlite3.DatabaseError("disk image"), NO_SPACE], ids=lambda exc: type(exc).__name__
)
async def test_a_workflow_goes_on_after_saves_that_failed(tmp_path: Path, failures: int, exc: Exception) -> None:
    store, pods = Failing(tmp_path), FakePods()
    store.exc = exc
    async with controlled(tmp_path, pods, store) as controller:
        store.failures = {"save": failures}
        with capture_logs() as logs:
            await start(controller, "a")
            assert (await end(controller, "a")).status["phase"] == "Succeeded"
        assert store.failures["save"] == 0
        stored = store.get("a")
        assert stored is not None
        assert stored.status["phase"] == "Succeeded"
        told = [line for line in logs if line["event"] == "save_failed"]
        assert 1 <= len(told) <= 3  # a trouble that is over and comes again is told again
        assert any(line["event"] == "trouble_over" for line in logs)


async def test_nobody_sees_a_state_that_is_not_stored_and_no_pod_starts_for_it(tmp_path: Path) -> None:
    store, pods = Failing(tmp_path), FakePods()
    async with controlled(tmp_path, pods, store) as controller:
        seen: list[Row] = []
        controller.listeners.add(lambda change, row: seen.append(row))
        store.failures = {"save": 10**6}
        await start(controller, "a")
        await until(lambda: store.failed > 5, "saves are tried again")
        assert not pods.specs
        assert controller.current("a").status == {"startedAt": None, "finishedAt": None}
        assert len(seen) == 1
        store.failures = {}
        assert (await end(controller, "a")).status["phase"] == "Succeeded"


@pytest.mark.parametrize("strategy", ["Stop", "Terminate"])
async def test_a_stop_that_could_not_be_stored_has_not_happened(tmp_path: Path, strategy: Any) -> None:
    store, pods = Failing(tmp_path), FakePods(hold=True)
    async with controlled(tmp_path, pods, store) as controller:
        await start(controller, "a")
        await until(lambda: bool(pods.specs), "its pod runs")
        store.failures = {"save": 1}
        with pytest.raises(ApiError) as refused:
            controller.shut_down("a", strategy)
        assert refused.value.status == 503
        assert "shutdown" not in controller.current("a").spec
        controller.shut_down("a", strategy)
        pods.hold = False
        assert (await end(controller, "a")).status["message"] == f"Stopped with strategy '{strategy}'"


async def test_a_stop_whose_saves_fail_still_ends_the_pod(tmp_path: Path) -> None:
    store, pods = Failing(tmp_path), FakePods(hold=True)
    async with controlled(tmp_path, pods, store) as controller:
        await start(controller, "a")
        await until(lambda: controller.current("a").status.get("phase") == "Running" and bool(pods.specs), "it runs")
        controller.shut_down("a", "Terminate")
        store.failures = {"save": 3}
        await end(controller, "a")
        await until(lambda: len(pods.ends) == len(pods.specs), "its pod is ended")


@pytest.mark.parametrize("what", ["insert", "delete"])
async def test_a_call_that_cannot_be_stored_is_503_and_changes_nothing(tmp_path: Path, what: str) -> None:
    store, pods = Failing(tmp_path), FakePods()
    async with controlled(tmp_path, pods, store) as controller:
        await start(controller, "a")
        store.failures = {what: 1}
        with pytest.raises(ApiError) as refused:
            await (start(controller, "b") if what == "insert" else controller.delete("a"))
        assert refused.value.status == 503
        assert "disk is full" in refused.value.message
        assert (await end(controller, "a")).status["phase"] == "Succeeded"
        if what == "insert":
            await start(controller, "b")
            assert (await end(controller, "b")).status["phase"] == "Succeeded"
        else:
            await controller.delete("a")
            assert store.get("a") is None


@pytest.mark.parametrize("exc", [FULL, NO_SPACE, RuntimeError("a fault")], ids=lambda exc: type(exc).__name__)
async def test_rounds_go_on_after_any_error(tmp_path: Path, exc: Exception) -> None:
    store = Failing(tmp_path)
    store.exc = exc
    async with controlled(tmp_path, FakePods(), store) as controller:
        with capture_logs() as logs:
            store.failures = {"expired": 20}
            await until(lambda: store.failed == 20, "rounds go on")
            (tmp_path / "templates" / "more.yaml").write_text("kind: ConfigMap\nmetadata: {name: m}\ndata: {a: '1'}\n")
            await until(lambda: controller.library.limit("m", "a") == 1, "manifests are still read")
            await until(lambda: any(line["event"] == "trouble_over" for line in logs), "its end is told")
        assert len([line for line in logs if line["event"] == "forget_expired_failed"]) == 1


async def test_a_listener_that_fails_stops_nothing(tmp_path: Path) -> None:
    async with controlled(tmp_path, FakePods()) as controller:

        def broken(change: str, row: Row) -> None:
            raise RuntimeError("gone")

        controller.listeners.add(broken)
        await start(controller, "a")
        assert (await end(controller, "a")).status["phase"] == "Succeeded"
        assert not controller.listeners


async def test_a_fault_of_ours_ends_one_workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = controller_module.Advance.perform

    def perform(step: Any) -> None:
        if step.run.name == "odd" and step.run.nodes:
            raise KeyError("a fault")
        real(step)

    monkeypatch.setattr(controller_module.Advance, "perform", perform)
    pods, store = FakePods(), Failing(tmp_path)
    async with controlled(tmp_path, pods, store) as controller:
        await start(controller, "odd")
        store.failures = {"save": 2}
        await start(controller, "good")
        odd = await end(controller, "odd")
        assert odd.status["message"] == "internal error: KeyError"
        assert {node["phase"] for node in odd.status.get("nodes", {}).values()} <= {"Error", "Succeeded", "Failed"}
        assert (await end(controller, "good")).status["phase"] == "Succeeded"


async def test_a_pod_whose_image_is_not_there_fails_at_once_with_its_name(tmp_path: Path) -> None:
    pods = FakePods()
    pods.trouble = {"require_image": ImageUnavailable("example.org/a/b", "images are not pulled here")}
    async with controlled(tmp_path, pods) as controller:
        await start(controller, "a")
        ended = await end(controller, "a")
        nodes = [node for node in ended.status["nodes"].values() if node["type"] == "Pod"]
        assert 'ErrImagePull: failed to pull image "example.org/a/b"' in nodes[0]["message"]
        assert not any("exitCode" in node.get("outputs", {}) for node in nodes)


# -- clean-up


def node_of(controller: Controller, name: str) -> Node:
    nodes = controller._active[name].run.nodes.values()
    return next(node for node in nodes if node.type == "Pod")


async def test_a_pod_is_cleaned_up_once_at_a_time(tmp_path: Path) -> None:
    """Whatever asks for it, and however often."""
    pods = FakePods(hold=True)
    running, most = 0, 0

    async with controlled(tmp_path, pods) as controller:
        await start(controller, "a")
        await until(lambda: bool(pods.specs), "its pod runs")
        active = controller._active["a"]
        node, cleanup = node_of(controller, "a"), controller._cleanup
        name = active.run.pod(node)
        real = pods.remove

        def remove(folder: Path) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            time.sleep(0.02)
            real(folder)
            running -= 1

        pods.remove = remove  # type: ignore[method-assign]
        with capture_logs() as logs:
            for _ in range(5):
                cleanup.pod_ended(active.run, node, PodStatus("ended", end=None))
            await asyncio.gather(*(cleanup._remove_pods([name], active.run.uid) for _ in range(10)))
            await controller.delete("a")
        assert most == 1
        assert not [line for line in logs if line["log_level"] == "error"]


@pytest.mark.parametrize("exc", [NO_SPACE, PermissionError(errno.EPERM, "no"), TimeoutError("does not end")])
async def test_what_could_not_be_removed_is_removed_later(tmp_path: Path, exc: Exception) -> None:
    pods = FakePods()
    async with controlled(tmp_path, pods) as controller:
        await start(controller, "a")
        await end(controller, "a")
        pods.trouble = {"remove": exc}
        with capture_logs() as logs:
            await controller.delete("a")
            await asyncio.sleep(0.1)
        assert len([line for line in logs if line["event"] == "not_removed"]) == 1
        pods.trouble = {}
        await until(lambda: not list((tmp_path / "pods").iterdir()), "it is removed")


async def test_a_server_starts_although_leftovers_cannot_be_removed(tmp_path: Path) -> None:
    pods = FakePods()
    (tmp_path / "pods" / "lost").mkdir(parents=True)
    (tmp_path / "files" / "odd").mkdir(parents=True)
    (tmp_path / "files" / "odd" / "owner.json").write_text('["x"]')
    pods.trouble = {"remove": NO_SPACE}
    async with controlled(tmp_path, pods) as controller:
        await start(controller, "a")
        assert (await end(controller, "a")).status["phase"] == "Succeeded"


# -- the tools


async def test_a_task_that_fails_is_logged() -> None:
    tasks = Tasks()

    async def fails() -> None:
        raise ValueError("of course")

    with capture_logs() as logs:
        tasks.spawn(fails(), "mine")
        await until(lambda: bool(logs), "it is logged")
    assert (logs[0]["event"], logs[0]["task"]) == ("background_task_failed", "mine")
    assert not list(tasks)


def test_a_trouble_is_told_once_per_kind_and_again_after_a_while() -> None:
    now = iter([0.0, 1.0, 2.0, 3.0, troubles.REMINDER_SECONDS + 1])
    known = troubles.Troubles(lambda: next(now))
    with capture_logs() as logs:
        for exc in (FULL, FULL, NO_SPACE, FULL, FULL):
            known.met("save_failed", exc)
        known.over("save_failed")
        known.over("save_failed")
    assert [(line["event"], line.get("times_since")) for line in logs] == [
        ("save_failed", 0),
        ("save_failed", 0),
        ("save_failed", 2),
        ("trouble_over", 0),
        ("trouble_over", 0),
    ]


# -- a disk that is really full


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(place)], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip(f"no small file system: {done.stderr.decode()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)


async def _start_many(controller: Controller) -> None:
    for number in range(50):  # (some room may be left in the journal)
        await start(controller, f"more-{number}")


async def test_a_disk_that_is_full_for_a_while(small_disk: Path) -> None:
    pods = FakePods(hold=True)
    async with controlled(small_disk, pods, reserve_bytes=0) as controller:
        for name in ("a", "b"):
            await start(controller, name)
        await until(lambda: len(pods.specs) == 2, "their pods run")
        with pytest.raises(OSError, match="No space"):
            _fill(small_disk / "filler")
        with capture_logs() as logs:
            with pytest.raises(ApiError) as refused:
                await _start_many(controller)
            assert refused.value.status == 503
            pods.hold = False
            for folder in list(pods.specs):
                pods.ends[folder] = PodEnd("exited", 0, "", 1.0, 2.0)
            await until(lambda: any(line["event"] == "save_failed" for line in logs), "a save fails")
        (small_disk / "filler").unlink()
        for name in ("a", "b"):
            assert (await end(controller, name)).status["phase"] == "Succeeded"


async def test_no_pod_starts_below_the_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job waits, says why, and is not failed for it; it starts when there is room again."""
    real = os.statvfs(tmp_path)
    free = [0]

    def statvfs(path: Any) -> Any:
        fields = [*real]
        fields[4] = free[0] // real.f_frsize  # f_bavail
        return os.statvfs_result(fields)

    monkeypatch.setattr("argo.local.workflows.podwatch.os.statvfs", statvfs)
    pods = FakePods()
    async with controlled(tmp_path, pods) as controller:
        await start(controller, "a")

        def said() -> str:
            nodes = controller.current("a").status.get("nodes", {}).values()
            return " ".join(node.get("message", "") for node in nodes if node["type"] == "Pod")

        await until(lambda: "1024 MiB are kept in reserve" in said(), "it says what it waits for")
        assert not pods.specs
        free[0] = 2 << 30
        assert (await end(controller, "a")).status["phase"] == "Succeeded"
