"""Commands that follow a job while it runs: its log as it is written, and a proxy that keeps the stream to itself."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from eth_account import Account

from client.jobs.live import Live
from client.profiles import Profiles
from ocean.chain.development import account
from ocean.client import Consumer, ConsumerError
from tests.integration.service.commands.test_interrupted import running
from tests.support.commands import ALICE, Commands
from tests.support.service import Service

pytestmark = pytest.mark.integration
STEPS = 4
SLOW = f"""
import pathlib, os, time
for number in range({STEPS}):
    print("step", number, "größer", flush=True)
    while number == 1 and not pathlib.Path(os.environ["OUTPUTS"], "go").exists():
        time.sleep(0.02)
"""
LOG = "".join(f"step {number} größer\n" for number in range(STEPS))


@pytest.fixture
def job(c2d: Commands, dataset: str, tmp_path: Path) -> str:
    """A job that waits after its second line for the file `go`."""
    slow = tmp_path / "slow.py"
    slow.write_text(SLOW)
    return c2d("run", dataset, c2d("publish-algorithm", str(slow)).line, "-d").line


def let_go(service: Service, job: str) -> None:
    outputs, end = service.folder.argo / "volumes" / f"{job}-data" / "outputs", time.monotonic() + 60
    while not outputs.exists():
        assert time.monotonic() < end, "the algorithm may begin"
        time.sleep(0.05)
    (outputs / "go").touch()


def test_a_log_is_printed_while_it_is_written(service: Service, job: str) -> None:
    with running("logs", "-f", job) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        assert lines == LOG.splitlines(keepends=True)[:2]
        assert process.poll() is None
        let_go(service, job)
        rest, said = process.communicate(timeout=60)
    assert "".join(lines) + rest == LOG
    assert process.returncode == 0, said


def test_a_log_after_the_end(c2d: Commands, service: Service, job: str) -> None:
    with running("watch", job) as process:
        time.sleep(1)
        let_go(service, job)
        process.communicate(timeout=60)
    assert process.returncode == 0
    for words in (("logs", job), ("logs", "-f", job)):
        assert c2d(*words).out == LOG


def test_both_end_with_a_job_that_fails(c2d: Commands, dataset: str, tmp_path: Path) -> None:
    fails = tmp_path / "fails.py"
    fails.write_text("print('so far', flush=True)\nraise SystemExit(7)\n")
    failing = c2d("run", dataset, c2d("publish-algorithm", str(fails)).line, "-d").line
    done = c2d("watch", failing, "--json", "--exit-code", code=7)
    assert done.lines[-1]["exitCode"] == 7
    assert c2d("logs", "-f", failing).out == "so far\n"


async def test_a_proxy_that_keeps_the_stream(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing comes within the time that is allowed: it is said, and the status is asked for from then on."""
    monkeypatch.setattr("client.jobs.live.SILENCE_SECONDS", 0.3)
    told: list[str] = []

    async def keeps(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    proxy = await asyncio.start_server(keeps, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    async with proxy, Consumer(f"http://127.0.0.1:{port}", None, address=account(ALICE).address, token="a") as consumer:
        live = Live(consumer, "0" * 32, lambda _: None, told.append)
        await live.run()
        assert not live.alive
        before = time.monotonic()
        await live.pause(0.1)
        assert time.monotonic() - before < 5
    assert len(told) == 1
    assert "every few seconds" in told[0]


async def test_events_are_for_the_owner_only(service: Service, job: str) -> None:
    async with Consumer(service.url, account(3)) as stranger:
        with pytest.raises(ConsumerError) as caught:
            async with stranger.live_stream(job, "", 5):
                raise AssertionError
        assert caught.value.status == 404
    let_go(service, job)


def test_without_a_question_there_is_no_stream(c2d: Commands, service: Service, job: str, tmp_path: Path) -> None:
    """A keystore's password is not asked for only to follow a job."""
    keystore = tmp_path / "alice.json"
    keystore.write_text(json.dumps(Account.encrypt(account(ALICE).key, "secret", kdf="pbkdf2", iterations=2)))
    Profiles().set("asked", provider=service.url, account=f"keystore:{keystore}")
    let_go(service, job)
    done = c2d("watch", job, "-p", "asked")
    assert "Password" not in done.err
