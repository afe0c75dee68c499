"""Starting a job exactly once: repeats, races, crashes of Argo, stale nonces, orders in use."""

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from contract import names
from provider_api.access import rules
from provider_api.access.accepted import AcceptedStart
from provider_api.access.contents import Contents
from provider_api.access.facts import ComputeFacts
from provider_api.access.refusal import Refusal
from provider_api.access.request import ComputeRequest
from provider_api.jobs import start as starting
from provider_api.settings import ArgoSettings, LimitSettings, PolicySettings
from provider_api.storage.claims import Claim, Claims
from provider_api.storage.database import Database
from tests.support import provider_facts as facts
from tests.support.provider_neighbours import FREE, PAID, STRANGER_KEY, World, transaction

pytestmark = pytest.mark.unit


async def state(world: World, job_id: str) -> str:
    database = Database(world.settings.storage_url())
    try:
        claim = await Claims(database).find(job_id)
    finally:
        await database.close()
    return "" if claim is None else claim.state


async def test_a_start(world: World) -> None:
    body = world.start_body(5)
    answer = await world.start(body)
    assert answer.status_code == 200
    (job,) = answer.json()
    assert re.fullmatch("00[0-9a-f]{30}", job["jobId"])
    assert list(job)[:12] == [
        "agreementId", "jobId", "owner", "status", "statusText", "dateCreated", "dateFinished", "results", "stopreq",
        "removed", "algoDID", "inputDID",
    ]  # fmt: skip
    assert job["agreementId"] == body["dataset"]["transferTxId"]
    assert job["owner"] == body["consumerAddress"]
    assert (job["status"], job["statusText"], job["dateFinished"], job["results"]) == (1, "Warming up", None, "")
    assert job["inputDID"] == [body["dataset"]["documentId"]]
    assert float(job["dateCreated"]) > 1e9
    assert job["environment"] == FREE
    assert job["chainId"] == 8996
    assert await world.nonce() == "5"
    assert await state(world, job["jobId"]) == "submitted"


async def test_what_is_submitted(world: World) -> None:
    body = world.start_body(5, algorithm={"meta": dict(facts.raw(rawcode="x = '{{=1+1}}'").meta or {})})
    (job,) = (await world.start(body)).json()
    workflow = world.argo.workflows[job["jobId"]]
    spec = world.argo.spec(job["jobId"], world.keys)
    assert set(workflow.arguments) == set(names.ARGUMENTS)
    assert workflow.arguments[names.ARG_IMAGE] == f"python@{facts.CHECKSUM}"
    assert workflow.arguments[names.ARG_NETWORK] == "none"
    assert int(workflow.arguments[names.ARG_SECONDS]) == spec.binding.seconds
    assert spec.binding.job_id == job["jobId"]
    assert spec.run_seconds <= 1800 < spec.binding.seconds
    assert spec.binding.seconds - spec.run_seconds > 300, "a pod that never starts ends by its limit for that, first"
    assert workflow.annotations[names.IMAGE] == spec.binding.image
    assert spec.paid_until == job["validUntil"]
    assert spec.algorithm.rawcode == "x = '{{=1+1}}'"
    assert spec.algorithm.entrypoint == facts.ENTRYPOINT
    assert spec.inputs[0].files[0].url == "http://127.0.0.1:9/secret.csv"
    assert workflow.labels[names.OWNER] == body["consumerAddress"].lower()
    shown = json.dumps([dict(workflow.arguments), dict(workflow.labels), dict(workflow.annotations)])
    for secret in ("secret.csv", "1+1", "$ALGO"):
        assert secret not in shown
    stored = b"".join(path.read_bytes() for path in world.settings.data_folder.glob("service.sqlite*"))
    assert b"secret.csv" not in stored
    assert body["signature"][2:].encode() not in stored


