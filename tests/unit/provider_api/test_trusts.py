"""Owners' trust in algorithms: what it releases, what it does not, and what cannot be said twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract import names
from contract.provenance import program_digest
from ocean.keys import address_of
from ocean.signing import releases_message, sign
from provider_api.jobs.expiry import Sweeper
from provider_api.jobs.results import ResultStore
from provider_api.jobs.start_record import record_of
from provider_api.jobs.trusts import MOST_STATEMENTS
from records.envelope import sign_payload
from records.statement import StatementInvalid
from records.trust import MOST_SECONDS, Trust, statement_of_trust, trust_of
from results.object_names import decision_key, trust_key
from results.store import open_store
from tests.support import provider_facts as facts
from tests.support.answers.places import belongs_to
from tests.support.held_results import (
    DID,
    OWNER,
    OWNER_KEY,
    PATH,
    PROGRAM,
    decided,
    held,
    older,
    put,
    status,
)
from tests.support.provider_neighbours import CONSUMER_KEY, PROVIDER_KEY, World

pytestmark = pytest.mark.unit

CONSUMER = address_of(CONSUMER_KEY)
DAY = 86_400


def stated(job: str, key: str = OWNER_KEY, **changes: Any) -> bytes:
    """An owner's signed statement, from a minute ago."""
    now = int(time.time())
    values = {"program": PROGRAM, "did": DID, "account": address_of(key), "at": now - 60, "until": now + DAY}
    return sign_payload(statement_of_trust(Trust(**(values | {"job_id": job} | changes))).encoded(), key).encoded()


async def state(world: World, content: bytes) -> httpx.Response:
    return await world.http.put("/api/v1/trust", content=content)


async def trusting(world: World, **changes: Any) -> str:
    """A first job, on whose sight the owner trusts its algorithm."""
    job = await held(world)
    answer = await state(world, stated(job, **changes))
    assert answer.status_code == 200, answer.text
    return job


def statements(world: World) -> list[Path]:
    folder = world.settings.data_folder / "results" / trust_key(DID, PROGRAM, OWNER, 0)
    return sorted(folder.parent.iterdir()) if folder.parent.exists() else []


# --- What is trusted is released --------------------------------------------------------------------------------------


async def test_a_later_job_is_released_at_once(waiting: World) -> None:
    first = await trusting(waiting)
    later = await held(waiting, 6)
    assert (await waiting.result(20, later, 1)).content == b"a,b\n", "also before anybody has asked for its status"
    found = await status(waiting, later)
    assert (found["status"], found["reason"], "held" in found) == (70, "completed", False)
    query = {"consumerAddress": OWNER, "nonce": 3, "signature": sign(releases_message(OWNER, "", 3), OWNER_KEY)}
    answer = await waiting.http.get(PATH, params=query | {"history": "true"})
    told = {each["jobId"]: (each["standing"], each["byTrust"], each["program"]) for each in answer.json()["releases"]}
    assert told[later] == ("released", True, PROGRAM)
    assert told[first][0] == "held", "it is decided by itself"


async def test_one_that_ended_before_still_waits(waiting: World) -> None:
    job = await held(waiting)
    older(waiting, job, 120)
    assert (await state(waiting, stated(job))).status_code == 200
    assert (await status(waiting, job))["status"] == 60
    query = {"consumerAddress": OWNER, "nonce": 3, "signature": sign(releases_message(OWNER, job, 3), OWNER_KEY)}
    shown = (await waiting.http.get(f"{PATH}/{job}", params=query)).json()
    assert shown["program"] == PROGRAM
    assert abs(shown["datasets"][0]["trustedUntil"] - time.time() - DAY) < 60


async def test_what_was_released_stays_so(waiting: World) -> None:
    """Trust that is withdrawn, that is over, or whose owner has sold the dataset: what is out is out."""
    await trusting(waiting)
    job = await held(waiting, 6)
    assert (await status(waiting, job))["status"] == 70
    answer = await state(waiting, stated("", until=None, at=int(time.time())))
    assert (answer.status_code, answer.json()["until"]) == (200, None)
    belongs_to(waiting, DID, CONSUMER)
    other = ResultStore(open_store(waiting.settings.results_url()), 5, PROVIDER_KEY, lambda _: _sold())
    approval = await other.approval(waiting.argo.workflows[job])
    assert approval is not None
    assert (approval.standing, approval.decided[DID].by) == ("released", "trust")
    assert (await status(waiting, await held(waiting, 7)))["status"] == 60, "a later one waits again"


