"""Jobs that a watch says have not changed cost no call, and every way of losing the watch costs nothing but that.

The client speaks to the embedded server through a proxy that counts calls and does to watches what can happen to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from argo.client import ArgoClient, ArgoServers, WorkflowNotFound
from argo.client.records import NewWorkflow
from argo.client.seen import CONFIRMED_SECONDS
from argo.client.watch import FIELDS, Pace
from argo.local.settings import LocalArgoSettings
from contract import names
from tests.support.argo_proxy import ArgoProxy, argo_proxy
from tests.support.argo_server import RECORDINGS
from tests.support.fake_pods import FakePods
from tests.support.local_argo import served

pytestmark = pytest.mark.integration

SOON = 15.0
QUICK = Pace(pause_seconds=0.05, refused_seconds=0.05)
OWNER = {names.OWNER: "0xab"}


@dataclass
class Server:
    url: str
    token: Path
    pods: FakePods


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Pods run until they are killed."""
    settings = LocalArgoSettings(data=tmp_path_factory.mktemp("argo"), templates=(RECORDINGS / "templates",))
    pods = FakePods(hold=True)
    with served(settings, pods) as url:
        yield Server(url, settings.token_path, pods)


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[ArgoProxy]:
    async with argo_proxy(server.url) as proxy:
        yield proxy


@pytest.fixture
async def other(server: Server) -> AsyncIterator[ArgoClient]:
    """Somebody else, beside the proxy."""
    async with ArgoClient(server.url, "jobs", server.token) as client:
        yield client


@asynccontextmanager
async def watching(proxy: ArgoProxy, token: Any, pace: Pace = QUICK) -> AsyncIterator[ArgoClient]:
    async with ArgoClient(proxy.url, "jobs", token) as client:
        task = asyncio.create_task(client.watch(pace))
        try:
            yield client
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert not client.seen_workflows.alive


async def until(condition: Callable[[], object | Awaitable[object]]) -> None:
    async with asyncio.timeout(SOON):
        while True:
            found = condition()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.01)


async def alive(client: ArgoClient) -> None:
    await until(lambda: client.seen_workflows.alive)


async def job(other: ArgoClient, name: str) -> None:
    """One that runs, or waits for its place; nothing will happen about it by itself."""
    arguments = {"job-spec": "QUJD", "entrypoint": "true", "seconds": "60"}
    await other.submit(NewWorkflow(name, "rec-plain", arguments, OWNER, {}), declared=arguments)

    async def begun() -> bool:
        nodes = (await other.get(name)).nodes
        pods = [node for node in nodes if node.type == "Pod"]
        return any(node.phase == "Running" for node in pods) or (not pods and any(n.phase == "Pending" for n in nodes))

    await until(begun)


async def status(client: ArgoClient, name: str) -> Any:
    """As a status endpoint asks."""
    return client.seen(name) or await client.get(name)


async def test_twenty_statuses_of_a_job_are_one_call(server: Server, proxy: ArgoProxy, other: ArgoClient) -> None:
    async with watching(proxy, server.token) as client:
        await alive(client)
        await job(other, "j-quiet")
        await until(lambda: is_kept(client, "j-quiet"))
        before = proxy.reads_of("j-quiet")
        found = [await status(client, "j-quiet") for _ in range(20)]
        assert proxy.reads_of("j-quiet") <= before + 1  # one more if this has taken CONFIRMED_SECONDS
        assert found[-1] == await other.get("j-quiet")
    (watch,) = proxy.opened
    assert watch.query.pop("listOptions.resourceVersion").isdigit()
    assert watch.query == {"listOptions.labelSelector": names.OWNER, "fields": FIELDS}


async def is_kept(client: ArgoClient, name: str) -> bool:
    await status(client, name)
    return client.seen(name) is not None