async def test_the_rules_judge_a_raw_algorithm_once_and_its_file_last(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    judge, answers = rules.judge_start, iter([None, ("5" * 64,)])

    def counted(found: ComputeFacts) -> AcceptedStart | Refusal:
        happened.append("judged")
        return judge(found)

    async def fetched(contents: Contents, request: ComputeRequest) -> tuple[str, ...] | None:
        happened.append("fetched")
        return next(answers)

    monkeypatch.setattr(rules, "judge_start", counted)
    monkeypatch.setattr(Contents, "raw_digests", fetched)
    meta = {"url": "http://127.0.0.1:9/algorithm.py", "container": (facts.raw().meta or {})["container"]}
    body = world.start_body(5, algorithm={"meta": meta})
    refused = await world.start({**body, "environment": "elsewhere"})
    assert (refused.status_code, happened) == (400, ["judged"]), "what is refused anyway is not fetched"
    refused = await world.start(body)
    assert (refused.json()["error"], happened[1:]) == ({"algorithm": "file_unavailable"}, ["judged", "fetched"])
    assert (await world.start(body)).status_code == 200
    assert happened[3:] == ["judged", "fetched"]


async def test_the_same_request_twice_is_one_job(world: World) -> None:
    body = world.start_body(5)
    first, second = (await world.start(body)).json(), (await world.start(body)).json()
    assert first == second
    assert world.argo.created == 1
    world.chain.orders.clear()
    assert (await world.start(body)).json() == first, "the order is not looked at again"
    world.argo.finish(first[0]["jobId"])
    assert (await world.start(body)).json()[0]["status"] == 70


async def test_the_nonce_may_be_spelled_otherwise(world: World) -> None:
    body = world.start_body(5)
    first = (await world.start(body)).json()
    again = {**body, "nonce": "5"}
    assert (await world.start(again)).json() == first


async def test_ten_at_once_are_one_job(world: World) -> None:
    world.argo.slow_seconds = 0.05
    body = world.start_body(5)
    answers = await asyncio.gather(*(world.start(body) for _ in range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10
    assert len({answer.content for answer in answers}) == 1
    assert world.argo.created == 1


async def test_two_replicas_make_one_job(tmp_path: Path) -> None:
    async with World(tmp_path).running() as one, World(tmp_path).running() as two:
        two.argo.workflows, two.chain.assets, two.chain.orders = one.argo.workflows, one.chain.assets, one.chain.orders
        one.argo.slow_seconds = two.argo.slow_seconds = 0.05
        body = one.start_body(5)
        answers = await asyncio.gather(*(world.start(body) for world in (one, two) * 5))
        assert [answer.status_code for answer in answers] == [200] * 10
        assert {answer.json()[0]["jobId"] for answer in answers} == set(one.argo.workflows)
        assert one.argo.created + two.argo.created == 1


async def test_the_same_nonce_with_other_content_is_refused(world: World) -> None:
    body = world.start_body(5)
    await world.start(body)
    other = {**body, "algorithm": {"meta": {**body["algorithm"]["meta"], "rawcode": "print('other')"}}}
    answer = await world.start(other)
    assert answer.status_code == 400
    assert answer.json()["errors"] == {"signature": "Invalid signature expected nonce (5) > current nonce (5)."}
    assert world.argo.created == 1


@pytest.mark.parametrize("nonce", [4, "4.999", 5, "5.0", "0"])
async def test_an_old_nonce_is_refused(world: World, nonce: Any) -> None:
    await world.start(world.start_body(5))
    answer = await world.start(world.start_body(nonce))
    assert answer.json()["errors"] == {"signature": f"Invalid signature expected nonce (5) > current nonce ({nonce})."}
    assert world.argo.created == 1


async def test_another_letter_case_is_the_same_account(world: World) -> None:
    await world.start(world.start_body(5))
    lower = world.start_body(4, consumerAddress=world.consumer.address.lower())
    assert "expected nonce (5)" in (await world.start(lower)).json()["errors"]["signature"]
    fresh = world.start_body(6, consumerAddress=world.consumer.address.lower())
    (job,) = (await world.start(fresh)).json()
    assert job["owner"] == world.consumer.address.lower(), "shown as sent"
    listed = await world.http.get("/api/services/compute", params={"consumerAddress": world.consumer.address})
    assert len(listed.json()) == 2


async def test_a_refused_start_keeps_its_nonce(world: World) -> None:
    body = world.start_body(5, dataset={"documentId": world.publish(), "serviceId": "svc", "transferTxId": "0x01"})
    answer = await world.start(body)
    assert (answer.status_code, answer.json()) == (400, {"error": {"dataset.serviceId": "order_invalid"}})
    assert await world.nonce() == "1"
    assert (await world.start(world.start_body(5))).status_code == 200


async def test_signatures(world: World) -> None:
    body = world.start_body(5)
    missing = {name: value for name, value in body.items() if name != "signature"}
    assert (await world.start(missing)).json()["errors"] == {
        "signature": ["Invalid signature provided. Please check the nonce or documentId."]
    }
    foreign = world.start_body(5, key=STRANGER_KEY, consumerAddress=world.consumer.address)
    error = (await world.start(foreign)).json()["errors"]["signature"]
    assert error.startswith(f"Invalid signature {foreign['signature'][:130]}0")
    assert f"for ethereum address {world.consumer.address}, message {world.consumer.address}did:op:" in error
    assert error.endswith("and nonce 5. Got 0x70997970c51812dc3a010c7d01b50e0d17dc79c8")
    for bad in ("0x12", "zz", body["signature"] + "00", "💥", 5):
        assert (await world.start({**body, "signature": bad})).status_code == 400
    other_nonce = {**body, "nonce": 6}
    assert "signature" in (await world.start(other_nonce)).json()["errors"]
    zero_one = body["signature"][:-2] + {"1b": "00", "1c": "01"}[body["signature"][-2:]]
    assert (await world.start({**body, "signature": zero_one})).status_code == 200
    assert world.argo.created == 1


FIELDS: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    ({"dataset": {}}, {"dataset.documentId": ["The dataset.documentId field is required."]}),
    ({"dataset": None}, {"dataset.documentId": ["The dataset.documentId field is required."]}),
    ({"dataset": {"documentId": ["x"]}}, {"dataset.documentId": ["The dataset.documentId format is invalid."]}),
    ({"dataset": {"documentId": "x"}}, {"dataset.serviceId": ["The dataset.serviceId field is required."]}),
    ({"nonce": None}, {"nonce": ["The nonce field is required."]}),
    ({"nonce": "x1"}, {"nonce": ["The nonce must be a number."]}),
    ({"consumerAddress": ""}, {"consumerAddress": ["The consumerAddress field is required."]}),
    ({"consumerAddress": "0x1"}, {"consumerAddress": ["The consumerAddress format is invalid."]}),
    (
        {"algorithm": {"meta": {}}, "consumerAddress": ""},
        {
            "algorithm.documentId": ["The algorithm.documentId field is required when algorithm.meta is not present."],
            "algorithm.meta": ["The algorithm.meta field is required when algorithm.documentId is not present."],
            "consumerAddress": ["The consumerAddress field is required."],
        },
    ),
    (
        {"algorithm": {"meta": {"x": 1}, "serviceId": "s", "transferTxId": "t"}, "nonce": ""},
        {
            "algorithm.documentId": [
                "The algorithm.documentId field is required when algorithm.serviceId, algorithm.transferTxId"
                " are present."
            ],
            "nonce": ["The nonce field is required."],
        },
    ),
]


@pytest.mark.parametrize(("changes", "errors"), FIELDS)
async def test_validation_texts(world: World, changes: dict[str, Any], errors: dict[str, list[str]]) -> None:
    answer = await world.start({**world.start_body(5), **changes})
    assert answer.status_code == 400
    told = answer.json()
    assert told.pop("wanted", {}).keys() <= errors.keys()
    assert told == {"errors": errors, "message": "Validation error", "success": False}


async def test_not_bailing_fields_report_together(world: World) -> None:
    body = {**world.start_body(5), "dataset": {"documentId": "x", "serviceId": 0}, "nonce": "x1"}
    assert set((await world.start(body)).json()["errors"]) == {"dataset.transferTxId", "nonce"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"additionalDatasets": {"a": 1}}, {"additional_input": "invalid"}),
        ({"additionalDatasets": ["x"]}, {"additional_input": "invalid"}),
        ({"environment": "elsewhere"}, {"environment": "not_found"}),
        ({"environment": None}, {"environment": "not_found"}),
        ({"algorithm": {"meta": "no json"}}, {"algorithm": "invalid"}),
        ({"algorithm": {"meta": {"rawcode": "x"}}}, {"algorithm.container": "missing_entrypoint_image_checksum"}),
        ({"algorithm": {"documentId": "did:op:x"}}, {"algorithm.documentId": "did_not_found"}),
        ({"output": "{"}, {"output": "invalid"}),
        ({"environment": PAID}, {"dataset.serviceId": "order_invalid"}),
    ],
)
async def test_refusals_on_the_wire(world: World, changes: dict[str, Any], error: dict[str, str]) -> None:
    answer = await world.start(world.start_body(5, **changes))
    assert (answer.status_code, answer.json()) == (400, {"error": error})