async def _sold() -> str:
    return CONSUMER.lower()


async def test_a_decision_against_it_is_too_late_and_one_before_it_counts(waiting: World) -> None:
    job = await held(waiting)
    assert (await put(waiting, job, decided(waiting, job, released=False))).status_code == 200
    assert (await state(waiting, stated(job))).status_code == 200
    assert (await status(waiting, job))["reason"] == "refused"
    later = await held(waiting, 6)
    assert (await status(waiting, later))["status"] == 70
    late = await put(waiting, later, decided(waiting, later, released=False))
    assert (late.status_code, "for good" in late.text) == (409, True)


async def test_release_rules_still_hold_and_other_owners_are_still_asked(waiting: World) -> None:
    await trusting(waiting)
    job = await held(waiting, 6)
    workflow = waiting.argo.workflows[job]
    record = record_of(workflow)
    assert record is not None
    asked = record.model_copy(update={"approvers": (DID, facts.did(9))})
    notes = {**workflow.annotations, names.RECORD: asked.encoded()}
    waiting.argo.workflows[job] = replace(workflow, annotations=notes)
    found = await status(waiting, job)
    assert (found["status"], found["held"]["for"]) == (60, [facts.did(9)])


async def test_the_sweep_applies_it_too(waiting: World) -> None:
    """A job for which nobody has asked until the deadline is near is not lost."""
    await trusting(waiting, at=int(time.time()) - 3_600)
    job = await held(waiting, 6)
    older(waiting, job, 590)

    async def owner_of(_: str) -> str:
        return OWNER.lower()

    results = ResultStore(open_store(waiting.settings.results_url()), 5, PROVIDER_KEY, owner_of)
    await Sweeper(waiting.argo, results).sweep(time.time())
    older(waiting, job, 700)
    assert (await status(waiting, job))["status"] == 60 or (await status(waiting, job))["status"] == 70
    assert (waiting.settings.data_folder / "results" / decision_key(job, DID)).exists()


# --- What is not ------------------------------------------------------------------------------------------------------


def ended_before(world: World, job: str) -> None:
    older(world, job, 300)


def ended_after(world: World, job: str) -> None:
    older(world, job, -2 * DAY)


def image_by_name(world: World, job: str) -> None:
    workflow = world.argo.workflows[job]
    notes = {**workflow.annotations, names.IMAGE: "python:3.12"}
    world.argo.workflows[job] = replace(workflow, annotations=notes)


def sold(world: World, job: str) -> None:
    belongs_to(world, DID, CONSUMER)


def spoiled(world: World, job: str) -> None:
    (path,) = statements(world)
    path.write_bytes(path.read_bytes().replace(b"payload", b"peyload", 1))


def emptied(world: World, job: str) -> None:
    (path,) = statements(world)
    path.write_bytes(b"")


def without_the_service(world: World, job: str) -> None:
    """Written by somebody who can write into the store."""
    (path,) = statements(world)
    path.write_bytes(stated(job))


def of_another_account(world: World, job: str) -> None:
    (path,) = statements(world)
    path.write_bytes(stated(job, CONSUMER_KEY))


@pytest.mark.parametrize(
    "spoil",
    [
        ended_before,
        ended_after,
        image_by_name,
        sold,
        spoiled,
        emptied,
        without_the_service,
        of_another_account,
    ],
)
async def test_what_trust_does_not_cover_waits(waiting: World, spoil: Callable[[World, str], None]) -> None:
    await trusting(waiting)
    job = await held(waiting, 6)
    spoil(waiting, job)
    assert (await status(waiting, job))["status"] == 60
    assert (await waiting.result(20, job, 1)).status_code == 404


@pytest.mark.parametrize("program", ["9" * 64, ""])
async def test_another_algorithm_waits(waiting: World, program: str) -> None:
    await trusting(waiting)
    assert (await status(waiting, await held(waiting, 6, program)))["status"] == 60


