"""A job that is looked at while it runs: who may, what is told, what it costs Argo, how a viewer comes back."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from argo.client.errors import ArgoUnavailable
from argo.client.records import Node, Workflow
from contract import names
from ocean.keys import address_of
from ocean.signing import live_message, sign, start_message
from provider_api.calls.session import SESSION_COOKIE
from provider_api.calls.signed_text import remembered
from provider_api.jobs.live import hub as hubs
from provider_api.jobs.live import log as logs
from provider_api.jobs.live import view
from provider_api.settings import LiveSettings, StrangerSettings
from tests.support.provider_neighbours import CONSUMER_KEY, STRANGER_KEY, MemoryArgo, World
from tests.support.viewers import Viewer, watching
from tests.unit.provider_api.test_jobs import publish_results, started

pytestmark = pytest.mark.unit

NONCES = itertools.count(100)


class LiveArgo(MemoryArgo):
    """Counts reads and log streams. A log grows while it is followed; `broken` ends the next streams early."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []
        self.streams = 0
        self.printed: list[str] = []
        self.more = asyncio.Event()
        self.over = False
        self.broken = 0

    async def get(self, name: str) -> Workflow:
        self.reads.append(name)
        return await super().get(name)

    async def follow_log(
        self, name: str, pod_template: str = names.ALGORITHM, *, follow: bool = True
    ) -> AsyncGenerator[str, None]:
        self.streams += 1
        position = 0
        while True:
            more = self.more
            for line in self.printed[position:]:
                yield line
            position = len(self.printed)
            if self.broken:
                self.broken -= 1
                raise ArgoUnavailable("went away", definite=True)
            if self.over or not follow:
                return
            await more.wait()

    def print(self, *lines: str) -> None:
        self.printed += lines
        self.more.set()
        self.more = asyncio.Event()

    def becomes(self, job: str, *steps: tuple[str, str], **changes: Any) -> None:
        """Give it nodes, and tell the watch."""
        moment = datetime.now(UTC)
        nodes = tuple(
            Node(name, name, name, "Pod", name, phase, "", None, moment, None if phase == "Running" else moment, {})
            for name, phase in steps
        )
        self.workflows[job] = replace(self.workflows[job], phase="Running", nodes=nodes, **changes)
        self.told.changed(job)

    def runs(self, job: str, **changes: Any) -> None:
        self.becomes(job, (names.CONFIGURATION, "Succeeded"), (names.ALGORITHM, "Running"), **changes)


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "SETTLE_SECONDS", 0.005)
    monkeypatch.setattr(hubs, "GROWN_SECONDS", 0.005)
    monkeypatch.setattr(hubs, "UNWATCHED_SECONDS", 0.05)
    monkeypatch.setattr(logs, "PAUSE_SECONDS", 0.02)


async def opened(folder: Path, stack: AsyncExitStack, **settings: Any) -> World:
    world = World(folder, **settings)
    world.argo = LiveArgo()
    world.argo.told.opened()
    return await stack.enter_async_context(world.running())


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield await opened(tmp_path, stack)


def argo(world: World) -> LiveArgo:
    assert isinstance(world.argo, LiveArgo)
    return world.argo


def path(job: str, what: str = "events") -> str:
    return f"/api/v1/jobs/{job}/{what}"


def signature(job: str, nonce: int, key: str = CONSUMER_KEY) -> dict[str, str]:
    account = address_of(key)
    signed = sign(live_message(account, job, nonce), key)
    return {"consumerAddress": account, "nonce": str(nonce), "signature": signed}


async def token(world: World, key: str = CONSUMER_KEY) -> str:
    return await world.services.tokens.create(address_of(key), int(time.time()) + 600, str(next(NONCES)))


def looking(world: World, job: str, auth: str, last_id: str = "", **headers: str) -> Any:
    sent = {"AuthToken": auth, **({"Last-Event-ID": last_id} if last_id else {}), **headers}
    return watching(world.app, path(job), headers=sent)


def has_state(number: int) -> Any:
    return lambda viewer: any(state["status"] == number for state in viewer.named("state"))