@pytest.mark.parametrize("value", ["", None, [], 0, False])
async def test_empty_additional_datasets_mean_none(world: World, value: Any) -> None:
    assert (await world.start(world.start_body(5, additionalDatasets=value))).status_code == 200


async def test_several_datasets(world: World) -> None:
    second = {"documentId": world.publish(1), "serviceId": "svc", "transferTxId": world.order(), "userdata": {"y": 1.5}}
    body = world.start_body(5, additionalDatasets=[second])
    (job,) = (await world.start(body)).json()
    assert job["inputDID"] == [body["dataset"]["documentId"], second["documentId"]]
    assert job["agreementId"] == body["dataset"]["transferTxId"]
    spec = world.argo.spec(job["jobId"], world.keys)
    assert spec.inputs[1].files[0].userdata == {"y": 1.5}


async def test_a_paid_environment(world: World) -> None:
    paid = {"documentId": world.publish(1), "serviceId": "svc",
            "transferTxId": world.order(environment=PAID, fee_amount=75 * 10**18)}  # fmt: skip
    free = {"documentId": world.publish(), "serviceId": "svc", "transferTxId": world.order(environment=PAID)}
    body = world.start_body(5, dataset=free, environment=PAID)
    assert (await world.start(body)).json() == {"error": {"order": "fees_not_paid"}}
    body = world.start_body(5, dataset=free, environment=PAID, additionalDatasets=[paid])
    (job,) = (await world.start(body)).json()
    assert job["agreementId"] == paid["transferTxId"], "the order that pays names the job"


