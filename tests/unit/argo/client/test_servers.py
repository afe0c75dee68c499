"""Several Argo Servers as one, over clients that say what they were asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from argo.client import servers
from argo.client.client import ArgoClient
from argo.client.errors import ArgoRefused, ArgoUnavailable, WorkflowNotFound
from argo.client.records import Template, Workflow
from argo.client.servers import ArgoServers
from contract import names

pytestmark = pytest.mark.unit

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AWAY = ArgoUnavailable("connection refused", definite=True)


def workflow(name: str, minute: int) -> Workflow:
    created = NOON + timedelta(minutes=minute)
    return Workflow(name, name, {}, {}, {}, created, "Running", "", None, None, "")


def test_who_listens_hears_the_server_of_the_name() -> None:
    clients = {number: ArgoClient("http://127.0.0.1:9", "jobs") for number in ("00", "01")}
    several, heard = ArgoServers(clients), list[str]()
    with several.listening("01ab", lambda: heard.append("01")), several.listening("77ab", lambda: heard.append("77")):
        assert not several.is_watched("01ab")
        clients["01"].seen_workflows.opened()
        assert several.is_watched("01ab")
        assert not several.is_watched("00ab")
        assert not several.is_watched("77ab")
        clients["01"].seen_workflows.changed("01ab", "3")
        clients["00"].seen_workflows.changed("01ab", "3")
    assert heard == ["01", "01"]


class Client:
    """One server: its workflows, its environments; `fails` with what every call raises."""

    def __init__(self, workflows: list[Workflow], environments: list[str]) -> None:
        self.workflows, self.environments = workflows, environments
        self.fails: Exception | None = None
        self.seconds = 0.0
        self.asked: list[str] = []

    def _answer(self, what: str) -> None:
        self.asked.append(what)
        if self.fails is not None:
            raise self.fails

    async def get(self, name: str) -> Workflow:
        self._answer(f"get {name}")
        return workflow(name, 0)

    async def templates(self) -> list[Template]:
        await asyncio.sleep(self.seconds)
        self._answer("templates")
        return [Template(name, {}, {}) for name in self.environments]

    async def count(self, labels: Any, *, unfinished_only: bool) -> int:
        self._answer("count")
        return len(self.workflows)

    async def list(self, labels: Any, *, limit: int | None, unfinished_only: bool) -> list[Workflow]:
        self._answer("list")
        return self.workflows[:limit]

    async def pages(
        self, labels: Any, *, limit: int | None, unfinished_only: bool, nodes: bool
    ) -> AsyncGenerator[Any, None]:
        self._answer("pages")
        for one in self.workflows[:limit]:
            yield [one]


@pytest.fixture
def first() -> Client:
    return Client([workflow("00a", 3), workflow("00b", 1)], ["cpu", "both"])


@pytest.fixture
def second() -> Client:
    return Client([workflow("01a", 2)], ["both", "gpu"])


@pytest.fixture
def both(first: Client, second: Client) -> ArgoServers:
    return ArgoServers({"01": second, "00": first})  # type: ignore[dict-item]


OWNER, GPU = {names.OWNER: "0x1"}, {names.ENVIRONMENT: "gpu"}


async def test_a_name_says_where(both: ArgoServers, first: Client, second: Client) -> None:
    await both.get("00x")
    await both.get("01x")
    assert (first.asked, second.asked) == (["get 00x"], ["get 01x"])
    for name in ("02x", "", "x"):
        with pytest.raises(WorkflowNotFound):
            await both.get(name)


async def test_of_two_environments_with_one_name_the_first_counts(both: ArgoServers) -> None:
    found = {template.name: template.server for template in await both.templates()}
    assert found == {"cpu": "00", "both": "00", "gpu": "01"}


async def test_an_environments_jobs_are_asked_of_its_server_alone(
    both: ArgoServers, first: Client, second: Client
) -> None:
    assert await both.count(GPU) == 3, "before anybody told where it is"
    await both.templates()
    first.asked.clear()
    assert await both.count(GPU) == 1
    assert [one.name for one in await both.list(GPU)] == ["01a"]
    assert [one.name async for page in both.pages(GPU) for one in page] == ["01a"]
    assert first.asked == []
    second.fails = AWAY
    await both.templates()
    with pytest.raises(ArgoUnavailable):  # not the other server's answer, which would be 0
        await both.count(GPU)


async def test_lists_are_one_list(both: ArgoServers) -> None:
    assert [one.name for one in await both.list(OWNER)] == ["00a", "01a", "00b"]
    assert [one.name for one in await both.list(OWNER, limit=2)] == ["00a", "01a"]
    assert [one.name for one in await both.list(OWNER, limit=None)] == ["00a", "01a", "00b"]
    assert [one.name async for page in both.pages(OWNER, limit=3) for one in page] == ["00a", "00b", "01a"]
    assert [one.name async for page in both.pages(OWNER, limit=1) for one in page] == ["00a"]
    assert await both.count(OWNER) == 3


async def test_a_list_without_those_who_are_away(both: ArgoServers, first: Client, second: Client) -> None:
    second.fails = AWAY
    assert [one.name for one in await both.list(OWNER, skip_unreachable=True)] == ["00a", "00b"]
    with pytest.raises(ArgoUnavailable):
        await both.list(OWNER)
    first.fails = AWAY
    with pytest.raises(ArgoUnavailable):
        await both.list(OWNER, skip_unreachable=True)
    first.fails, second.fails = None, ArgoRefused(403, "no right")
    with pytest.raises(ArgoRefused):  # a fault of the set-up is nobody's absence
        await both.list(OWNER, skip_unreachable=True)


async def test_pages_of_all_environments(both: ArgoServers, first: Client, second: Client) -> None:
    """Whatever environments there are today, and, for background work, whoever is away."""
    ours = {names.ENVIRONMENT: names.ANY}
    await both.templates()
    assert [one.name async for page in both.pages(ours) for one in page] == ["00a", "00b", "01a"]
    for away, left in ((first, ["01a"]), (second, ["00a", "00b"])):
        away.fails = AWAY
        assert [one.name async for page in both.pages(ours, skip_unreachable=True) for one in page] == left
        with pytest.raises(ArgoUnavailable):
            [page async for page in both.pages(ours)]
        away.fails = None
    first.fails = second.fails = AWAY
    with pytest.raises(ArgoUnavailable):
        [page async for page in both.pages(ours, skip_unreachable=True)]
    assert (both.serves("00x"), both.serves("01x"), both.serves("02x")) == (True, True, False)


async def test_who_is_away(both: ArgoServers, first: Client, second: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    second.fails = AWAY
    assert {template.name for template in await both.templates()} == {"cpu", "both"}
    assert both.unreachable_servers == {"01"}
    second.fails, second.seconds = None, 3600
    monkeypatch.setattr(servers, "TEMPLATES_SECONDS", 0.01)
    assert {template.name for template in await both.templates()} == {"cpu", "both"}
    assert both.unreachable_servers == {"01"}
    second.seconds = 0
    monkeypatch.setattr(servers, "TEMPLATES_SECONDS", 60)
    await both.templates()
    assert both.unreachable_servers == set()
    first.fails = second.fails = AWAY
    with pytest.raises(ArgoUnavailable):
        await both.templates()


def test_the_first_server_must_be_there(first: Client) -> None:
    with pytest.raises(ValueError, match="00"):
        ArgoServers({"01": first})  # type: ignore[dict-item]
