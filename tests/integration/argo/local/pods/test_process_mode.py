"""Plain processes, for trusted images where there are no sandboxes."""

# ruff: noqa: ASYNC240, ASYNC251  (these tests wait on purpose)

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from argo.local.pods import Images, SandboxRuntime
from argo.local.pods.mounts import alias_of
from argo.local.pods.runtime import ImageUnavailable, Limits
from tests.support.pods import Pods, living, read_only, writable

pytestmark = pytest.mark.integration

STEP = "c2d-pods:0.1.0"


async def test_paths_of_mounts_are_translated(plain: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2D_SECRET_OF_THE_SERVER", "leak-me-not")
    volume = plain.volume()
    (volume / "start").mkdir()
    (volume / "start/run.sh").write_text('echo run; ls "$C2D_DATA"; echo "$C2D_DATA $NOT $HOME"; env; exit 4')
    mounts = (read_only(volume / "start", "/c2d/start"), writable(volume, "/data"))
    env = {"C2D_DATA": "/data", "NOT": "/database"}
    ran = await plain.run("sh", "/c2d/start/run.sh", image=STEP, env=env, mounts=mounts)
    assert (ran.end.why, ran.end.code) == ("exited", 4)
    assert ran.log.splitlines()[:3] == ["run", "start", f"{volume} /database {ran.folder}/tmp"]
    assert "leak-me-not" not in ran.log


async def test_steps_run_with_this_interpreter(plain: Pods) -> None:
    ran = await plain.run("python", "-c", "import sys, contract.job_spec; print(sys.prefix)", image=STEP)
    assert ran.log.strip() == sys.prefix


async def test_only_trusted_images(plain: Pods) -> None:
    assert (await plain.run("echo", "x", image="busybox:1.36")).log == "x\n"
    with pytest.raises(ImageUnavailable, match="need a sandbox"):
        plain.start("echo", "x", image="python:3")


async def test_everything_ends(plain: Pods) -> None:
    ran = await plain.run("sh", "-c", "setsid sleep 64.5 & (setsid sh -c 'sleep 64.5') & echo done", image=STEP)
    assert (ran.end.code, ran.log) == (0, "done\n")
    assert living("64.5") == []
    script = "trap '' TERM; setsid sleep 65.5 & echo up; while :; do sleep 0.02; done"
    folder = plain.start("sh", "-c", script, image=STEP,
                         grace_seconds=0.2)  # fmt: skip
    await plain.until(folder, "up")
    plain.runtime.stop(folder)
    assert (await plain.ended(folder)).end.why == "stopped"
    assert living("65.5") == []


async def test_children_that_hide_end_too(plain: Pods) -> None:
    ran = await plain.run("sh", "-c", "env -i setsid sh -c 'sleep 67.5 & sleep 67.5' & echo done", image=STEP)
    assert (ran.end.code, ran.log) == (0, "done\n")
    assert living("67.5") == []


async def test_deadline_and_missing_program(plain: Pods) -> None:
    ran = await plain.run("sleep", "600", image=STEP, deadline_seconds=3, grace_seconds=0.2)
    assert (ran.end.why, ran.end.code) == ("deadline", 143)
    ran = await plain.run("no-such-program", image=STEP)
    assert ran.end.code == 64
    assert "executable file not found" in ran.log


async def test_memory(plain: Pods) -> None:
    script = "import time; x = bytearray(b'x') * (300 << 20); time.sleep(600)"
    ran = await plain.run("python", "-c", script, image=STEP, limits=Limits(memory_bytes=100 << 20))
    assert ran.end.why == "out_of_memory"


async def test_a_killed_watcher_leaves_nothing(plain: Pods) -> None:
    folder = plain.start("sh", "-c", "setsid sleep 66.5 & sleep 66.5", image=STEP)
    while plain.runtime.status(folder).state != "running":
        await plain.runtime.wait(folder)
    time.sleep(0.1)
    os.kill(next(iter(plain.runtime._children)), signal.SIGKILL)
    assert (await plain.ended(folder)).end.why == "lost"
    assert living("66.5") == []


async def test_nothing_to_probe(plain: Pods) -> None:
    assert plain.runtime.probe() == ""
    assert Path(plain.volume()).stat().st_uid == os.geteuid()


@pytest.mark.parametrize("name", ["my data", "it's $HOME; (here)", "a\tb", "ü ö"])
async def test_blanks_in_the_path_are_no_matter(tmp_path: Path, name: str) -> None:
    """An algorithm writes its paths without quotes, because in a cluster none has a blank."""
    pods = Pods(SandboxRuntime(Images.default(without_sandbox=["busybox"]), isolation="process"), tmp_path / name)
    volume = pods.volume()
    (volume / "input").write_text("content\n")
    script = "cat $INPUT; cp $INPUT $DATA/output; touch $HOME/x; cd $DATA && pwd -P"
    env = {"INPUT": "/data/input", "DATA": "/data"}
    ran = await pods.run("sh", "-c", script, image=STEP, env=env, mounts=(writable(volume, "/data"),))
    assert ran.log.splitlines() == ["content", str(volume)]
    assert (volume / "output").read_text() == "content\n"
    link = Path(alias_of(ran.folder))
    assert link.is_symlink()
    pods.runtime.remove(ran.folder)
    assert not link.is_symlink()