async def test_an_order_serves_one_job_at_a_time(world: World) -> None:
    body = world.start_body(5)
    (job,) = (await world.start(body)).json()
    answer = await world.start(world.start_body(6, dataset=body["dataset"]))
    assert answer.status_code == 400
    assert "is already in use for other job." in answer.json()["error"]
    assert await world.nonce() == "5"
    world.argo.finish(job["jobId"])
    assert (await world.start(world.start_body(6, dataset=body["dataset"]))).status_code == 200
    assert await state(world, job["jobId"]) == "closed"
    assert (await world.start(body)).json()[0]["jobId"] == job["jobId"]


async def test_racing_starts_with_one_order(world: World) -> None:
    dataset = {"documentId": world.publish(), "serviceId": "svc", "transferTxId": world.order()}
    bodies = [world.start_body(nonce, dataset=dataset) for nonce in range(5, 15)]
    answers = await asyncio.gather(*(world.start(body) for body in bodies))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert world.argo.created == 1


async def test_what_ran_and_was_forgotten_is_not_started_again(world: World) -> None:
    body = world.start_body(5)
    (job,) = (await world.start(body)).json()
    world.argo.forget(job["jobId"])
    answer = await world.start(body)
    assert answer.status_code == 400
    assert "not started again" in answer.json()["error"]
    assert world.argo.created == 1
    assert (await world.start(world.start_body(6, dataset=body["dataset"]))).status_code == 200, "its order is free"


async def test_argo_away_before_the_claim(world: World) -> None:
    body = world.start_body(5)
    world.argo.away = True
    answer = await world.start(body)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert await world.nonce() == "1", "nothing is claimed"
    world.argo.away = False
    assert (await world.start(body)).status_code == 200


async def goes_away_at_submission(world: World) -> dict[str, Any]:
    body = world.start_body(5)
    original = world.argo.submit

    async def refused(*args: Any, **more: Any) -> Any:
        world.argo.away = True
        return await original(*args, **more)

    world.argo.submit = refused  # type: ignore[method-assign]
    answer = await world.start(body)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    world.argo.submit = original  # type: ignore[method-assign]
    world.argo.away = False
    return body


async def test_after_a_definite_failure_the_same_request_works(world: World) -> None:
    body = await goes_away_at_submission(world)
    assert (await world.start(body)).status_code == 200
    assert world.argo.created == 1