async def test_what_others_do_is_seen(server: Server, proxy: ArgoProxy, other: ArgoClient) -> None:
    async with watching(proxy, server.token) as client:
        await alive(client)
        await job(other, "j-others")
        await until(lambda: is_kept(client, "j-others"))
        await other.terminate("j-others")

        async def ended() -> bool:
            return bool((await status(client, "j-others")).finished)

        await until(ended)
        await until(lambda: is_kept(client, "j-others"))  # a finished one may still be changed, and deleted
        await other.delete("j-others")

        async def gone() -> bool:
            try:
                await status(client, "j-others")
            except WorkflowNotFound:
                return True
            return False

        await until(gone)


@pytest.mark.parametrize("verb", ["stop", "terminate", "delete"])
async def test_what_this_client_does_is_seen_at_once(
    server: Server, proxy: ArgoProxy, other: ArgoClient, verb: str
) -> None:
    proxy.swallows_events = True
    name = f"j-own-{verb}"
    async with watching(proxy, server.token) as client:
        await alive(client)
        await job(other, name)
        await until(lambda: is_kept(client, name))
        await getattr(client, verb)(name)
        assert client.seen(name) is None
        if verb == "delete":
            with pytest.raises(WorkflowNotFound):
                await client.get(name)
        else:
            assert (await status(client, name)).shutdown == verb.capitalize()


