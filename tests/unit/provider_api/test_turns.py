"""Jobs that await their turn: who has to, whose turn it is, and that nobody is forgotten."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo.client.errors import ArgoRefused, ArgoUnavailable, WorkflowNotFound
from argo.client.records import ACTION, Node, Workflow
from contract import names
from provider_api.environments.catalogue import Environments
from provider_api.environments.environment import Environment
from provider_api.jobs.places import awaits_turn, in_turn, is_in_line, places_in_line
from provider_api.jobs.queues import EnvironmentQueues
from provider_api.jobs.turns import Turns
from tests.support.provider_facts import environment
from tests.support.provider_neighbours import FREE, PAID, MemoryArgo, World, labelled
from tests.unit.provider_api.test_jobs import delete_job, started, status

pytestmark = pytest.mark.unit

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def job(number: int, account: str = "a", *, waits: bool = True, shutdown: str = "") -> Workflow:
    """The `number`th job that came."""
    labels = {names.OWNER: account, names.ENVIRONMENT: FREE} | ({names.FROM_QUEUE: "true"} if waits else {})
    moment, entrypoint = MOMENT + timedelta(seconds=number), names.QUEUED if waits else ""
    return Workflow(f"{number:032x}", "", labels, {}, {}, moment, "Running", "", None, None, shutdown, entrypoint)


def node(name: str, kind: str, phase: str) -> Node:
    return Node(name, name, name, kind, name, phase, "", None, None, None, {})


def computed(job: Workflow) -> Workflow:
    """The same when it is being published."""
    name = names.COMPUTE if job.entrypoint else job.name
    return replace(job, nodes=(*job.nodes, node(name, "DAG", "Succeeded")))


STATES = [  # what Argo says of a job that began in the queue, and of one that did not
    ((), True, False),
    ((("turn", "Suspend", "Running"),), True, False),
    ((("turn", "Suspend", "Succeeded"),), False, True),
    ((("turn", "Suspend", "Succeeded"), ("compute", "DAG", "Pending")), False, True),
    ((("turn", "Suspend", "Succeeded"), ("compute", "DAG", "Running")), False, True),
    ((("turn", "Suspend", "Succeeded"), ("compute", "DAG", "Failed")), False, False),
    ((("turn", "Suspend", "Failed"), ("compute", "Skipped", "Omitted")), False, False),
]


@pytest.mark.parametrize(("nodes", "awaits", "in_line"), STATES)
def test_where_a_job_stands(nodes: tuple[tuple[str, str, str], ...], awaits: bool, in_line: bool) -> None:
    queued = replace(job(1), nodes=tuple(node(*each) for each in nodes))
    assert (awaits_turn(queued), is_in_line(queued)) == (awaits, in_line)
    ended = replace(queued, phase="Failed")
    assert not awaits_turn(ended)
    assert not is_in_line(ended)


@pytest.mark.parametrize(("phase", "in_line"), [("", True), ("Pending", True), ("Running", True), ("Error", False)])
def test_where_a_job_stands_that_never_awaited_its_turn(phase: str, in_line: bool) -> None:
    known = job(1, waits=False)
    seen = replace(known, nodes=(node(known.name, "DAG", phase),)) if phase else known
    assert (awaits_turn(seen), is_in_line(seen)) == (False, in_line)


def numbers(jobs: Sequence[Workflow]) -> list[int]:
    return [int(job.name, 16) for job in jobs]


@pytest.mark.parametrize(
    ("accounts", "running", "order"),
    [
        ("aaa", "", [0, 1, 2]),
        ("aaab", "", [0, 3, 1, 2]),
        ("aaabbc", "", [0, 3, 5, 1, 4, 2]),
        ("aab", "a", [2, 0, 1]),
        ("aab", "aab", [2, 0, 1]),
        ("ab", "bb", [0, 1]),
        ("", "aab", []),
    ],
)
def test_accounts_take_turns(accounts: str, running: str, order: list[int]) -> None:
    waiting = [job(number, account) for number, account in enumerate(accounts)]
    inside = [job(100 + number, account, waits=False) for number, account in enumerate(running)]
    assert numbers(in_turn(inside, [*reversed(waiting)])) == order


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=40), st.randoms())
def test_turns_are_fair_whatever_the_list(jobs: list[tuple[str, bool]], chance: object) -> None:
    """Everybody is in it once, in an order that the list's own does not change; nobody is passed by an account that has
    had more; of one account the older comes first; and what is left keeps its order when the first one has gone in."""
    known = [job(number, account, waits=waits) for number, (account, waits) in enumerate(jobs)]
    inside, awaiting = [one for one in known if not one.entrypoint], [one for one in known if one.entrypoint]
    order = in_turn(inside, awaiting)
    shuffled = [*awaiting]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert in_turn(inside, shuffled) == order
    assert sorted(numbers(order)) == [number for number, (_, waits) in enumerate(jobs) if waits]
    had = Counter(account for account, waits in jobs if not waits)
    waiting = Counter(one.labels[names.OWNER] for one in order)
    for one in order:
        account = one.labels[names.OWNER]
        assert all(had[account] <= had[other] for other, left in waiting.items() if left)
        had[account] += 1
        waiting[account] -= 1
    for account in "abcd":
        mine = [one for one in order if one.labels[names.OWNER] == account]
        assert all(first.created_at <= second.created_at for first, second in pairwise(mine))
    if order:
        gone_in = replace(order[0], nodes=(node(names.TURN, "Suspend", "Succeeded"),))
        assert in_turn([*inside, gone_in], awaiting) == order[1:]


@pytest.mark.parametrize("max_jobs", [1, 2, 100])
def test_one_more_than_run_is_left_to_argo(max_jobs: int) -> None:
    assert places_in_line(environment(max_jobs=max_jobs)) == max_jobs + 1


async def turns(argo: MemoryArgo) -> tuple[Turns, Environment]:
    environments = Environments(argo)
    found = await environments.find(FREE)
    assert found is not None
    return Turns(argo, environments, EnvironmentQueues(argo)), found


def holding(*jobs: Workflow) -> MemoryArgo:
    return MemoryArgo(workflows={each.name: each for each in jobs})


async def test_as_many_go_on_as_there_are_places() -> None:
    argo = holding(job(90, waits=False), *(job(number) for number in range(5)))
    mine, small = await turns(argo)
    assert [await mine.look(small), await mine.look(small)] == [1, 1], "who will wait is chosen afterwards"
    assert [int(name, 16) for name in argo.resumed] == [0, 1]
    assert mine.waiting == {FREE: 3}
    assert await mine.look(small) == 0
    argo.forget(f"{90:032x}")
    assert await mine.look(small) == 1
    first = f"{0:032x}"
    argo.workflows[first] = computed(argo.workflows[first])
    assert await mine.look(small) == 1, "its results are being published, which needs no place"
    argo.forget(first)
    assert await mine.look(small) == 0
    argo.forget(f"{1:032x}")
    assert await mine.look(small) == 1
    assert (mine.waiting, len(argo.resumed)) == ({}, 5)


async def test_one_that_is_stopped_needs_no_place() -> None:
    """Argo ends it by itself."""
    stopped = job(1, shutdown="Stop")
    argo = holding(replace(stopped, labels={**stopped.labels, ACTION: "Stop"}), job(2))
    mine, small = await turns(argo)
    assert await mine.look(small) == 1
    assert [int(name, 16) for name in argo.resumed] == [2]
    assert mine.waiting == {}


async def test_one_that_is_deleted_meanwhile_is_nobodys_loss() -> None:
    class Forgetful(MemoryArgo):
        async def resume(self, name: str) -> None:
            await super().resume(name)
            if name.endswith("0"):
                raise WorkflowNotFound(name)

    argo = Forgetful(workflows={each.name: each for each in (job(0), job(1))})
    mine, small = await turns(argo)
    assert await mine.look(small) == 2
    assert [int(name, 16) for name in argo.resumed] == [0, 1]


async def test_one_that_argo_will_not_resume_is_in_nobodys_way() -> None:
    class Refusing(MemoryArgo):
        async def resume(self, name: str) -> None:
            if name.endswith("0"):
                raise ArgoRefused(500, "this one is too large")
            await super().resume(name)

    argo = Refusing(workflows={each.name: each for each in (job(0), job(1), job(2))})
    mine, small = await turns(argo)
    assert await mine.look(small) == 2
    assert [int(name, 16) for name in argo.resumed] == [1, 2]


async def test_several_processes_with_old_lists_let_in_no_more() -> None:
    """All see the same places and the same order, so they resume the same jobs, however often."""

    class Stale(MemoryArgo):
        async def list(self, labels: Mapping[str, str], **how: Any) -> list[Workflow]:
            return [one for one in seen if all(labelled(one, *each) for each in labels.items())]

    seen = [job(number, "ab"[number % 2]) for number in range(20)]
    argo = Stale(workflows={each.name: each for each in seen})
    several = [await turns(argo) for _ in range(5)]
    await asyncio.gather(*(mine.look(small) for mine, small in several for _ in range(3)))
    assert sum(not awaits_turn(each) for each in argo.workflows.values()) == several[0][1].max_jobs


async def test_a_job_of_an_environment_that_was_removed_goes_on() -> None:
    gone = replace(job(7), labels={**job(7).labels, names.ENVIRONMENT: "removed"})
    argo = holding(gone, job(1))
    mine, _ = await turns(argo)
    snapshot = await Environments(argo).refresh()
    await mine.sweep(replace(snapshot, complete=False))
    assert (argo.resumed, mine.waiting) == ([], {FREE: 1}), "its server may be away"
    await mine.sweep(snapshot)
    assert argo.resumed == [gone.name]


async def test_an_environment_that_does_not_answer_delays_no_other() -> None:
    class Half(MemoryArgo):
        async def count(self, labels: Mapping[str, str], *, unfinished_only: bool = False) -> int:
            return 2

        async def list(self, labels: Mapping[str, str], **how: Any) -> list[Workflow]:
            match labels[names.ENVIRONMENT]:
                case "dark":
                    await asyncio.Event().wait()
                case "away":
                    raise ArgoUnavailable("refused", definite=True)
            return await super().list(labels, **how)

    prices = {"dark": "0", "away": "0", FREE: "0", PAID: "1"}
    argo = Half(workflows={each.name: each for each in (job(0), job(1))}, prices=prices)
    queues = EnvironmentQueues(argo)
    mine = Turns(argo, Environments(argo), queues)
    for name in prices:
        mine.expect(name)
    running = asyncio.create_task(mine.run())
    try:
        async with asyncio.timeout(30):
            while len(argo.resumed) < 2:
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await queues.close()
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()], "nothing goes on alone"


# --- through the service ---------------------------------------------------------------------------------------------


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path).running() as opened:
        opened.argo.max_queued = 100
        yield opened


async def until_resumed(world: World, count: int) -> None:
    async with asyncio.timeout(30):
        while len(set(world.argo.resumed)) < count:
            await asyncio.sleep(0.02)


async def test_a_start_at_the_end_of_the_line_awaits_its_turn_and_it_comes(world: World) -> None:
    jobs = [await started(world, nonce) for nonce in range(5, 11)]
    assert [awaits_turn(world.argo.workflows[name]) for name in jobs] == [False] * 3 + [True] * 3
    assert [(await status(world, jobId=name))[0]["queuePosition"] for name in jobs[3:]] == [4, 5, 6]
    assert (await status(world, jobId=jobs[5]))[0]["status"] == 1
    assert f'c2d_suspended_jobs{{environment="{FREE}"}} ' in world.services.metrics.text().decode()
    world.argo.finish(jobs[0])
    await until_resumed(world, 1)
    world.argo.finish(jobs[1])
    await until_resumed(world, 2)
    assert list(dict.fromkeys(world.argo.resumed)) == jobs[3:5]


async def test_a_template_of_an_earlier_release_has_no_queue(tmp_path: Path) -> None:
    around = World(tmp_path)
    around.argo.has_queue = False
    async with around.running() as world:
        jobs = [await started(world, nonce) for nonce in range(5, 10)]
        assert not any(world.argo.workflows[name].entrypoint for name in jobs)
        assert (await status(world, jobId=jobs[4]))[0]["queuePosition"] == 5


async def test_of_a_burst_only_the_first_are_left_to_argo(world: World) -> None:
    """All ask Argo how many jobs there are before any of them is one."""
    world.argo.held = asyncio.Event()
    bodies = [world.start_body(nonce) for nonce in range(5, 17)]
    starts = [asyncio.create_task(world.start(body)) for body in bodies]
    async with asyncio.timeout(60):
        while len(world.argo.submissions) + sum(start.done() for start in starts) < len(bodies):
            await asyncio.sleep(0.01)
    submitted = [*world.argo.submissions]
    world.argo.held.set()
    await asyncio.gather(*starts)
    inside = [
        name for name in submitted if name not in world.argo.resumed and not world.argo.workflows[name].entrypoint
    ]
    assert submitted
    assert len(inside) <= 3


@pytest.mark.parametrize("strategy", ["stop", "delete"])
async def test_one_that_awaits_its_turn_ends_without_it(world: World, strategy: str) -> None:
    jobs = [await started(world, nonce) for nonce in range(5, 9)]
    assert awaits_turn(world.argo.workflows[jobs[3]])
    if strategy == "stop":
        (answer,) = (await world.stop(20, jobs[3])).json()
        assert (answer["status"], answer["stopreq"]) == (1, 1)
    else:
        assert (await delete_job(world, 20, jobs[3])).status_code == 200
        assert jobs[3] not in world.argo.workflows
    assert world.argo.resumed == []


async def test_the_identical_request_is_answered_with_the_waiting_job(world: World) -> None:
    for nonce in range(5, 8):
        await started(world, nonce)
    body = world.start_body(9)
    first, again = await world.start(body), await world.start(body)
    assert first.json()[0]["jobId"] == again.json()[0]["jobId"]
    assert len(world.argo.workflows) == 4


# --- what is known of those that wait ---------------------------------------------------------------------------------


class Slow(MemoryArgo):
    """Its short lists take a while."""

    briefs = 0

    async def brief(self, labels: Mapping[str, str], *, skip_unreachable: bool = False) -> list[Workflow]:
        self.briefs += 1
        await asyncio.sleep(0.2)
        return await super().brief(labels, skip_unreachable=skip_unreachable)


async def test_a_list_that_takes_long_is_used_again() -> None:
    argo = Slow(workflows={each.name: each for each in (job(0), job(1), job(2, waits=False))})
    queues = EnvironmentQueues(argo)
    several = await asyncio.gather(*(queues.awaiting(FREE) for _ in range(5)))
    assert {tuple(numbers(each)) for each in several} == {(0, 1)}
    assert numbers(await queues.awaiting(FREE, wanted=f"{1:032x}")) == [0, 1]
    assert argo.briefs == 1
    queues.resumed(job(0))
    assert numbers(await queues.awaiting(FREE)) == [1]
    argo.workflows[f"{3:032x}"] = job(3)
    async with asyncio.timeout(60):
        while 3 not in numbers(await queues.awaiting(FREE, wanted=f"{3:032x}")):
            await asyncio.sleep(0.01)
    assert argo.briefs == 2, "whoever is missed is a reason to read again, when as much time has passed as that takes"
    await queues.close()


async def test_an_empty_queue_is_read_each_time() -> None:
    argo = MemoryArgo()
    queues = EnvironmentQueues(argo)
    assert await queues.awaiting(FREE) == []
    argo.workflows[f"{3:032x}"] = job(3)
    assert numbers(await queues.awaiting(FREE)) == [3]
    await queues.close()