async def test_after_a_definite_failure_the_next_nonce_works(world: World) -> None:
    body = await goes_away_at_submission(world)
    assert (await world.start(world.start_body(6, dataset=body["dataset"]))).status_code == 200
    answer = await world.start(body)
    assert answer.status_code == 400, "the first request has been overtaken"
    assert world.argo.created == 1


async def test_argo_refuses(world: World) -> None:
    world.argo.refuses = True
    body = world.start_body(5)
    answer = await world.start(body)
    assert answer.status_code == 502
    assert "no right" not in answer.text
    world.argo.refuses = False
    assert (await world.start(body)).status_code == 200


async def test_an_answer_lost_on_the_way(world: World) -> None:
    world.argo.lost = True
    (job,) = (await world.start(world.start_body(5))).json()
    assert await state(world, job["jobId"]) == "submitted"


def _impatient(folder: Path) -> World:
    limits, argo = LimitSettings(claim_lease_seconds=2), ArgoSettings(timeout_seconds=0.1)
    return World(folder, limits=limits, argo=argo)


@pytest.fixture
async def impatient(tmp_path: Path) -> AsyncIterator[World]:
    async with _impatient(tmp_path).running() as world:
        yield world


async def _when_given_up(world: World, body: dict[str, Any]) -> Any:
    """The answer once the lease of an earlier claim on the same order is over."""
    async with asyncio.timeout(60):
        while (answer := await world.start(body)).status_code == 503:
            await asyncio.sleep(0.05)
    return answer


async def test_a_submission_with_unknown_outcome(world: World) -> None:
    world.argo.lost, world.argo.creates = True, False
    body = world.start_body(5)
    answer = await world.start(body)
    assert answer.status_code == 503
    world.argo.lost, world.argo.creates = False, True
    other = world.start_body(6, dataset=body["dataset"])
    assert (await world.start(other)).status_code == 503, "the first may still arrive"
    assert (await world.start(body)).status_code == 200, "the identical request submits by name"
    assert world.argo.created == 1


async def test_an_order_is_freed_when_a_lost_submission_never_arrives(impatient: World) -> None:
    world = impatient
    world.argo.lost, world.argo.creates = True, False
    body = world.start_body(5)
    await world.start(body)
    world.argo.lost, world.argo.creates = False, True
    assert (await _when_given_up(world, world.start_body(6, dataset=body["dataset"]))).status_code == 200
    assert (await world.start(body)).status_code == 400
    assert world.argo.created == 1


async def test_a_consumer_that_hangs_up_still_gets_its_job(world: World) -> None:
    world.argo.slow_seconds = 0.2
    body = world.start_body(5)
    request = asyncio.create_task(world.start(body))
    while not world.argo.submissions:
        await asyncio.sleep(0.01)
    request.cancel()
    assert (await world.start(body)).status_code == 200
    assert world.argo.created == 1