EOF = b'data: {"error":{"grpc_code":8,"http_code":429,"message":"EOF","http_status":"Too Many Requests"}} \n'
GONE = b'data: {"error":{"http_code":410,"message":"too old resource version: 1 (7)"}} \n'
TOO_OLD = b'data: {"error":{"grpc_code":13,"http_code":500,"message":"too old resource version: 1 (7)"}} \n'
LOSSES: dict[str, Callable[[ArgoProxy], None]] = {
    "ended": lambda proxy: proxy.end_watches(),
    "broken": lambda proxy: proxy.end_watches(broken=True),
    "closed-by-kubernetes": lambda proxy: proxy.say(EOF),
    "gone": lambda proxy: proxy.say(GONE),
    "too-old": lambda proxy: proxy.say(TOO_OLD),
    "no-json": lambda proxy: proxy.say(b"data: <html>\n"),
    "half": lambda proxy: proxy.say(b'data: {"result":{"type":"MODIFIED"\n'),
    "no-event": lambda proxy: proxy.say(b"data: {}\n"),
    "no-name": lambda proxy: proxy.say(b'data: {"result":{"type":"MODIFIED","object":{}}}\n'),
    "other-type": lambda proxy: proxy.say(b'data: {"result":{"type":"ERROR","object":{"metadata":{"name":"x"}}}}\n'),
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_watch_that_is_lost(server: Server, proxy: ArgoProxy, other: ArgoClient, loss: str) -> None:
    """Its records are gone at once, jobs are read by name, and the next watch serves as well."""
    name = f"j-{loss}"
    await job(other, name)
    async with watching(proxy, server.token, Pace(pause_seconds=0.05, refused_seconds=SOON)) as client:
        await alive(client)
        await until(lambda: is_kept(client, name))
        LOSSES[loss](proxy)
        await until(lambda: client.seen(name) is None)
        assert await status(client, name) == await other.get(name)
        await until(lambda: len(proxy.opened) == 2)
        await alive(client)
        await until(lambda: is_kept(client, name))


async def test_a_comment_and_a_bookmark_are_no_loss(server: Server, proxy: ArgoProxy, other: ArgoClient) -> None:
    async with watching(proxy, server.token) as client:
        await alive(client)
        await job(other, "j-comment")
        await until(lambda: is_kept(client, "j-comment"))
        proxy.say(b":\n")
        proxy.say(b'data: {"result":{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}} \n')
        proxy.say(b'data: {"result":{"type":"MODIFIED","object":{"metadata":{"name":"j-comment"}}}} \n')
        await until(lambda: client.seen("j-comment") is None)
        assert client.seen_workflows.alive
        assert len(proxy.opened) == 1


async def test_a_silent_watch_is_lost(server: Server, proxy: ArgoProxy) -> None:
    """Argo's comments come every 15 seconds; nothing is said here for a moment."""
    async with watching(proxy, server.token, Pace(silence_seconds=0.2, pause_seconds=0.05)):
        await until(lambda: len(proxy.opened) >= 2)


async def test_a_watch_is_renewed_with_the_token_of_then(server: Server, proxy: ArgoProxy, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(server.token.read_text())
    async with watching(proxy, token, Pace(life_seconds=0.3)) as client:
        await alive(client)
        token.write_text(f"Bearer {server.token.read_text().strip()} ")
        await until(lambda: len(proxy.opened) >= 2)
        token.write_text("wrong")
        await until(lambda: not proxy.watches)
        await until(lambda: not client.seen_workflows.alive)


async def test_a_change_that_the_watch_does_not_tell(server: Server, proxy: ArgoProxy, other: ArgoClient) -> None:
    """Comments come and events do not: the status is late by CONFIRMED_SECONDS, and then the watch is not believed."""
    now = 100.0
    await job(other, "j-missed")
    async with watching(proxy, server.token) as client:
        client.seen_workflows._clock = lambda: now
        await alive(client)
        await until(lambda: is_kept(client, "j-missed"))
        proxy.swallows_events = True
        await other.stop("j-missed")
        now += CONFIRMED_SECONDS
        assert (await status(client, "j-missed")).shutdown == "Stop"
        assert not client.seen_workflows.alive
        proxy.say(b":\n")
        await until(lambda: len(proxy.opened) == 2)


@pytest.mark.parametrize("streamed", [False, True], ids=["refused", "refused-in-the-stream"])
async def test_without_the_right_to_watch(server: Server, proxy: ArgoProxy, other: ArgoClient, streamed: bool) -> None:
    name = f"j-refused-{streamed}".lower()
    refusal = b'{"code":7,"message":"workflows.argoproj.io is forbidden: cannot watch"}'
    proxy.answer = (403, refusal)
    if streamed:
        proxy.answer = (200, b'data: {"error":{"http_code":403,"message":"cannot watch"}} \n')
    await job(other, name)
    with capture_logs() as logs:
        async with watching(proxy, server.token) as client:
            first = len(proxy.calls)
            await until(lambda: sum(call.endswith("/workflows/jobs") for call in proxy.calls[first:]) >= 5)  # lists
            assert (await status(client, name)).name == name
            assert client.seen(name) is None
            told = [line for line in logs if line["event"] == "argo_watch_refused"]
            assert [line["status"] for line in told] == [403]
            proxy.answer = None
            await alive(client)
            await until(lambda: is_kept(client, name))


async def test_a_server_that_comes_later(server: Server, other: ArgoClient) -> None:
    await job(other, "j-later")
    async with argo_proxy("http://127.0.0.1:9") as proxy, watching(proxy, server.token) as client:
        with capture_logs() as logs:
            await until(lambda: len(proxy.calls) >= 3)
            assert not client.seen_workflows.alive
        assert [line["event"] for line in logs].count("argo_watch_lost") <= 1
        proxy.target = server.url
        await alive(client)
        await until(lambda: is_kept(client, "j-later"))


async def test_one_watch_for_each_server_and_none_afterwards(server: Server, proxy: ArgoProxy) -> None:
    async with argo_proxy(server.url) as second:
        clients = {f"0{n}": ArgoClient(each.url, "jobs", server.token) for n, each in enumerate((proxy, second))}
        async with ArgoServers(clients) as servers:
            task = asyncio.create_task(servers.watch())
            await until(lambda: all(seen.alive for seen in servers.watched.values()))
            assert (len(proxy.watches), len(second.watches)) == (1, 1)
            assert servers.seen("ff" * 16) is None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await until(lambda: not proxy.watches and not second.watches)
