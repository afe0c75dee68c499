"""A job that is looked at while it runs, through the whole service, while parts of it are killed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from ocean.client import Consumer
from ocean.signing import live_message, sign, token_message
from provider_api.deploy.file_server import FileServer
from tests.support.chain import consumer
from tests.support.service import FREE, Buyer, Service, raw_python
from tests.support.stages import at_last, outputs_of, until
from tests.support.viewers import Follower, Parser, read_events

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

# A line every now and then, until it is told to end; then it says how many there were.
PRINTS = """
import os, pathlib, time
out, n, end = pathlib.Path(os.environ["OUTPUTS"]), 0, time.monotonic() + 400
(out / "began").touch()
while not (out / "go").exists() and time.monotonic() < end:
    print("line", n, "ü" * 30, flush=True)
    n += 1
    time.sleep(0.02)
(out / "count").write_text(str(n))
print("last", n, flush=True)
"""
VIEWERS = 200


def printed(lines: int) -> str:
    return "".join(f"line {number} {'ü' * 30}\n" for number in range(lines)) + f"last {lines}\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, files: FileServer) -> Iterator[Service]:
    """One of our own: what is killed here is nobody else's."""
    settings = {"C2D_LIVE__VIEWERS_EACH": str(VIEWERS + 10)}
    folder = tmp_path_factory.mktemp("live")
    with Service(folder, allow_private=[files.address], settings=settings) as running:
        yield running


async def token_of(client: Consumer) -> str:
    nonce = await client.next_nonce()
    signature = sign(token_message(client.address, nonce), bytes(consumer.key).hex())
    expiration = str(int(time.time()) + 3600)
    query = {"address": client.address, "nonce": str(nonce), "expiration": expiration, "signature": signature}
    return str((await client.call("create_auth_token", query=query))["token"])


async def start(buyer: Buyer, files: FileServer, code: str) -> str:
    dataset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})
    ordered, algorithm = await buyer.order([dataset], raw_python(code))
    job = await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, algorithm))
    return str(job["jobId"])


@asynccontextmanager
async def following(service: Service, job: str, token: str, count: int = 1) -> AsyncIterator[list[Follower]]:
    """Viewers that come back until the job has ended; the block ends with them."""
    followers = [Follower(f"{service.url}/api/v1/jobs/{job}/events", token) for _ in range(count)]
    tasks = [asyncio.create_task(follower.follow()) for follower in followers]
    try:
        yield followers
        async with asyncio.timeout(240):
            await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_from_start_to_end(service: Service, buyer: Buyer, files: FileServer) -> None:
    job, token = await start(buyer, files, PRINTS), await token_of(buyer.consumer)
    outputs = outputs_of(service.folder, job)
    async with following(service, job, token) as (follower,):
        await until(lambda: follower.text.count("\n") > 5, "it prints")
        assert 40 in follower.states
        (outputs / "go").touch()
    assert follower.states[-1] == 70
    assert follower.states == sorted(follower.states)
    assert follower.text == printed(follower.text.count("line"))
    assert [event.data["ended"] for event in follower.events if event.name == "log"][-1] == "complete"
    listed = [event.data["filename"] for event in follower.events if event.name == "result"]
    told = await buyer.finished(job)
    assert listed == [result["filename"] for result in told["results"]]
    end = follower.events[-1].data
    assert (end["status"], end["reason"], end["deleted"]) == (70, "completed", False)
    assert end["dateFinished"] == pytest.approx(float(told["dateFinished"]), abs=0.01)


async def test_by_signature_and_by_polling(service: Service, buyer: Buyer, files: FileServer) -> None:
    job, key = await start(buyer, files, PRINTS), bytes(consumer.key).hex()
    outputs, text, offset, ended = outputs_of(service.folder, job), "", 0, ""
    async with httpx.AsyncClient(base_url=service.url, trust_env=False, timeout=60) as client, asyncio.timeout(200):
        while not ended:
            nonce = await buyer.consumer.next_nonce()
            signature = sign(live_message(buyer.consumer.address, job, nonce), key)
            query = {"consumerAddress": buyer.consumer.address, "nonce": str(nonce), "signature": signature}
            answer = await client.get(f"/api/v1/jobs/{job}/log", params={**query, "offset": str(offset)})
            assert answer.status_code == 200, answer.text
            text, offset, ended = text + answer.text, int(answer.headers["x-log-next"]), answer.headers["x-log-ended"]
            assert offset == len(text.encode())
            if text.count("\n") > 20:
                (outputs / "go").touch()
    assert text == printed(text.count("line"))
    await buyer.finished(job)