async def test_a_full_queue(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.argo.max_queued = 1  # beside two that run
    async with world.running():
        for nonce in (5, 6, 7):
            assert (await world.start(world.start_body(nonce))).status_code == 200
        answer = await world.start(world.start_body(8))
        assert (answer.status_code, answer.json()) == (400, {"error": {"environment": "queue_full"}})
        assert await world.nonce() == "7"


async def test_a_job_spec_that_is_too_large(world: World) -> None:
    meta = {**(facts.raw().meta or {}), "rawcode": secrets.token_hex(200_000)}
    answer = await world.start(world.start_body(5, algorithm={"meta": meta}))
    assert answer.status_code == 400
    assert answer.json()["error"]["algorithm"].startswith("job_too_large")
    assert await world.nonce() == "1"


async def test_the_network_needs_everybodys_consent(tmp_path: Path) -> None:
    async with World(tmp_path, policy=PolicySettings(allow_network=True)).running() as world:
        did = world.publish(0, allowNetworkAccess=True)
        dataset = {"documentId": did, "serviceId": "svc", "transferTxId": world.order()}
        (job,) = (await world.start(world.start_body(5, dataset=dataset))).json()
        assert world.argo.workflows[job["jobId"]].arguments[names.ARG_NETWORK] == "public"
        other = {"documentId": world.publish(1), "serviceId": "svc", "transferTxId": world.order()}
        dataset["transferTxId"] = world.order()
        (job,) = (await world.start(world.start_body(6, dataset=dataset, additionalDatasets=[other]))).json()
        assert world.argo.workflows[job["jobId"]].arguments[names.ARG_NETWORK] == "none"


# --- every order serves one job ---------------------------------------------------------------------------------------


def _reference(world: World, number: int, order: str) -> dict[str, Any]:
    return {"documentId": world.publish(number), "serviceId": "svc", "transferTxId": order}


@pytest.mark.parametrize("further", [0, 1, 5000])
async def test_an_order_in_use_is_refused_before_the_chain_is_asked(world: World, further: int) -> None:
    """Whoever else names it is told by the chain what it is; and too many orders are the first rule's affair."""
    dataset = _reference(world, 1, world.order())
    assert (await world.start(world.start_body(5, dataset=dataset))).status_code == 200
    world.chain.away = True
    others = [_reference(world, 0, transaction(10**6 + number)) for number in range(further)]
    spelled = dataset | {"transferTxId": dataset["transferTxId"].upper().replace("0X", "0x")}
    answer = await world.start(world.start_body(6, dataset=spelled, additionalDatasets=others))
    if further <= 1:
        assert answer.json() == {"error": f"agreementId {dataset['transferTxId']} is already in use for other job."}
    else:
        assert "already in use" not in answer.text
        assert answer.status_code == 400
    stranger = world.start_body(5, key=STRANGER_KEY, dataset=dataset)
    assert "already in use" not in (await world.start(stranger)).text


async def test_an_order_behind_a_free_dataset_serves_one_job_at_a_time(world: World) -> None:
    """The order that pays is another one each time; the order of the dataset that is wanted is the same."""
    wanted = _reference(world, 1, world.order())
    jobs = []
    for nonce in (5, 6):
        own = _reference(world, 0, world.order())
        jobs.append(await world.start(world.start_body(nonce, dataset=own, additionalDatasets=[wanted])))
    assert jobs[0].status_code == 200
    text = f"agreementId {wanted['transferTxId']} is already in use for other job."
    assert (jobs[1].status_code, jobs[1].json()) == (400, {"error": text})
    assert await world.nonce() == "5"
    assert jobs[0].json()[0]["agreementId"] != wanted["transferTxId"], "named after the order that pays"
    world.argo.finish(jobs[0].json()[0]["jobId"])
    own = _reference(world, 0, world.order())
    assert (await world.start(world.start_body(6, dataset=own, additionalDatasets=[wanted]))).status_code == 200


async def test_the_identical_start_that_was_quicker_at_each_place_is_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process has claimed the job after this one looked for the claim, and for the nonce."""
    body, find, looks = world.start_body(5), Claims.find, list[str]()
    first = await world.start(body)

    async def too_early(claims: Claims, job_id: str) -> Claim | None:
        looks.append(job_id)
        return None if len(looks) == 1 else await find(claims, job_id)

    monkeypatch.setattr(Claims, "find", too_early)
    monkeypatch.setattr(starting, "require_fresh", lambda last, nonce: None)
    again = await world.start(body)
    assert (again.status_code, again.json()[0]["jobId"]) == (200, first.json()[0]["jobId"])
    assert len(world.argo.submissions) == 1


async def test_an_order_that_pays_cannot_stand_behind_another(world: World) -> None:
    paying = _reference(world, 1, world.order())
    assert (await world.start(world.start_body(5, dataset=paying))).status_code == 200
    own = _reference(world, 0, world.order())
    answer = await world.start(world.start_body(6, dataset=own, additionalDatasets=[paying]))
    assert "already in use" in answer.json()["error"]


async def test_an_order_that_was_paid_for_again_is_the_same_order(world: World) -> None:
    first = world.order()
    again = world.order(start_tx_hash=first)
    assert (await world.start(world.start_body(5, dataset=_reference(world, 0, first)))).status_code == 200
    answer = await world.start(world.start_body(6, dataset=_reference(world, 0, again)))
    assert answer.json() == {"error": f"agreementId {first} is already in use for other job."}


async def test_orders_of_many_jobs_that_are_over_are_free_at_once(world: World) -> None:
    references = [_reference(world, number, world.order()) for number in range(7)]
    for nonce, reference in enumerate(references, start=5):
        (job,) = (await world.start(world.start_body(nonce, dataset=reference))).json()
        world.argo.finish(job["jobId"])
    first, *others = references
    assert (await world.start(world.start_body(50, dataset=first, additionalDatasets=others))).status_code == 200


async def test_starts_that_share_some_orders_race(world: World) -> None:
    """Three datasets, each start uses two of them, in any order: never two jobs on one."""
    references = [_reference(world, number, world.order()) for number in range(3)]
    pairs = [(0, 1), (1, 0), (1, 2), (2, 1), (2, 0), (0, 2)] * 3
    bodies = [
        world.start_body(nonce, dataset=references[one], additionalDatasets=[references[other]])
        for nonce, (one, other) in enumerate(pairs, start=5)
    ]
    answers = await asyncio.gather(*(world.start(body) for body in bodies))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert world.argo.created == 1


async def test_a_released_start_does_not_keep_the_orders_of_others(world: World) -> None:
    """Its order is given to another start; then it comes back, and is told so."""
    shared = _reference(world, 1, world.order())
    first = world.start_body(5, dataset=_reference(world, 0, world.order()), additionalDatasets=[shared])
    world.argo.refuses = True
    assert (await world.start(first)).status_code == 502
    world.argo.refuses = False
    other = world.start_body(
        5, key=STRANGER_KEY, dataset=_reference(world, 2, world.order(payer=_address(STRANGER_KEY)))
    )
    world.chain.orders[shared["transferTxId"]] = replace(
        world.chain.orders[shared["transferTxId"]], consumer=_address(STRANGER_KEY)
    )
    assert (await world.start({**other, "additionalDatasets": [shared]})).status_code == 200
    answer = await world.start(first)
    assert answer.status_code == 400
    assert "already in use" in answer.json()["error"]
    assert world.argo.created == 1


def _address(key: str) -> str:
    return str(Account.from_key(key).address)


# --- submissions that outlive their claims ----------------------------------------------------------------------------


async def test_a_submission_whose_claim_is_lost_is_withdrawn(impatient: World) -> None:
    """Argo takes longer than the lease, although its client should not have let it."""
    world = impatient
    body = world.start_body(5)
    world.argo.held = asyncio.Event()
    slow = asyncio.create_task(world.start(body))
    async with asyncio.timeout(60):
        while not world.argo.submissions:
            await asyncio.sleep(0.01)
        held, world.argo.held = world.argo.held, None
        taken = await _when_given_up(world, world.start_body(6, dataset=body["dataset"]))
        held.set()
        late = await slow
    assert taken.status_code == 200
    assert late.status_code == 503
    assert "withdrawn" in late.json()["error"]
    assert list(world.argo.workflows) == [taken.json()[0]["jobId"]], "one unfinished job on the order"
    again = await world.start(body)
    assert (again.status_code, again.json()["errors"]) == (
        400,
        {"signature": "Invalid signature expected nonce (6) > current nonce (5)."},
    )


async def test_a_workflow_that_comes_when_its_claim_was_given_up_is_withdrawn(impatient: World) -> None:
    """Nobody repeats the first request: whoever has freed its order looks after it."""
    world = impatient
    world.argo.lost, world.argo.creates = True, False
    body = world.start_body(5)
    assert (await world.start(body)).status_code == 503
    lost = world.argo.submissions[0]
    world.argo.lost, world.argo.creates = False, True
    (job,) = (await _when_given_up(world, world.start_body(6, dataset=body["dataset"]))).json()
    world.argo.workflows[lost] = replace(world.argo.workflows[job["jobId"]], name=lost)
    async with asyncio.timeout(60):
        while lost in world.argo.workflows:
            await asyncio.sleep(0.05)
    assert job["jobId"] in world.argo.workflows


async def test_a_repeated_request_meets_its_late_workflow(impatient: World) -> None:
    """The identical request does not get a job whose order may be another's; the next repetition starts it anew."""
    world = impatient
    body = world.start_body(5)
    (job,) = (await world.start(body)).json()
    database = Database(world.settings.storage_url())
    try:
        assert await Claims(database).mark(job["jobId"], "submitted", "released")
    finally:
        await database.close()
    answer = await world.start(body)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert not world.argo.workflows
    assert (await world.start(body)).json()[0]["jobId"] == job["jobId"]
    assert await state(world, job["jobId"]) == "submitted"
