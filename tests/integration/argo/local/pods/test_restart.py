"""Kills at any moment: of the server that starts pods, and of the watcher of a pod."""

# ruff: noqa: ASYNC220, ASYNC222, ASYNC251, S311  (these tests wait on purpose)

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from argo.local.pods.watcher import files
from tests.support.pods import Pods, living, writable

pytestmark = pytest.mark.integration

SERVER = """
import sys, time
from pathlib import Path
from argo.local.pods import Images, SandboxRuntime
from argo.local.pods.runtime import Container, Mount, PodSpec
runtime, base, volume = SandboxRuntime(Images.default()), Path(sys.argv[1]), Path(sys.argv[2])
print("up", flush=True)
script = 'echo "$0" >> /data/runs; for n in 1 2 3 4 5 6; do echo line $n; sleep 0.03; done; exit 7'
for name in sys.argv[3:]:
    container = Container("debian", ("sh", "-c", script, name), {}, (Mount(volume, "/data", False),))
    runtime.start(base / name, PodSpec(name, container))
while not all(runtime.status(base / name).state == "ended" for name in sys.argv[3:]):
    time.sleep(0.01)
"""
LOG = "".join(f"line {n}\n" for n in range(1, 7))


def _server(pods: Pods, volume: Path, names: list[str]) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-c", SERVER, str(pods.base / "pods"), str(volume), *names]
    server = subprocess.Popen(arguments, stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert server.stdout.read(3) == b"up\n"
    return server


async def test_a_killed_server_finds_its_pods_again(pods: Pods) -> None:
    """Every pod runs exactly once, with its code and its whole log, wherever the server was killed."""
    chance, volume, names = random.Random(20), pods.volume(), []
    killed = 0
    for number in range(6):
        mine = [f"r{number}-{n}" for n in range(3)]
        names += mine
        for _ in range(chance.randint(1, 2)):
            server = _server(pods, volume, mine)
            time.sleep(chance.uniform(0, 0.35))
            killed += server.poll() is None
            server.kill()
            server.communicate()
        server = _server(pods, volume, mine)
        assert server.wait(60) == 0
        server.communicate()
    for name in names:
        ran = await pods.ended(pods.base / "pods" / name)
        assert (ran.end.why, ran.end.code, ran.log) == ("exited", 7, LOG)
    assert sorted((volume / "runs").read_text().split()) == sorted(names)
    assert killed >= 3
    assert living(str(pods.base)) == []


async def test_a_killed_watcher_means_lost_and_nothing_left(pods: Pods) -> None:
    chance, volume, whys = random.Random(21), pods.volume(), []
    script = 'echo "$0" >> /data/runs; (setsid sleep 63.5) & sleep 600'
    for number in range(16):
        folder = pods.start("sh", "-c", script, str(number), mounts=(writable(volume, "/data"),))
        marker = json.loads((folder / files.PLAN).read_text())["marker"]
        if number % 2:
            await pods.runtime.wait(folder)
        if number % 4:  # else at once, before anything has run
            time.sleep(chance.uniform(0.0, 0.06))
        with contextlib.suppress(ProcessLookupError):
            os.kill(next(iter(pods.runtime._children)), signal.SIGKILL)
        time.sleep(0.01)
        status = pods.runtime.status(folder)
        while status.state in ("starting", "running"):
            status = await pods.runtime.wait(folder)
        if status.state == "absent":  # nothing had run: it may be started again
            assert str(number) not in _runs(volume)
            whys.append("absent")
        else:
            assert status.end is not None
            whys.append(status.end.why)
            assert status == pods.runtime.status(folder)
        pods.runtime.remove(folder)
        assert living(marker) == []
    assert len(_runs(volume)) == len(set(_runs(volume)))
    assert {"absent", "lost"} <= set(whys)
    assert living("63.5") == []


def _runs(volume: Path) -> list[str]:
    file = volume / "runs"
    return file.read_text().split() if file.exists() else []


async def test_a_pod_from_before_a_reboot_is_lost(pods: Pods) -> None:
    folder = pods.start("sleep", "60")
    while pods.runtime.status(folder).state != "running":
        await pods.runtime.wait(folder)
    watcher = json.loads((folder / files.WATCHER).read_text())["pid"]
    first = json.loads((folder / files.GATE).read_text())["pid"]
    bystander = subprocess.Popen(["sleep", "30"])  # has the pid now that the pod had before
    os.kill(watcher, signal.SIGKILL)
    os.waitpid(watcher, 0)
    plan = json.loads((folder / files.PLAN).read_text())
    files.put(str(folder), files.PLAN, plan | {"boot": "another"})
    gate = json.loads((folder / files.GATE).read_text())
    files.put(str(folder), files.GATE, gate | {"pid": bystander.pid, "start": files.start_time(bystander.pid)})
    status = pods.runtime.status(folder)
    assert status.end is not None
    assert (status.end.why, status.end.message) == ("lost", "the machine was started again")
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
    assert first not in living(plan["marker"])