@pytest.mark.parametrize("parts", [("api",), ("argo",), ("api", "argo")])
async def test_parts_are_killed(service: Service, buyer: Buyer, files: FileServer, parts: tuple[str, ...]) -> None:
    """No byte of the log is missing, and none comes twice; the followers assert that with each event."""
    job, token = await start(buyer, files, PRINTS), await token_of(buyer.consumer)
    outputs = outputs_of(service.folder, job)
    async with following(service, job, token, 3) as followers:
        for _ in range(2):
            before = followers[0].text.count("\n")
            await until(lambda before=before: followers[0].text.count("\n") > before + 10, "it prints", 200)
            service.kill(*parts)  # type: ignore[arg-type]
            await service.wait_ready()
        before = followers[0].text.count("\n")
        await until(lambda: followers[0].text.count("\n") > before + 10, "it goes on", 200)
        (outputs / "go").touch()
    for follower in followers:
        assert follower.text == printed(follower.text.count("line"))
        assert follower.states[-1] == 70
        assert follower.connections > 1 or "api" not in parts
    await at_last(lambda: buyer.finished(job))


async def test_many_viewers_and_a_slow_one(service: Service, buyer: Buyer, files: FileServer) -> None:
    """All are told all of it; one that does not read keeps nobody waiting, and is told the rest when it reads."""
    job, token = await start(buyer, files, PRINTS), await token_of(buyer.consumer)
    outputs = outputs_of(service.folder, job)
    address = httpx.URL(service.url)
    reader, writer = await asyncio.open_connection(address.host, address.port, limit=1024)
    request = f"GET /api/v1/jobs/{job}/events HTTP/1.1\r\nHost: x\r\nAuthToken: {token}\r\n\r\n"
    writer.write(request.encode())
    try:
        async with following(service, job, token, VIEWERS) as followers:
            await until(lambda: all(one.text.count("\n") > 5 for one in followers), "all are told", 200)
            (outputs / "go").touch()
        assert {one.text for one in followers} == {printed(followers[0].text.count("line"))}
        assert {one.states[-1] for one in followers} == {70}
        raw = b""
        async with asyncio.timeout(60):
            while b"event: end" not in raw:
                raw += await reader.read(1 << 16)
    finally:
        writer.close()


async def test_the_service_is_asked_to_end(service: Service, buyer: Buyer, files: FileServer) -> None:
    """Its viewers are sent away at once, instead of being waited for."""
    job, token = await start(buyer, files, PRINTS), await token_of(buyer.consumer)
    outputs = outputs_of(service.folder, job)
    async with following(service, job, token, 5) as followers:
        await until(lambda: all(one.text for one in followers), "all are told", 200)
        pid = service.machine.child("api").pid
        assert pid is not None
        began = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        await until(lambda: not _lives(pid), "it has ended")
        assert time.monotonic() - began < 5, "the setting lets requests take ten seconds"
        await service.wait_ready()
        (outputs / "go").touch()
    assert {one.text for one in followers} == {printed(followers[0].text.count("line"))}


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_the_client_library(service: Service, buyer: Buyer, files: FileServer) -> None:
    """A stream that is left is over for the service too."""
    job, token = await start(buyer, files, PRINTS), await token_of(buyer.consumer)
    parser = Parser()
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"{service.url}/api/v1/jobs/{job}/events"
        async for event in read_events(client, url, token, parser=parser):
            if event.name == "log" and event.data["text"]:
                break
    assert parser.comments >= 1
    (outputs_of(service.folder, job) / "go").touch()
    await buyer.finished(job)
