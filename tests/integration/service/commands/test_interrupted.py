"""Commands that end before their work is done: by Ctrl-C, by a kill, by a transfer that breaks off."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ocean.chain.development import account
from ocean.client import Consumer
from tests.support.commands import BOB, Commands
from tests.support.service import Service

pytestmark = pytest.mark.integration
C2D = str(Path(sys.executable).with_name("c2d"))


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[str]]:
    """A command as a process of its own, which does not outlast the test."""
    with subprocess.Popen([C2D, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    said = ""
    while text not in said:
        line = process.stderr.readline()
        assert line, f"the command ended: {said}"
        said += line


@pytest.mark.parametrize("command", ["run", "watch"])
def test_ctrl_c_leaves_the_job_alone(c2d: Commands, dataset: str, tmp_path: Path, command: str) -> None:
    waits = tmp_path / "waits.py"
    waits.write_text("import time\ntime.sleep(600)\n")
    algorithm = c2d("publish-algorithm", str(waits)).line
    words = ["run", dataset, algorithm]
    if command == "watch":
        words = ["watch", c2d(*words, "-d").line]
    with running(*words) as process:
        wait_for(process, "Running algorithm")
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    job = c2d("jobs", "--json").json[0]
    assert f"c2d watch {job['jobId']}" in said
    assert f"c2d results {job['jobId']}" in said
    assert "Traceback" not in said
    assert job["dateFinished"] is None
    c2d("stop", job["jobId"])


async def _balance(service: Service) -> int:
    network = await service.network()
    try:
        return await network.balance(network.ocean, account(BOB).address)
    finally:
        await network.close()


@pytest.mark.parametrize("when", ["before it is started", "after it is started"])
def test_nothing_is_paid_twice(
    c2d: Commands, service: Service, numbers: Path, adds_up: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """A run dies between its orders and its job; the next one uses what was paid."""
    sold = c2d("publish", str(numbers), "--price", "5").line
    theirs = c2d("publish-algorithm", str(adds_up), "-p", "bob", "--price", "2").line
    c2d("trust", sold, theirs)
    before = service.call(_balance(service))

    class Killed(BaseException):
        pass

    real = Consumer.started

    async def dies(self: Consumer, request: Any) -> Any:
        if when == "after it is started":
            await real(self, request)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Consumer, "started", dies)
        with pytest.raises(Killed):
            c2d("run", sold, theirs, "-p", "bob", "--yes")
    paid = before - service.call(_balance(service))
    assert paid == 7007 * 10**15  # with the exchanges' fees
    if when == "before it is started":
        c2d("run", sold, theirs, "-p", "bob", "--max-price", "0", "-o", "bobs")
        assert before - service.call(_balance(service)) == paid
        assert json.loads(Path("bobs/sum.json").read_text()) == 42
        assert not list((c2d.home / "state" / "compute-to-data" / "orders").rglob("*.json"))
    else:
        refused = c2d("run", sold, theirs, "-p", "bob", "--max-price", "0", code=3)
        assert "c2d jobs lists yours" in refused.err
        assert before - service.call(_balance(service)) == paid


def test_two_commands_at_once(c2d: Commands, dataset: str, algorithm: str) -> None:
    """They race for the account's nonces, at the provider and on the chain."""
    job = c2d("run", dataset, algorithm, "-d").line
    c2d("watch", job)
    words = ("results", job, "-o")
    processes = [
        subprocess.Popen([C2D, *words, f"folder{i}"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for i in range(4)
    ]
    said = [process.communicate(timeout=120)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
