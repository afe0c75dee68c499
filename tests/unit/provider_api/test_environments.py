"""What an environment says of its place among the others and of one account's jobs, and what comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account

from tests.support import provider_facts as facts
from tests.support.provider_neighbours import CONSUMER_KEY, FREE, PAID, STRANGER_KEY, World

pytestmark = pytest.mark.unit
MOST = 3


async def questions(world: World, consumer: str) -> tuple[httpx.Response, httpx.Response]:
    """(initializeCompute's answer, why-not's)"""
    body = {
        "datasets": [{"documentId": world.publish(), "serviceId": "svc"}],
        "algorithm": {"meta": dict(facts.raw().meta or {})},
        "compute": {"env": FREE, "validUntil": int(time.time()) + 600},
        "consumerAddress": consumer,
    }
    quoted = await world.http.post("/api/services/initializeCompute", json=body)
    return quoted, await world.http.post("/api/v1/why-not", json=body)


async def environments(world: World) -> list[dict[str, Any]]:
    answer = await world.http.get("/api/services/computeEnvironments")
    listed: list[dict[str, Any]] = answer.json()["8996"]
    return listed


def start_of(world: World, nonce: int, key: str = STRANGER_KEY, environment: str = FREE) -> dict[str, Any]:
    """A paid start by an account that is no environment's."""
    payer = Account.from_key(key).address
    order = world.order(payer=payer, environment=environment, fee_amount=10**21)
    dataset = {"documentId": world.publish(), "serviceId": "svc", "transferTxId": order}
    return world.start_body(nonce, key=key, dataset=dataset, environment=environment)


def account_full(answer: httpx.Response) -> bool:
    refused: dict[str, str] = answer.json().get("error", {}) if answer.status_code == 400 else {}
    return refused.get("environment", "").startswith(f"account_full: at most {MOST} unfinished jobs of one account")


async def test_one_account_leaves_places_to_others(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.argo.per_account = MOST
    async with world.running():
        assert {each["maxJobsPerAccount"] for each in await environments(world)} == {MOST}
        bodies = [start_of(world, nonce) for nonce in range(5, 5 + MOST)]
        started = [(await world.start(body)).json()[0]["jobId"] for body in bodies]

        assert account_full(await world.start(start_of(world, 50)))
        address = bodies[0]["consumerAddress"]
        quoted, why = await questions(world, address.lower())
        assert account_full(quoted), "nobody pays for what is refused then"
        (reason,) = why.json()["reasons"]
        assert (reason["place"], reason["rule"], reason["who"]) == ("environment", "account_has_room", "consumer")
        assert (reason["expected"], reason["found"]) == (f"fewer than {MOST} unfinished jobs of the consumer", MOST)
        quoted, _ = await questions(world, facts.ENVIRONMENT_ADDRESS)
        assert quoted.status_code == 200, "nobody has said who will start the job"

        assert (await world.start(start_of(world, 51, environment=PAID))).status_code == 200, "each counts for itself"
        assert (await world.start(start_of(world, 5, CONSUMER_KEY))).status_code == 200, "so does another account"

        world.argo.finish(started[0])
        assert (await world.start(start_of(world, 52))).status_code == 200
        assert account_full(await world.start(start_of(world, 53)))


async def test_the_identical_start_is_answered_with_its_job_although_the_account_is_full(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.argo.per_account = MOST
    async with world.running():
        bodies = [world.start_body(nonce) for nonce in range(5, 5 + MOST)]
        first = [(await world.start(body)).json()[0]["jobId"] for body in bodies]
        assert [(await world.start(body)).json()[0]["jobId"] for body in bodies] == first


async def test_a_burst_gets_as_many_places_as_there_are(tmp_path: Path) -> None:
    """All of them ask Argo before any has been submitted."""
    world = World(tmp_path)
    world.argo.per_account, world.argo.slow_seconds = MOST, 0.2
    async with world.running():
        bodies = [start_of(world, nonce) for nonce in range(5, 15)]
        answers = await asyncio.gather(*(world.start(body) for body in bodies))
        assert 1 <= len(world.argo.workflows) <= MOST
        assert sum(answer.status_code == 200 for answer in answers) == len(world.argo.workflows)
        assert any(account_full(answer) for answer in answers)


async def test_environments_without_a_limit(world: World) -> None:
    assert all("maxJobsPerAccount" not in each for each in await environments(world))
    for nonce in range(5, 12):
        assert (await world.start(world.start_body(nonce))).status_code == 200


@pytest.mark.parametrize(
    ("positions", "order"),
    [
        ({}, [FREE, PAID]),
        ({FREE: 10, PAID: 20}, [FREE, PAID]),
        ({FREE: 20, PAID: 10}, [PAID, FREE]),
        ({FREE: 10, PAID: 10}, [FREE, PAID]),
        ({FREE: 9_000}, [FREE, PAID]),
    ],
)
async def test_the_operator_says_which_is_announced_first(
    tmp_path: Path, positions: dict[str, int], order: list[str]
) -> None:
    world = World(tmp_path)
    world.argo.positions = positions
    async with world.running():
        assert [each["id"] for each in await environments(world)] == order


async def test_a_start_where_no_environment_exists(tmp_path: Path) -> None:
    """As a provider without an operator says it, whatever was sent."""
    world = World(tmp_path)
    world.argo.prices = {}
    async with world.running():
        for body in ({}, world.start_body(5)):
            answer = await world.http.post("/api/services/compute", json=body)
            assert (answer.status_code, set(answer.json())) == (404, {"context", "error"})
            assert answer.json()["error"].startswith("404 Not Found: ")


async def test_while_a_server_is_away_nobody_knows_that_no_environment_exists(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.argo.prices, world.argo.unreachable_servers = {}, frozenset({"01"})
    async with world.running():
        answer = await world.start(world.start_body(5))
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


async def test_starts_of_another_process_are_counted_with_the_claim(tmp_path: Path) -> None:
    """Argo does not show them yet: the places hold. A job that is over gives its place back when it is asked for."""
    world = World(tmp_path)
    world.argo.per_account = MOST
    async with world.running():
        for nonce in range(5, 5 + MOST):
            assert (await world.start(start_of(world, nonce))).status_code == 200
        jobs = list(world.argo.workflows)
        counted = world.argo.count

        async def behind(labels: Mapping[str, str], *, unfinished_only: bool = False) -> int:
            await counted(labels, unfinished_only=unfinished_only)
            return 0

        world.argo.count = behind  # type: ignore[method-assign]
        late = await world.start(start_of(world, 50))
        assert account_full(late), late.text
        assert len(world.argo.workflows) == MOST
        world.argo.finish(jobs[1])
        again = await world.start(start_of(world, 51))
        assert again.status_code == 200, again.text
        assert account_full(await world.start(start_of(world, 52)))
        world.argo.forget(jobs[0])  # deleted, or gone with its time
        assert (await world.start(start_of(world, 53))).status_code == 200
