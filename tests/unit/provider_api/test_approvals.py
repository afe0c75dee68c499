"""Results that wait for owners: deadlines, the sweep, stores that fail, decisions that are not what they seem."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from argo.client.records import NewWorkflow
from contract import names
from contract.provenance import read_start_record
from ocean.signing import releases_message, sign
from provider_api.jobs.approvals import DEFAULT_SECONDS, deadline_of
from provider_api.jobs.expiry import Sweeper
from provider_api.jobs.results import ResultStore
from results.object_names import decision_key
from results.store import open_store
from tests.support import provider_facts as facts
from tests.support.answers.places import belongs_to
from tests.support.held_results import (
    DID,
    OWNER,
    OWNER_KEY,
    PATH,
    PEER,
    decided,
    held,
    older,
    put,
    status,
)
from tests.support.operator_peer import OperatorPeer
from tests.support.owners import nobody
from tests.support.passports import START
from tests.support.provider_neighbours import CONSUMER_KEY, PROVIDER_KEY, World, just_created

pytestmark = pytest.mark.unit


async def test_the_job_is_marked_and_waits(waiting: World) -> None:
    job = await held(waiting)
    assert waiting.argo.workflows[job].labels[names.APPROVAL] == "owner"
    found = await status(waiting, job)
    assert (found["status"], found["dateFinished"], found["reason"]) == (60, None, "")
    assert found["held"]["for"] == [DID]
    assert abs(found["held"]["until"] - time.time() - 600) < 30
    assert [entry["type"] for entry in found["results"]] == ["configrationLog"]
    assert [(await waiting.result(10 + index, job, index)).status_code for index in range(5)] == [200, *[404] * 4]


async def test_nobody_releases_in_time(waiting: World) -> None:
    job = await held(waiting)
    older(waiting, job, 601)
    found = await status(waiting, job)
    assert (found["status"], found["reason"]) == (41, "refused")
    assert [entry["type"] for entry in found["results"]] == ["configrationLog", "passport"]
    late = await put(waiting, job, decided(waiting, job))
    assert (late.status_code, "too late" in late.text) == (409, True)
    assert (await waiting.result(20, job, 2)).status_code == 404


async def test_one_that_came_in_time_counts_for_good(waiting: World) -> None:
    job = await held(waiting)
    assert (await put(waiting, job, decided(waiting, job))).status_code == 200
    older(waiting, job, 100_000)
    assert (await status(waiting, job))["status"] == 70
    assert (await waiting.result(20, job, 1)).content == b"a,b\n"
    other = ResultStore(open_store(waiting.settings.results_url()), 5, PROVIDER_KEY, nobody)
    approval = await other.approval(waiting.argo.workflows[job])
    assert approval is not None, "another process reads it from the store"
    assert approval.standing == "released"


async def test_what_is_refused_or_late_is_removed(waiting: World) -> None:
    refused, late, still = [await held(waiting, nonce) for nonce in (5, 6, 7)]
    assert (await put(waiting, refused, decided(waiting, refused, released=False))).status_code == 200
    older(waiting, late, 601)
    results = ResultStore(open_store(waiting.settings.results_url()), 5, PROVIDER_KEY, nobody)
    for _ in range(2):
        await Sweeper(waiting.argo, results).sweep(time.time())
    folder = waiting.settings.data_folder / "results"
    for job, kept in (
        (refused, {"0", "manifest.json"}),
        (late, {"0", "manifest.json"}),
        (still, {"0", "1", "2", "manifest.json"}),
    ):
        assert {path.name for path in (folder / job).iterdir() if path.is_file()} == kept
    assert (await waiting.result(20, late, 0)).content == b"ours"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"payload": 1}', b"x" * 40_000])
async def test_what_is_kept_and_no_decision_counts_for_nothing(waiting: World, content: bytes) -> None:
    job = await held(waiting)
    path = waiting.settings.data_folder / "results" / decision_key(job, DID)
    path.parent.mkdir()
    path.write_bytes(content)
    answer = await waiting.result(20, job, 1)
    assert answer.status_code in (404, 502)
    assert b"a,b" not in answer.content


async def test_a_decision_without_the_services_own_signature_counts_for_nothing(waiting: World) -> None:
    """Whoever can write into the store, a publishing pod above all, cannot release anything."""
    job = await held(waiting)
    path = waiting.settings.data_folder / "results" / decision_key(job, DID)
    path.parent.mkdir()
    for content in (decided(waiting, job), decided(waiting, job, key=PROVIDER_KEY, account=OWNER)):
        path.write_bytes(content)
        assert (await status(waiting, job))["status"] == 60
        assert (await waiting.result(20, job, 1)).status_code == 404


async def test_a_decision_of_another_job_that_was_copied_here_counts_for_nothing(waiting: World) -> None:
    first, second = await held(waiting, 5), await held(waiting, 6)
    assert (await put(waiting, first, decided(waiting, first))).status_code == 200
    folder = waiting.settings.data_folder / "results"
    target = folder / decision_key(second, DID)
    target.parent.mkdir()
    target.write_bytes((folder / decision_key(first, DID)).read_bytes())
    assert (await status(waiting, second))["status"] == 60
    assert (await waiting.result(20, second, 1)).status_code == 404


@pytest.mark.parametrize("text", ["", "{", '{"version": 2}', "[]"])
async def test_a_job_whose_record_a_later_version_wrote_waits(waiting: World, text: str) -> None:
    """A process of before an upgrade meets it, and does not know which owners are asked: it lets nothing go."""
    job = await held(waiting)
    workflow = waiting.argo.workflows[job]
    waiting.argo.workflows[job] = replace(workflow, annotations={**workflow.annotations, names.RECORD: text})
    found = await status(waiting, job)
    assert (found["status"], found["dateFinished"]) == (60, None)
    assert (await waiting.result(20, job, 1)).status_code == 404
    assert (await put(waiting, job, decided(waiting, job))).status_code in (400, 404)
    older(waiting, job, 100 * 86_400)
    assert (await waiting.result(21, job, 1)).status_code == 404


async def test_a_former_owner_decides_nothing(waiting: World) -> None:
    job = await held(waiting)
    belongs_to(waiting, DID, waiting.consumer.address)
    assert (await put(waiting, job, decided(waiting, job))).status_code == 403
    assert (await put(waiting, job, decided(waiting, job, key=CONSUMER_KEY))).status_code == 200


async def test_a_chain_that_is_away_lets_nothing_go(waiting: World) -> None:
    job = await held(waiting)
    waiting.chain.away = True
    assert (await put(waiting, job, decided(waiting, job))).status_code == 503
    forged = decided(waiting, job, key=PROVIDER_KEY, account=OWNER)
    assert (await put(waiting, job, forged)).status_code == 400, "who has not signed costs no call to the chain"
    waiting.chain.away = False
    assert (await status(waiting, job))["status"] == 60


async def test_questions_need_a_signature_of_their_own(waiting: World) -> None:
    job = await held(waiting)
    for path, text in ((PATH, releases_message(OWNER, job, 3)), (f"{PATH}/{job}", releases_message(OWNER, "", 3))):
        query = {"consumerAddress": OWNER, "nonce": 3, "signature": sign(text, OWNER_KEY)}
        assert (await waiting.http.get(path, params=query)).status_code == 400
    query = {"consumerAddress": OWNER, "nonce": 3, "signature": sign(releases_message(OWNER, "", 3), OWNER_KEY)}
    answer = await waiting.http.get(PATH, params=query)
    assert [(each["jobId"], each["standing"]) for each in answer.json()["releases"]] == [(job, "held")]
    assert (await waiting.http.get(PATH, params=query)).status_code == 400, "a nonce is good once"


async def test_an_asset_that_is_no_longer_found_spoils_no_list(waiting: World) -> None:
    gone, job = await held(waiting, 5), await held(waiting, 6)
    workflow = waiting.argo.workflows[gone]
    notes = {**workflow.annotations, names.INPUT_DIDS: json.dumps([facts.did(99)])}
    waiting.argo.workflows[gone] = replace(workflow, annotations=notes)
    query = {"consumerAddress": OWNER, "nonce": 3, "signature": sign(releases_message(OWNER, "", 3), OWNER_KEY)}
    answer = await waiting.http.get(PATH, params=query | {"history": "true"})
    assert [each["jobId"] for each in answer.json()["releases"]] == [job]


def test_results_never_wait_longer_than_they_are_kept() -> None:

    ended = datetime(2026, 1, 1, tzinfo=UTC)
    for kept, waits in (("0", DEFAULT_SECONDS), ("3600", 3600), ("99999999", DEFAULT_SECONDS)):
        record = START.model_copy(update={"approvers": (DID,)})
        notes = {names.STORAGE_EXPIRY: kept, names.RECORD: record.encoded()}
        workflow = replace(just_created(NewWorkflow("a", "t", {}, {}, notes)), finished_at=ended)
        assert read_start_record(notes[names.RECORD]) == record
        assert deadline_of(workflow, record) == ended.timestamp() + waits


async def test_nor_does_a_provider_that_uses_this_service_get_it(waiting: World) -> None:
    """A job that another provider started here, by each index and each of its calls."""
    job = await held(waiting)
    workflow = waiting.argo.workflows[job]
    labels = {**workflow.labels, names.PROVIDER: PEER.address.lower()}
    waiting.argo.workflows[job] = replace(workflow, labels=labels)
    peer, owner, base = OperatorPeer(PEER, waiting.http), waiting.consumer.address, "/api/v1/operator"
    said = b""
    for index in range(6):
        query = peer.query(owner, job, index=str(index))
        answer = await waiting.http.get(f"{base}/getResult", params=query)
        assert (answer.status_code == 200) == (index == 0), "the log of our own step"
        said += answer.content
    (found,) = (await waiting.http.get(f"{base}/compute", params=peer.query(owner, job))).json()
    assert (found["status"], found["dateFinished"]) == (60, None)
    assert [entry["type"] for entry in found["results"]] == ["configrationLog"]
    assert b"a,b" not in said
    assert b"secret" not in said