async def test_a_whole_job(world: World) -> None:
    job, auth = await started(world), await token(world)
    async with looking(world, job, auth) as viewer:
        await viewer.wait_for(has_state(1))
        assert viewer.status == 200
        assert viewer.headers["content-type"].startswith("text/event-stream")
        assert viewer.headers["cache-control"] == "no-store"
        assert viewer.headers["x-accel-buffering"] == "no"
        assert "content-length" not in viewer.headers
        assert viewer.parser.comments == 1
        assert viewer.parser.retry == "3000"
        await viewer.wait_for(lambda seen: seen.named("queue"))
        assert viewer.named("queue") == [{"place": 1, "lowSeconds": 0, "highSeconds": 0}]
        argo(world).runs(job)
        await viewer.wait_for(has_state(40))
        argo(world).print("one", "zwei ü")
        await viewer.wait_for(lambda seen: "zwei" in seen.log)
        argo(world).over = True
        argo(world).print("three")
        publish_results(world, job, ("model.csv", b"a,b\n", "output"), ("algorithm.log", b"", "algorithmLog"))
        argo(world).told.changed(job)
        await viewer.wait_for(lambda seen: seen.closed)
        assert viewer.log == "one\nzwei ü\nthree\n"
        state = viewer.named("state")[-1]
        assert (state["status"], state["step"], state["reason"]) == (70, "finished", "completed")
        assert state["since"] == state["dateFinished"] >= state["dateCreated"]
        assert [found["filename"] for found in viewer.named("result")] == ["model.csv", "algorithm.log"]
        assert viewer.named("end") == [{**state, "deleted": False}]
        assert viewer.events[-1].id.endswith(".end")
        assert [found["ended"] for found in viewer.named("log") if found["ended"]] == ["complete"]
    async with looking(world, job, auth, viewer.last_id) as again:
        await again.wait_for(lambda seen: seen.closed)
        assert (again.status, again.body) == (204, b""), "browsers stop asking"


async def test_steps_and_since_when(world: World) -> None:
    job, auth = await started(world), await token(world)
    async with looking(world, job, auth) as viewer:
        for steps, number, step in (
            (((names.CONFIGURATION, "Running"),), 20, "configuration"),
            (((names.CONFIGURATION, "Succeeded"),), 30, "algorithm"),
            (((names.CONFIGURATION, "Succeeded"), (names.ALGORITHM, "Running")), 40, "algorithm"),
            (((names.CONFIGURATION, "Succeeded"), (names.ALGORITHM, "Succeeded")), 60, "publishing"),
        ):
            argo(world).becomes(job, *steps)
            await viewer.wait_for(has_state(number))
            state = viewer.named("state")[-1]
            assert state["step"] == step
            assert time.time() - 60 < state["since"] <= time.time()


async def test_who_may_look(world: World) -> None:
    job, auth, other = await started(world), await token(world), await token(world, STRANGER_KEY)
    get = world.http.get
    for what in ("events", "log"):
        assert (await get(path(job, what))).status_code == 400
        assert (await get(path(job, what), headers={"AuthToken": "x"})).json()["message"] == "Validation error"
        foreign = await get(path(job, what), headers={"AuthToken": other})
        unknown = await get(path("0" * 32, what), headers={"AuthToken": auth})
        for answer, name in ((foreign, job), (unknown, "0" * 32)):
            assert (answer.status_code, answer.json()) == (404, {"error": f"No job {name} of this account"})
        assert (await get(path("@latest", what), headers={"AuthToken": auth})).status_code == 404
        assert (await get(path(job, what), params=signature(job, next(NONCES), STRANGER_KEY))).status_code == 404
        of_another = signature("1" * 32, next(NONCES))
        assert (await get(path(job, what), params=of_another)).status_code == 400, "signed for another job"
    claims = {"consumerAddress": address_of(STRANGER_KEY)}
    assert (await get(path(job, "log"), params=claims, headers={"AuthToken": auth})).status_code == 400
    assert (await world.http.head(path(job), headers={"AuthToken": auth})).status_code == 405


async def test_a_signature_is_good_once(world: World) -> None:
    job = await started(world)
    query = urlencode(signature(job, 99))
    async with watching(world.app, path(job), query=query) as viewer:
        await viewer.wait_for(lambda seen: seen.named("state"))
    async with watching(world.app, path(job), query=query) as again:
        await again.wait_for(lambda seen: seen.closed)
        assert again.status == 400
    assert (await world.http.get(path(job, "log"), params=signature(job, 99))).status_code == 400


