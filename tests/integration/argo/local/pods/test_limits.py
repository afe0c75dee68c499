"""Limits: memory, processes, files, and the ways to end a pod."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from argo.local.pods.runtime import Container, Limits
from tests.support.pods import Pods, living, writable

pytestmark = pytest.mark.integration

HOG = """
import time
kept = []
for n in range(40):
    kept.append(bytearray(b'x') * (16 << 20))
    time.sleep(0.01)
print('survived')
"""


async def test_a_memory_hog_runs_out_of_memory(pods: Pods) -> None:
    limits = Limits(memory_bytes=128 << 20)
    ran = await pods.run("python", "-c", HOG, image="python", limits=limits)
    assert (ran.end.why, ran.log) == ("out_of_memory", "")
    fits = await pods.run("python", "-c", HOG, image="python", limits=Limits(memory_bytes=1 << 30))
    assert (fits.end.why, fits.end.code, fits.log) == ("exited", 0, "survived\n")


async def test_memory_of_all_processes_counts(pods: Pods) -> None:
    script = f"import subprocess, sys; hogs = [subprocess.Popen([sys.executable, '-c', {HOG!r}]) for _ in range(3)]\n"
    script += "sys.exit(sum(hog.wait() != 0 for hog in hogs))"
    ran = await pods.run("python", "-c", script, image="python", limits=Limits(memory_bytes=800 << 20))
    assert ran.end.why == "out_of_memory"


async def test_a_scratch_root_is_written_to_within_its_size(pods: Pods) -> None:
    """Only where it was asked for; what belongs to the machine stays as it is."""
    script = "mkdir -p /work /opt/x && cd /work && echo kept > file && cat file; touch /usr/x 2>/dev/null && echo oh"
    script += "; head -c 20000000 /dev/zero > /work/big 2>/dev/null || echo full"
    ran = await pods.run("sh", "-c", script, limits=Limits(scratch_bytes=8 << 20))
    assert ran.log.splitlines() == ["kept", "full"]
    plain = await pods.run("sh", "-c", "mkdir /work")
    assert plain.end.code != 0


async def test_exit_137_alone_is_not_out_of_memory(pods: Pods) -> None:
    ran = await pods.run("sh", "-c", "kill -9 $$")
    assert (ran.end.why, ran.end.code) == ("exited", 137)


async def test_a_fork_bomb_is_bounded_and_ends(pods: Pods) -> None:
    script = "import os, time\nn = 0\ntry:\n    while True:\n        if os.fork() == 0: time.sleep(60); os._exit(0)\n"
    script += "        n += 1\nexcept BlockingIOError: print(n)"
    ran = await pods.run("python", "-c", script, image="python", limits=Limits(processes=30))
    assert ran.end.code == 0
    assert 20 <= int(ran.log) < 30
    assert living(json.loads((ran.folder / "plan.json").read_text())["marker"]) == []


async def test_pods_do_not_starve_each_other(pods: Pods) -> None:
    volume = pods.volume()
    script = "for n in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait; echo ok"
    options = {"limits": Limits(processes=12), "mounts": (writable(volume, "/data"),)}
    folders = [pods.start("sh", "-c", script, **options) for _ in range(3)]
    assert [(await pods.ended(folder)).log for folder in folders] == ["ok\n"] * 3


async def test_file_size(pods: Pods) -> None:
    volume = pods.volume()
    script = "trap '' XFSZ; head -c 3M /dev/zero > /data/x; truncate -s 1T /data/y; ulimit -c"
    mounts = (writable(volume, "/data"),)
    ran = await pods.run("sh", "-c", script, mounts=mounts, limits=Limits(file_bytes=1 << 20))
    assert (volume / "x").stat().st_size == 1 << 20
    assert not (volume / "y").exists() or (volume / "y").stat().st_size <= 1 << 20
    assert ran.log.splitlines()[-1] == "0"


async def test_stop_is_sigterm(pods: Pods) -> None:
    folder = pods.start("sh", "-c", "trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.02; done")
    await pods.until(folder, "up")
    pods.runtime.stop(folder)
    ran = await pods.ended(folder)
    assert (ran.end.why, ran.end.code, ran.log.splitlines()[-1]) == ("stopped", 9, "bye")


async def test_stop_reaches_programs_without_a_handler(pods: Pods) -> None:
    folder = pods.start("sh", "-c", "echo up; exec sleep 60")
    await pods.until(folder, "up")
    pods.runtime.stop(folder)
    assert (await pods.ended(folder)).end.code == 143


async def test_a_stop_that_is_ignored_becomes_a_kill(pods: Pods) -> None:
    script = "trap '' TERM; (trap '' TERM; setsid sleep 61.5) & echo up; while :; do sleep 0.02; done"
    folder = pods.start("sh", "-c", script, grace_seconds=0.3)
    await pods.until(folder, "up")
    began = time.monotonic()
    pods.runtime.stop(folder)
    ran = await pods.ended(folder, 25)  # it would be 30 by default
    assert ran.end.why == "stopped"
    assert time.monotonic() - began >= 0.3
    assert living("sleep\x0061.5") == []


async def test_kill_is_at_once(pods: Pods) -> None:
    folder = pods.start("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.02; done", grace_seconds=600)
    await pods.until(folder, "up")
    pods.runtime.stop(folder)
    await asyncio.sleep(0.1)
    pods.runtime.kill(folder)
    assert (await pods.ended(folder)).end.why == "stopped", "long before the end of its grace period"


async def test_stop_before_it_started(pods: Pods) -> None:
    folder = pods.base / "pods" / "pod-0"
    pods.runtime.stop(folder)
    assert pods.runtime.status(folder).state == "absent"
    assert pods.start("echo", "ran") == folder
    ran = await pods.ended(folder)
    assert (ran.end.why, ran.end.code, ran.end.started_at, ran.log) == ("stopped", None, None, "")


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.02, 0.03, 0.04, 0.05])
async def test_stop_at_any_moment_gives_an_end(pods: Pods, delay: float) -> None:
    folder = pods.start("sleep", "600", grace_seconds=600)
    await asyncio.sleep(delay)
    pods.runtime.stop(folder)
    assert (await pods.ended(folder)).end.why == "stopped"


async def test_deadline(pods: Pods) -> None:
    ran = await pods.run("sleep", "600", deadline_seconds=3, grace_seconds=0.2)
    assert (ran.end.why, ran.end.code) == ("deadline", 143)
    init = (Container("debian", ("sleep", "60"), {}, ()),)
    ran = await pods.run("true", init=init, deadline_seconds=0.3, grace_seconds=0.2)
    assert (ran.end.why, ran.end.code, ran.end.started_at) == ("deadline", None, None)


async def test_background_children_die_with_the_program(pods: Pods) -> None:
    ran = await pods.run("sh", "-c", "setsid sleep 662.5 & (setsid sh -c 'sleep 662.5') & echo done")
    assert (ran.end.code, ran.log) == (0, "done\n")
    assert living("662.5") == []
