"""Child processes: started and ready, started again after a kill, ended with the supervisor."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from provider_api.deploy.children import Child, ChildFailed, inherited_environment

pytestmark = pytest.mark.integration

SERVER = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text('up'); time.sleep(600)"
SUPERVISOR = """
import asyncio, pathlib, sys
from provider_api.deploy.children import Child, inherited_environment
async def main():
    folder = pathlib.Path(sys.argv[1])
    async def ready(): return (folder / 'up').exists()
    command = (sys.executable, '-c', sys.argv[2], str(folder / 'up'))
    child = Child('part', command, inherited_environment(), folder / 'log', ready)
    await child.start()
    (folder / 'pid').write_text(str(child.pid))
    await asyncio.sleep(600)
asyncio.run(main())
"""


def child_of(folder: Path, program: str = SERVER, start_seconds: float = 60) -> Child:
    async def ready() -> bool:
        return (folder / "up").exists()

    command = (sys.executable, "-c", program, str(folder / "up"))
    return Child("part", command, inherited_environment(), folder / "log", ready, start_seconds=start_seconds)


async def until(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_killed_part_is_started_again(tmp_path: Path) -> None:
    child = child_of(tmp_path)
    await child.start()
    first = child.pid
    assert first is not None
    (tmp_path / "up").unlink()
    os.kill(first, signal.SIGKILL)
    await until(lambda: (tmp_path / "up").exists())
    assert child.pid not in (None, first)
    await child.stop()
    assert child.pid is None


async def test_a_part_that_ends_at_once_says_why(tmp_path: Path) -> None:
    child = child_of(tmp_path, "import sys; sys.exit('no database')")
    with pytest.raises(ChildFailed, match="no database"):
        await child.start()


async def test_a_part_that_never_answers_is_ended(tmp_path: Path) -> None:
    child = child_of(tmp_path, "import time; time.sleep(600)", start_seconds=0.3)
    with pytest.raises(ChildFailed, match="did not answer"):
        await child.start()
    assert child.pid is None


async def test_no_part_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    supervisor = await asyncio.create_subprocess_exec(sys.executable, "-c", SUPERVISOR, str(tmp_path), SERVER)
    await until((tmp_path / "pid").exists)
    await until(lambda: (tmp_path / "pid").read_text() != "")
    pid = int((tmp_path / "pid").read_text())
    assert alive(pid)
    supervisor.kill()
    await supervisor.wait()
    await until(lambda: not alive(pid))
