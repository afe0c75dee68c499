"""Environments; jobs as their owners read, stop and delete them; their results."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from typing import Any, Final

from ocean.signing import job_message, live_message, releases_message, result_message, salts_message, sign
from records.decision import Decision, statement_of
from records.envelope import sign_payload
from records.trust import Trust, statement_of_trust
from tests.support import provider_facts as facts
from tests.support.answers.accounts import ME, STRANGER, creation, two_spoiled
from tests.support.answers.book import Asker, Book
from tests.support.answers.calls import Call, asked, mostly_unread, sent, without
from tests.support.answers.places import (
    RecordedWorld,
    belongs_to,
    place,
    publish_asset_files,
    publish_results,
    says_rules,
)
from tests.support.passports import PROVISIONED
from tests.support.provider_neighbours import CONSUMER_KEY, STRANGER_KEY

STATUS: Final = "GET /api/services/compute"
STOP: Final = "PUT /api/services/compute"
DELETE: Final = "DELETE /api/services/compute"
RESULT: Final = "GET /api/services/computeResult"
RELEASES: Final = "GET /api/v1/releases"
TRUST: Final = "PUT /api/v1/trust"
SALTS: Final = "GET /api/v1/salts"
LIVE: Final = "GET /api/v1/jobs/{job}/{what}"
ENVIRONMENTS: Final = "GET /api/services/computeEnvironments"
NO_JOB: Final = "00" + "ab" * 15
PROGRAM: Final = "a7" * 32
TABLE: Final = b"a,b\n1,2\n"


def about(nonce: Any, job: str = "", did: str = "", key: str = CONSUMER_KEY, **changes: Any) -> dict[str, Any]:
    """Parameters of a stop or a deletion."""
    given = {"consumerAddress": ME, "jobId": job, "documentId": did, "nonce": str(nonce)}
    given = {name: value for name, value in given.items() if value}
    return given | {"signature": sign(job_message(ME, job, did, str(nonce)), key)} | changes


def result(nonce: Any, job: str, index: Any = "0", key: str = CONSUMER_KEY, **changes: Any) -> dict[str, Any]:
    given = {"consumerAddress": ME, "jobId": job, "index": str(index), "nonce": str(nonce)}
    return given | {"signature": sign(result_message(ME, job, str(index), str(nonce)), key)} | changes


def owners(nonce: int, job: str, key: str = CONSUMER_KEY) -> dict[str, Any]:
    """Parameters of the question for salts, by whoever owns the first dataset."""
    did = facts.did(0)
    given = {"consumerAddress": ME, "jobId": job, "documentId": did, "nonce": str(nonce)}
    return given | {"signature": sign(salts_message(ME, job, did, str(nonce)), key)}


async def answers(book: Book) -> None:
    async with place(book) as (world, asker):
        await asker.table({"environments": asked(ENVIRONMENTS), "by HEAD": asked(ENVIRONMENTS.replace("GET", "HEAD"))})
        jobs = []
        for nonce in (1, 2, 3):
            started = await world.start(world.start_body(nonce))
            jobs.append(str(started.json()[0]["jobId"]))
        await _status(world, asker, jobs)
        await _stop(asker, jobs)
        publish_results(world, jobs[0], ("a.csv", TABLE, "output"), ("algorithm.log", b"", "algorithmLog"))
        world.argo.finish(jobs[1], "Failed")
        await _results(world, asker, jobs)
        await _salts(asker, jobs)
        await _live(asker, jobs)
        await _delete(asker, jobs)
        await _published(world, asker)
        world.argo.away = True
        await asker.table(
            {
                "status, no Argo": asked(STATUS, {"consumerAddress": ME}),
                "stop, no Argo": asked(STOP, about(900)),
                "delete, no Argo": asked(DELETE, about(900, jobs[2])),
                "result, no Argo": asked(RESULT, result(900, jobs[2])),
            }
        )
    async with place(book, lambda world: setattr(world.argo, "has_record", True)) as (world, asker):
        started = await world.start(world.start_body(1))
        belongs_to(world, facts.did(0), ME)
        await asker.ask("salts, good", asked(SALTS, owners(2, str(started.json()[0]["jobId"]))))
        await _releases(world, asker)
    async with place(book, lambda world: setattr(world.argo, "away", True)) as (_, asker):
        await asker.ask("environments, no Argo", asked(ENVIRONMENTS))
    async with place(book, policy={"tolerate_missing_nonce": True, "failures_as_finished": True}) as (world, asker):
        started = await world.start(world.start_body(1))
        job = str(started.json()[0]["jobId"])
        await asker.table(
            {
                "no nonce for all jobs": asked(STOP, without(about("", ""), "nonce")),
                "a nonce that was not sent": asked(STOP, without(about(2, job), "nonce")),
                "no nonce at all": asked(STOP, about("", job)),
                "no nonce and a wrong signature": asked(STOP, about("", job, key=STRANGER_KEY)),
                "a deletion without a nonce": asked(DELETE, about("", job)),
            },
            "tolerant, ",
        )


async def _status(world: RecordedWorld, asker: Asker, jobs: list[str]) -> None:
    mine = {"consumerAddress": ME}
    agreement = world.argo.workflows[jobs[0]].annotations["c2d.oceanprotocol.com/agreement-id"]
    await asker.table(
        {
            "one": asked(STATUS, mine | {"jobId": jobs[1]}),
            "one that waits": asked(STATUS, mine | {"jobId": jobs[2]}),
            "all": asked(STATUS, mine),
            "of an order": asked(STATUS, mine | {"agreementId": agreement}),
            "of no order": asked(STATUS, mine | {"agreementId": "no hex!"}),
            "of nobody": asked(STATUS, {"consumerAddress": STRANGER}),
            "another's job": asked(STATUS, {"consumerAddress": STRANGER, "jobId": jobs[0]}),
            "unknown job": asked(STATUS, mine | {"jobId": NO_JOB}),
            "a job that is none": asked(STATUS, mine | {"jobId": "@latest"}),
            "in the body": sent(STATUS, mine | {"jobId": jobs[0]}),
            "a null byte": sent(STATUS, mine | {"jobId": "\0"}),
            "a list for a job": sent(STATUS, mine | {"jobId": [jobs[0]]}),
            "results from a word": asked(STATUS, mine | {"resultsFrom": "x"}),
            "no address": asked(STATUS, {"jobId": jobs[0]}),
            "half an address": asked(STATUS, {"consumerAddress": "0x12"}),
            "several that are wrong": sent(
                STATUS, {"consumerAddress": 5, "jobId": {}, "agreementId": [], "resultsFrom": -1}
            ),
            "by HEAD": asked(STATUS.replace("GET", "HEAD"), mine),
            **mostly_unread(STATUS, mine),
        },
        "status, ",
    )  # fmt: skip


async def _stop(asker: Asker, jobs: list[str]) -> None:
    whole = about(10, jobs[0])
    bad = two_spoiled(whole["signature"])
    await asker.table(
        {
            **{f"no {name}": asked(STOP, without(whole, name)) for name in whole},
            "half an address": asked(STOP, whole | {"consumerAddress": "0x12"}),
            "a job that is none": asked(STOP, about(10, "job")),
            "a DID without a job": asked(STOP, about(10, "", facts.did(1))),
            "half a DID": asked(STOP, about(10, jobs[0], "did:op:12")),
            "a nonce in words": asked(STOP, whole | {"nonce": "soon"}),
            "several that are wrong": sent(STOP, whole | {"signature": [], "jobId": 5, "documentId": {}}),
            **{name: asked(STOP, whole | {"signature": text}) for name, text in bad.items()},
            "signed by another": asked(STOP, about(10, jobs[0], key=STRANGER_KEY)),
            "a stale nonce": asked(STOP, about(3, jobs[0])),
            "unknown job": asked(STOP, about(10, NO_JOB)),
            "one": asked(STOP, about(11, jobs[0])),
            "the same again": asked(STOP, about(11, jobs[0])),
            "with a DID, in the body": sent(STOP, about(12, jobs[1], facts.did(0))),
        },
        "stop, ",
    )
    made = await asker.ask("stop, a token for it", creation(13))
    token = made.json()["token"]
    by_token = without(about(14, jobs[0]), "signature")
    await asker.table(
        {
            "a token": asked(STOP, by_token, authtoken=token),
            "a token of another": asked(STOP, by_token | {"consumerAddress": STRANGER}, authtoken=token),
            "a token that is none": asked(STOP, by_token | {"nonce": "15"}, authtoken="token"),
            "all": asked(STOP, about(16)),
        },
        "stop, ",
    )


async def _results(world: RecordedWorld, asker: Asker, jobs: list[str]) -> None:
    whole, mine = result(20, jobs[0]), {"consumerAddress": ME, "jobId": jobs[0]}
    await asker.table(
        {
            "status, finished": asked(STATUS, mine),
            "status, results from the second": asked(STATUS, mine | {"resultsFrom": "1"}),
            "status, failed": asked(STATUS, mine | {"jobId": jobs[1]}),
            "stop, finished": asked(STOP, about(19, jobs[0])),
        }
    )

    def part(nonce: int, **headers: str) -> Call:
        return asked(RESULT, result(nonce, jobs[0]), **headers)

    good, bad = await asker.ask("result, good", asked(RESULT, whole)), two_spoiled(whole["signature"])
    await asker.table(
        {
            **{f"no {name}": asked(RESULT, without(whole, name)) for name in whole},
            "half an address": asked(RESULT, whole | {"consumerAddress": "0x12"}),
            "an index in words": asked(RESULT, whole | {"index": "x"}),
            "an index below zero": asked(RESULT, whole | {"index": "-1"}),
            "an index with a zero in front": asked(RESULT, whole | {"index": "00"}),
            "a job with a null byte": sent(RESULT, whole | {"jobId": "\0"}),
            **{name: asked(RESULT, result(21, jobs[0], signature=text)) for name, text in bad.items()},
            "signed by another": asked(RESULT, result(21, jobs[0], key=STRANGER_KEY)),
            "the same again": asked(RESULT, whole),
            "no such index": asked(RESULT, result(21, jobs[0], 9)),
            "no results": asked(RESULT, result(21, jobs[2])),
            "unknown job": asked(RESULT, result(21, NO_JOB)),
            "an empty file": asked(RESULT, result(21, jobs[0], 1)),
            "in the body": sent(RESULT, result(22, jobs[0]) | {"index": 0, "nonce": 22}),
            "a part": part(23, range="bytes=0-2"),
            "the end": part(24, range="bytes=-3"),
            "behind the end": part(25, range="bytes=99-"),
            "several parts": part(26, range="bytes=0-1,3-4"),
            "a part of the same file": part(27, range="bytes=4-", if_range=good.headers["etag"]),
            "a part of another file": part(28, range="bytes=4-", if_range='"another"'),
            "by HEAD": asked(RESULT.replace("GET", "HEAD"), result(29, jobs[0])),
        },
        "result, ",
    )  # fmt: skip
    path = world.settings.data_folder / "results" / jobs[0] / "0"
    path.unlink()
    await asker.ask("result, a file that is gone", asked(RESULT, result(40, jobs[0])))


async def _salts(asker: Asker, jobs: list[str]) -> None:
    """Of jobs whose environment makes no passports."""
    whole = owners(60, jobs[0])
    await asker.table(
        {
            **{f"no {name}": asked(SALTS, without(whole, name)) for name in whole},
            "half an address": asked(SALTS, whole | {"consumerAddress": "0x12"}),
            "half a DID": asked(SALTS, whole | {"documentId": "did:op:1"}),
            "a job in words": asked(SALTS, whole | {"jobId": "mine"}),
            "signed by another": asked(SALTS, owners(60, jobs[0], key=STRANGER_KEY)),
            "unknown job": asked(SALTS, owners(60, NO_JOB)),
            "no passport": asked(SALTS, whole),
        },
        "salts, ",
    )


async def _live(asker: Asker, jobs: list[str]) -> None:
    """Of a job that has ended: the stream of one that runs has no end."""

    def looks(nonce: int, job: str, key: str = CONSUMER_KEY) -> dict[str, Any]:
        given = {"consumerAddress": ME, "nonce": str(nonce)}
        return given | {"signature": sign(live_message(ME, job, str(nonce)), key)}

    for what in ("events", "log"):
        line, no_job = LIVE.format(job=jobs[1], what=what), LIVE.format(job=NO_JOB, what=what)
        whole = looks(41, jobs[1])
        await asker.table(
            {
                **{f"no {name}": asked(line, without(whole, name)) for name in whole},
                "half an address": asked(line, whole | {"consumerAddress": "0x12"}),
                "a nonce in words": asked(line, whole | {"nonce": "soon"}),
                "signed by another": asked(line, looks(41, jobs[1], STRANGER_KEY)),
                "signed for another job": asked(line, looks(41, jobs[0])),
                "unknown job": asked(no_job, looks(41, NO_JOB)),
                "a token that is none": asked(line, authtoken="token"),
                "a session that is none": asked(line, cookie="c2d_session=token"),
            },
            f"{what}, ",
        )
    events, log = (LIVE.format(job=jobs[1], what=what) for what in ("events", "log"))
    await asker.ask("events, good", replace(asked(events, looks(41, jobs[1])), compared=False))
    await asker.table(
        {
            "an offset in words": asked(log, looks(42, jobs[1]) | {"offset": "x"}),
            "good": asked(log, looks(42, jobs[1])),
            "the same again": asked(log, looks(42, jobs[1])),
        },
        "log, ",
    )


async def _releases(world: RecordedWorld, asker: Asker) -> None:
    """A job whose results wait for ME, who owns its dataset."""
    body = world.start_body(3)
    says_rules(world, facts.did(0), {"approval": "owner", "approvalSeconds": 600})
    belongs_to(world, facts.did(0), ME)
    job = str((await world.start(body)).json()[0]["jobId"])
    went_in = PROVISIONED.model_copy(update={"program": PROGRAM})
    ours = ("configure.log", b"ours", "configrationLog")
    publish_results(world, job, ours, ("a.csv", TABLE, "output"), provisioned=went_in)
    body = world.start_body(4)
    says_rules(world, facts.did(0), {"approval": "owner", "approvalSeconds": 600, "ownersLook": True})
    belongs_to(world, facts.did(0), ME)
    open_one = str((await world.start(body)).json()[0]["jobId"])
    publish_results(world, open_one, ours, ("a.csv", TABLE, "output"), provisioned=went_in)

    def question(nonce: int, job: str = "", **changes: Any) -> dict[str, Any]:
        given = {"consumerAddress": ME, "nonce": str(nonce)}
        return given | {"signature": sign(releases_message(ME, job, str(nonce)), CONSUMER_KEY)} | changes

    def decision(**changes: Any) -> dict[str, Any]:
        manifest = (world.settings.data_folder / "results" / job / "manifest.json").read_bytes()
        digest = hashlib.sha256(manifest).hexdigest()
        values = {"job_id": job, "manifest_digest": digest, "did": facts.did(0), "account": ME, "released": True}
        statement = statement_of(Decision(**(values | {"at": int(time.time())} | changes)))
        return dict(json.loads(sign_payload(statement.encoded(), CONSUMER_KEY).encoded()))

    def trust(**changes: Any) -> dict[str, Any]:
        now = int(time.time())
        values = {"program": PROGRAM, "did": facts.did(0), "account": ME, "at": now, "until": now + 60, "job_id": job}
        statement = statement_of_trust(Trust(**(values | changes)))
        return dict(json.loads(sign_payload(statement.encoded(), CONSUMER_KEY).encoded()))

    def file(nonce: int, job: str, index: str, signed: str = "") -> Call:
        return asked(f"{RELEASES}/{job}/files/{index}", question(nonce, f"{job}/{signed or index}/"))

    one, put = f"{RELEASES}/{job}", f"{RELEASES}/{job}".replace("GET", "PUT")
    await asker.table(
        {
            "status": asked(STATUS, {"consumerAddress": ME, "jobId": job}),
            "list": asked(RELEASES, question(10)),
            "list, the same again": asked(RELEASES, question(10)),
            "list, unsigned": asked(RELEASES, without(question(11), "signature")),
            "one": asked(one, question(12, job)),
            "one, signed for the list": asked(one, question(13)),
            "one, unknown job": asked(f"{RELEASES}/{NO_JOB}", question(14, NO_JOB)),
            "decide, nothing": sent(put, {}),
            "decide, on another job": sent(put, decision(job_id=NO_JOB)),
            "decide, for somebody else": sent(put, decision(account=STRANGER)),
            "decide, on a dataset that nobody asked for": sent(put, decision(did=facts.did(5))),
            "decide": sent(put, decision()),
            "decide, otherwise": sent(put, decision(released=False)),
            "history": asked(RELEASES, question(15, history="true")),
            "a file": file(20, open_one, "1"),
            "a file, signed for another": file(21, open_one, "1", signed="0"),
            "a file, of ours": file(22, open_one, "0"),
            "a file, none": file(23, open_one, "7"),
            "a file, no number": file(24, open_one, "-1"),
            "a file, where owners may not look": file(25, job, "1"),
            "a file, unknown job": file(26, NO_JOB, "1"),
            "trust, nothing": sent(TRUST, {}),
            "trust, withdrawn before": sent(TRUST, trust(until=None)),
            "trust, of another algorithm": sent(TRUST, trust(program="9" * 64)),
            "trust, on another dataset": sent(TRUST, trust(did=facts.did(5))),
            "trust, for somebody else": sent(TRUST, trust(account=STRANGER)),
            "trust, for ever": sent(TRUST, trust(until=int(time.time()) + 400 * 86_400)),
            "trust, unknown job": sent(TRUST, trust(job_id=NO_JOB)),
            "trust, from the future": sent(TRUST, trust(at=int(time.time()) + 900, until=int(time.time()) + 1_000)),
            "trust": sent(TRUST, trust()),
            "trust, from before": sent(TRUST, trust(at=int(time.time()) - 60)),
            "trust, seen": asked(one, question(30, job)),
            "trust, withdrawn": sent(TRUST, trust(until=None, at=int(time.time()) + 1)),
        },
        "releases, ",
    )


async def _delete(asker: Asker, jobs: list[str]) -> None:
    whole = about(50, jobs[0])
    await asker.table(
        {
            **{f"no {name}": asked(DELETE, without(whole, name)) for name in whole},
            "half an address": asked(DELETE, whole | {"consumerAddress": "0x12"}),
            "a DID without a job": asked(DELETE, about(50, "", facts.did(1))),
            "signed by another": asked(DELETE, about(50, jobs[0], key=STRANGER_KEY)),
            "signed for another call": asked(DELETE, whole | {"jobId": jobs[1]}),
            "unknown job": asked(DELETE, about(50, NO_JOB)),
            "one": asked(DELETE, about(51, jobs[0])),
            "already deleted": asked(DELETE, about(52, jobs[0])),
            "all": sent(DELETE, about(53)),
        },
        "delete, ",
    )


async def _published(world: RecordedWorld, asker: Asker) -> None:
    token = "t" * 43
    publish_asset_files(world, token, ("a.csv", TABLE, "output"))
    path = f"/api/services/published/{token}"
    await asker.table(
        {
            "good": asked(f"GET {path}/0/a.csv"),
            "another name": asked(f"GET {path}/0/b"),
            "by HEAD": asked(f"HEAD {path}/0/a.csv"),
            "a part": asked(f"GET {path}/0/a.csv", range="bytes=2-"),
            "behind the end": asked(f"GET {path}/0/a.csv", range="bytes=8-"),
            "no such file": asked(f"GET {path}/1/a.csv"),
            "an index in words": asked(f"GET {path}/x/a.csv"),
            "a long index": asked(f"GET {path}/00000/a.csv"),
            "unknown token": asked(f"GET {path[:-1]}u/0/a.csv"),
            "half a token": asked("GET /api/services/published/t/0/a.csv"),
            "no name": asked(f"GET {path}/0"),
            "by POST": asked(f"POST {path}/0/a.csv"),
        },
        "published, ",
    )