async def test_a_statement_that_was_copied_to_a_job_counts_only_where_it_covers(waiting: World) -> None:
    """Whoever can write into the store puts the owner's trust in one algorithm beside the results of another."""
    await trusting(waiting)
    job = await held(waiting, 6, "9" * 64)
    target = waiting.settings.data_folder / "results" / decision_key(job, DID)
    target.parent.mkdir()
    (path,) = statements(waiting)
    target.write_bytes(path.read_bytes())
    assert (await status(waiting, job))["status"] == 60
    assert (await waiting.result(20, job, 1)).status_code == 404


async def test_while_the_chain_is_away_results_wait(waiting: World) -> None:
    await trusting(waiting)
    job = await held(waiting, 6)
    waiting.chain.away = True
    assert (await status(waiting, job))["status"] == 60
    waiting.chain.away = False
    assert (await status(waiting, job))["status"] == 70


async def test_after_the_deadline_it_is_too_late(waiting: World) -> None:
    await trusting(waiting, at=int(time.time()) - 3_600)
    job = await held(waiting, 6)
    older(waiting, job, 601)
    assert (await status(waiting, job))["reason"] == "refused"


async def test_one_owner_cannot_say_it_for_another(waiting: World) -> None:
    job = await held(waiting)
    assert (await state(waiting, stated(job, CONSUMER_KEY))).status_code == 403
    assert (await state(waiting, stated(job, CONSUMER_KEY, account=OWNER))).status_code == 400
    belongs_to(waiting, DID, CONSUMER)
    assert (await state(waiting, stated(job))).status_code == 403
    assert (await state(waiting, stated(job, CONSUMER_KEY))).status_code == 200


# --- Nothing is said twice --------------------------------------------------------------------------------------------


async def test_what_was_withdrawn_is_not_said_again_by_whoever_kept_it(waiting: World) -> None:
    job = await held(waiting)
    now = int(time.time())
    trust, withdrawn = stated(job, at=now - 60), stated("", until=None, at=now - 30)
    assert [(await state(waiting, each)).status_code for each in (trust, trust, withdrawn, withdrawn, trust)] == [
        *(200, 200, 200, 200, 409),
    ]
    assert len(statements(waiting)) == 2
    assert (await status(waiting, await held(waiting, 6)))["status"] == 60
    assert (await state(waiting, stated(job, at=now))).status_code == 200, "the owner himself may say it anew"
    assert (await status(waiting, await held(waiting, 7)))["status"] == 70


async def test_of_many_at_once_the_newest_stands(waiting: World) -> None:
    job = await held(waiting)
    now = int(time.time())
    said = [stated(job, at=now - n, until=now + DAY + n) for n in range(12)]
    answers = await asyncio.gather(*(state(waiting, each) for each in said))
    assert {each.status_code for each in answers} <= {200, 409}
    assert answers[0].status_code == 200
    results = ResultStore(open_store(waiting.settings.results_url()), 5, PROVIDER_KEY, lambda _: _sold())
    trust = await results.trust(DID, PROGRAM, OWNER)
    assert trust is not None
    assert trust.at == now


async def test_there_are_only_so_many(waiting: World) -> None:
    job = await held(waiting)
    now = int(time.time())
    said = [stated(job, at=now - 100 + n) for n in range(MOST_STATEMENTS + 1)]
    codes = [(await state(waiting, each)).status_code for each in said]
    assert codes == [200] * MOST_STATEMENTS + [409]


async def test_after_a_change_of_the_services_key_all_wait_and_nothing_old_comes_back(waiting: World) -> None:
    job = await trusting(waiting)
    now = int(time.time())

    async def owner_of(_: str) -> str:
        return OWNER.lower()

    results = ResultStore(open_store(waiting.settings.results_url()), 5, "0x" + "77" * 32, owner_of)
    later = await held(waiting, 6)
    approval = await results.approval(waiting.argo.workflows[later])
    assert approval is not None
    assert approval.standing == "held"
    trust = await results.trust(DID, PROGRAM, OWNER)
    assert trust is not None
    assert (trust.until, trust.at <= now - 59) == (None, True), "as if withdrawn, at its own time"
    assert job != later


# --- A word that comes while the deadline passes ----------------------------------------------------------------------


