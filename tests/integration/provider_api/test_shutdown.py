"""SIGTERM: requests under way are finished, for so long as the setting says; new ones are not taken.

The program that a container runs, with its real server; in place of the service stands an application that sends one
line a tenth of a second, and may be told to wait for a file before the third one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from provider_api.deploy.addresses import free_port
from tests.support.clients import ROOT
from tests.support.processes import die_with_parent

pytestmark = pytest.mark.integration

_PROGRAM = """
import asyncio, os
from provider_api import __main__ as program

async def slow(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for number in range(int(scope["path"].strip("/"))):
        while number == 2 and "HELD_UNTIL" in os.environ and not os.path.exists(os.environ["HELD_UNTIL"]):
            await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b"line\\n", "more_body": True})
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body", "body": b""})

program.create_app = lambda settings: slow
program.main()
"""


@contextmanager
def served(limit_seconds: int, held_until: Path | None = None) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    environment = {**os.environ, "C2D_SERVER__PORT": str(port), "C2D_SERVER__SHUTDOWN_SECONDS": str(limit_seconds)}
    if held_until is not None:
        environment["HELD_UNTIL"] = str(held_until)
    command = [sys.executable, "-c", _PROGRAM]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, preexec_fn=die_with_parent(signal.SIGKILL))
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 150
        while not answers(url):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield url, process
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/0", timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def test_a_download_is_finished_and_nothing_new_begun(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with served(300, go) as (url, process), httpx.stream("GET", f"{url}/15", timeout=60) as response:
        lines = response.iter_lines()
        next(lines)
        process.send_signal(signal.SIGTERM)
        next(lines)
        deadline = time.monotonic() + 150
        while answers(url):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert process.poll() is None
        go.touch()
        assert len(list(lines)) == 13
        assert process.wait(60) == -signal.SIGTERM or process.returncode == 0


def test_what_takes_longer_is_cut_off() -> None:
    """The whole answer would take ten minutes."""
    with served(1) as (url, process), httpx.stream("GET", f"{url}/6000", timeout=60) as response:
        lines = response.iter_lines()
        next(lines)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(httpx.RemoteProtocolError):  # a short answer that nobody takes for a whole one
            list(lines)
        process.wait(60)