async def test_the_session_of_a_page(world: World) -> None:
    job, auth = await started(world), await token(world)
    cookie = {"Cookie": f"other=1; {SESSION_COOKIE}={auth}"}
    assert (await world.http.get(path(job, "log"), headers=cookie)).status_code == 200
    own = cookie | {"Sec-Fetch-Site": "same-origin"}
    assert (await world.http.get(path(job, "log"), headers=own)).status_code == 200
    foreign = cookie | {"Sec-Fetch-Site": "cross-site"}
    assert (await world.http.get(path(job, "log"), headers=foreign)).status_code == 400
    wrong = {"Cookie": f"{SESSION_COOKIE}={auth}x"}
    assert (await world.http.get(path(job, "log"), headers=wrong)).status_code == 400
    stop = {"consumerAddress": world.consumer.address, "nonce": "999999", "jobId": job}
    answer = await world.http.put("/api/services/compute", params=stop, headers=cookie)
    assert answer.status_code == 400, "nothing is changed by it"


async def test_one_read_and_one_stream_for_all(world: World) -> None:
    job, auth = await started(world), await token(world)
    argo(world).runs(job)
    async with AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(looking(world, job, auth)) for _ in range(20)]
        for viewer in viewers:
            await viewer.wait_for(has_state(40))
        argo(world).print("hello")
        for viewer in viewers:
            await viewer.wait_for(lambda seen: seen.log == "hello\n")
        assert argo(world).streams == 1
        before = len(argo(world).reads)
        argo(world).becomes(job, (names.CONFIGURATION, "Succeeded"), (names.ALGORITHM, "Succeeded"))
        for viewer in viewers:
            await viewer.wait_for(has_state(60))
        assert len(argo(world).reads) - before == 1, "one change, one read"
        assert world.services.live.viewers == 20
    assert world.services.live.viewers == 0


async def test_nobody_looks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provider_api.jobs.live.hubs.LINGER_SECONDS", 0.01)
    job, auth = await started(world), await token(world)
    argo(world).runs(job)
    async with looking(world, job, auth) as viewer:
        await viewer.wait_for(has_state(40))
    async with asyncio.timeout(30):
        while world.services.live.hubs:
            await asyncio.sleep(0.01)
    before = len(argo(world).reads), argo(world).streams
    argo(world).becomes(job, (names.CONFIGURATION, "Succeeded"), (names.ALGORITHM, "Succeeded"))
    await asyncio.sleep(0.1)
    assert (len(argo(world).reads), argo(world).streams) == before


async def test_a_viewer_that_comes_back(tmp_path: Path) -> None:
    """To another process, in the middle of the log, again and again."""
    async with AsyncExitStack() as stack:
        first = await opened(tmp_path / "first", stack)
        second = World(tmp_path / "second")
        second.argo = first.argo
        await stack.enter_async_context(second.running())
        job, auth = await started(first), await token(first)
        argo(first).runs(job)
        text, last_id = "", ""
        for turn in range(12):
            argo(first).print(f"line {turn} ä" + "x" * 2000)
            world = (first, second)[turn % 2]
            expected = f"line {turn} "
            async with looking(world, job, auth, last_id) as viewer:
                await viewer.wait_for(lambda seen, expected=expected: expected in seen.log)
                if turn:
                    assert viewer.named("state") == [], "it knows that"
                text, last_id = text + viewer.log, viewer.last_id
        assert text == "".join(line + "\n" for line in argo(first).printed)


async def test_argo_breaks_the_log(world: World) -> None:
    job, auth = await started(world), await token(world)
    argo(world).runs(job)
    argo(world).broken = 3
    argo(world).print("one", "two")
    async with looking(world, job, auth) as viewer:
        await viewer.wait_for(lambda seen: seen.log == "one\ntwo\n")
        argo(world).print("three")
        await viewer.wait_for(lambda seen: seen.log == "one\ntwo\nthree\n")
        async with asyncio.timeout(30):
            while argo(world).broken:
                argo(world).print("more")
                await asyncio.sleep(0.01)
        argo(world).print("last")
        await viewer.wait_for(lambda seen: seen.log.endswith("last\n"))
        assert viewer.log == "".join(line + "\n" for line in argo(world).printed)
    assert argo(world).streams >= 4