async def test_a_decision_on_its_way_while_the_deadline_passes_releases_nothing_that_is_gone(waiting: World) -> None:
    """The owner is looked up while a sweep finds that nobody has decided: the store says which was first."""
    job = await held(waiting)
    arrived, go_on = asyncio.Event(), asyncio.Event()
    resolve = waiting.chain.resolve

    async def slowly(did: str) -> Any:
        arrived.set()
        await go_on.wait()
        return await resolve(did)

    waiting.chain.resolve = slowly  # type: ignore[method-assign]
    deciding = asyncio.create_task(put(waiting, job, decided(waiting, job)))
    await arrived.wait()
    waiting.chain.resolve = resolve  # type: ignore[method-assign]
    older(waiting, job, 601)
    results = ResultStore(open_store(waiting.settings.results_url()), 5, PROVIDER_KEY, lambda _: _sold())
    await Sweeper(waiting.argo, results).sweep(time.time())
    go_on.set()
    answer = await deciding
    assert (answer.status_code, "too late" in answer.text) == (409, True)
    assert (await status(waiting, job))["reason"] == "refused"
    assert not (waiting.settings.data_folder / "results" / job / "1").exists()


# --- The statement ----------------------------------------------------------------------------------------------------

GOOD = Trust(PROGRAM, DID, OWNER, 1_800_000_000, 1_800_000_000 + DAY, "0a" * 16)


@pytest.mark.parametrize("trust", [GOOD, replace(GOOD, until=None, job_id="")])
def test_a_statement_is_read_as_it_was_written(trust: Trust) -> None:
    assert trust_of(statement_of_trust(trust)) == trust


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"until": GOOD.at}, "ends after it begins"),
        ({"until": GOOD.at - 1}, "ends after it begins"),
        ({"until": GOOD.at + MOST_SECONDS + 1}, "days later"),
        ({"job_id": ""}, "does not name the job"),
        ({"did": "did:op:1"}, "dataset"),
        ({"account": OWNER.lower()}, "checksum"),
        ({"account": "0x1"}, "lacks"),
    ],
)
def test_what_is_no_statement(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(StatementInvalid, match=words):
        trust_of(statement_of_trust(replace(GOOD, **changes)))


def test_one_changed_part_is_another_algorithm() -> None:
    digests = {
        program_digest("python:3", "python $ALGO", ["a" * 64]),
        program_digest("python:4", "python $ALGO", ["a" * 64]),
        program_digest("python:3", "python $ALGO -v", ["a" * 64]),
        program_digest("python:3", "python $ALGO", ["b" * 64]),
        program_digest("python:3", "python $ALGO", ["a" * 64, "b" * 64]),
        program_digest("python:3python $ALGO", "", ["a" * 64]),
        program_digest("python:3", "python $ALGO", []),
    }
    assert len(digests) == 7


# --- Looking ----------------------------------------------------------------------------------------------------------


async def looked(world: World, job: str, index: int, nonce: int, key: str = OWNER_KEY) -> httpx.Response:
    account = address_of(key)
    text = releases_message(account, f"{job}/{index}/", nonce)
    query = {"consumerAddress": account, "nonce": nonce, "signature": sign(text, key)}
    return await world.http.get(f"{PATH}/{job}/files/{index}", params=query)


@pytest.mark.parametrize(
    ("rules", "allowed"), [({"ownersLook": True}, True), ({"ownersLook": False}, False), ({}, False)]
)
async def test_owners_look_where_the_rules_let_them(waiting: World, rules: dict[str, Any], allowed: bool) -> None:
    job = await held(waiting, **rules)
    assert (await looked(waiting, job, 1, 50)).status_code == (200 if allowed else 403)
    assert (await looked(waiting, job, 0, 51)).status_code == (404 if allowed else 403), "our own logs are no results"
    assert (await looked(waiting, job, 1, 52, CONSUMER_KEY)).status_code == 404, "a consumer is no owner"
    assert (await waiting.result(60, job, 1)).status_code == 404, "nor does he get it now"
    if allowed:
        assert (await looked(waiting, job, 1, 50)).status_code == 400, "a nonce is good once"
        assert (await looked(waiting, job, 2, 53)).content == b"secret"