async def test_argo_is_away(world: World) -> None:
    job, auth = await started(world), await token(world)
    async with looking(world, job, auth) as viewer:
        await viewer.wait_for(has_state(1))
        argo(world).away = True
        argo(world).told.lost()
        await asyncio.sleep(0.2)
        assert not viewer.closed
        argo(world).away = False
        argo(world).runs(job)
        await viewer.wait_for(has_state(40))  # without a watch


@pytest.mark.parametrize("why", ["filter", "approval", "rules"])
async def test_no_log_of_what_is_held(world: World, why: str) -> None:
    job, auth = await started(world), await token(world)
    workflow = argo(world).workflows[job]
    if why == "filter":
        changes: dict[str, Any] = {"annotations": {**workflow.annotations, names.FILTERED: "true"}}
    elif why == "approval":
        changes = {"labels": {**workflow.labels, names.APPROVAL: "owner"}}
    else:
        changes = {"annotations": {**workflow.annotations, names.RECORD: "{"}}
    argo(world).runs(job, **changes)
    argo(world).print("secret")
    async with looking(world, job, auth) as viewer:
        await viewer.wait_for(has_state(40))
        await viewer.wait_for(lambda seen: seen.named("log"))
        argo(world).over = True
        argo(world).finish(job)
        argo(world).told.changed(job)
        polled = await world.http.get(path(job, "log"), headers={"AuthToken": auth})
        assert (polled.text, polled.headers["x-log-ended"]) == ("", why)
        await viewer.wait_for(lambda seen: seen.closed)
        assert viewer.named("log") == [{"offset": 0, "next": 0, "text": "", "ended": why}]
        assert b"secret" not in viewer.body
    assert argo(world).streams == 0, "nobody has even asked for it"


async def test_a_log_has_a_budget(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        world = await opened(tmp_path, stack, live=LiveSettings(log_bytes=10))
        job, auth = await started(world), await token(world)
        argo(world).runs(job)
        argo(world).print("1234", "56ü78", "9")
        async with looking(world, job, auth) as viewer:
            await viewer.wait_for(lambda seen: any(found["ended"] for found in seen.named("log")))
            assert viewer.log == "1234\n56ü7", "a character is not cut"
            assert viewer.named("log")[-1]["ended"] == "limit"


async def test_what_was_shown_is_not_shown_of_withheld_results(world: World) -> None:
    from contract.manifest import Summary

    job, auth = await started(world), await token(world)
    argo(world).runs(job)
    argo(world).print("shown")
    async with looking(world, job, auth) as viewer:
        await viewer.wait_for(lambda seen: seen.log == "shown\n")
        argo(world).over = True
        argo(world).finish(job, results=Summary(digest="a" * 64, count=2, withheld=True).encoded())
        argo(world).told.changed(job)
        await viewer.wait_for(lambda seen: seen.closed)
    async with looking(world, job, auth) as late:
        await late.wait_for(lambda seen: seen.closed)
        assert late.log == ""
        assert late.named("log")[-1]["ended"] == "withheld"


async def test_polling(world: World) -> None:
    job, auth = await started(world), await token(world)
    argo(world).runs(job)
    argo(world).print("one", "two")
    text, offset, ended = "", "0", ""
    async with asyncio.timeout(60):
        while not ended:
            answer = await world.http.get(path(job, "log"), params={"offset": offset}, headers={"AuthToken": auth})
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "no-store"
            text, offset, ended = text + answer.text, answer.headers["x-log-next"], answer.headers["x-log-ended"]
            if text == "one\ntwo\n":
                argo(world).over = True
                argo(world).print("three")
                argo(world).finish(job)
                argo(world).told.changed(job)
    assert (text, offset, ended) == ("one\ntwo\nthree\n", str(len(text)), "complete")
    wrong = await world.http.get(path(job, "log"), params={"offset": "-1"}, headers={"AuthToken": auth})
    assert wrong.status_code == 400


async def test_a_slow_viewer_costs_nothing(world: World) -> None:
    """It gets the state as it is when it reads again, not all that were in between, and the whole log."""
    job, auth = await started(world), await token(world)
    argo(world).runs(job)
    async with looking(world, job, auth) as slow, looking(world, job, auth) as quick:
        await slow.wait_for(has_state(40))
        slow.reads.clear()
        for number in range(50):
            argo(world).print("y" * 1000)
            argo(world).becomes(
                job, (names.CONFIGURATION, "Succeeded"), (names.ALGORITHM, "Running"), shutdown="Stop" * (number % 2)
            )
            await asyncio.sleep(0.01)
        await quick.wait_for(lambda seen: len(seen.log) == 50 * 1001)
        assert len(slow.body) < 5000
        slow.reads.set()
        await slow.wait_for(lambda seen: len(seen.log) == 50 * 1001)
        assert len(slow.named("state")) < 10


async def test_limits_of_viewers(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        world = await opened(tmp_path, stack, live=LiveSettings(viewers=3, viewers_each=2))
        job, auth = await started(world), await token(world)
        viewers = [await stack.enter_async_context(looking(world, job, auth)) for _ in range(2)]
        for viewer in viewers:
            await viewer.wait_for(lambda seen: seen.status)
        refused = await world.http.get(path(job), headers={"AuthToken": auth})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        assert (await world.http.get(path(job, "log"), headers={"AuthToken": auth})).status_code == 200


async def test_the_process_ends(world: World) -> None:
    job, auth = await started(world), await token(world)
    async with looking(world, job, auth) as viewer:
        await viewer.wait_for(has_state(1))
        closing = asyncio.Event()
        world.services.live.close_with(closing)
        closing.set()
        await viewer.wait_for(lambda seen: seen.closed, 5)
    refused = await world.http.get(path(job), headers={"AuthToken": auth})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")


async def test_a_job_that_is_deleted(world: World) -> None:
    job, auth = await started(world), await token(world)
    async with looking(world, job, auth) as viewer:
        await viewer.wait_for(has_state(1))
        world.argo.forget(job)
        argo(world).told.changed(job)
        await viewer.wait_for(lambda seen: seen.closed)
        assert viewer.named("end")[0]["deleted"] is True


async def test_strangers_are_no_viewers(tmp_path: Path) -> None:
    """An address that has used up its budget still may look with a token, and its open streams hold no places."""
    budget = StrangerSettings(units_per_minute=60, at_once=2, at_once_each=1, waiting_each=0)
    async with AsyncExitStack() as stack:
        world = await opened(tmp_path, stack, strangers=budget)
        job, auth = await started(world), await token(world)
        refused = [(await world.http.get(path(job), headers={"AuthToken": "x"})).status_code for _ in range(5)]
        assert set(refused) == {400}
        assert (await world.http.get("/api/services/computeEnvironments")).status_code == 429
        for _ in range(4):
            viewer = await stack.enter_async_context(looking(world, job, auth))
            await viewer.wait_for(has_state(1))


async def test_heartbeats(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "HEARTBEAT_SECONDS", 0.02)
    job, auth = await started(world), await token(world)
    async with looking(world, job, auth) as viewer:
        await viewer.wait_for(lambda seen: seen.parser.comments >= 4)


def test_ids() -> None:
    for text in ("0..", "12.0123456789ab.", "12.0123456789ab.ba9876543210", "5.0123456789ab..end"):
        assert view.Cursor.parse(text).text() == text
    for text in ("", "7", "-1..", "1.2.3", "1.0123456789ab", "9" * 13 + "..", "1..\n", "١.."):
        assert view.Cursor.parse(text) == view.Cursor()


def test_its_text_is_no_other_calls() -> None:
    account = address_of(CONSUMER_KEY)
    assert remembered(live_message(account, "0" * 32, 17), "17").digits == 0
    assert live_message(account, "0" * 32, 17) != start_message(account, "", 17, "0" * 32)


def test_a_viewer_of_the_tests() -> None:
    viewer = Viewer()
    found = [*viewer.parser.take(b"event: a\nid: 1\nda"), *viewer.parser.take(b'ta: {"b":2}\n\n')]
    assert [(event.name, event.id, event.data) for event in found] == [("a", "1", {"b": 2})]
