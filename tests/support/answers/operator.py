"""The Operator-Service API, as a provider asks and as an operator's own scripts do."""

from __future__ import annotations

import time
from typing import Any, Final

from eth_account import Account

from ocean.signing import sign
from tests.support import provider_facts as facts
from tests.support.answers.accounts import ME, STRANGER
from tests.support.answers.book import Asker, Book
from tests.support.answers.calls import Call, asked, mostly_unread, sent, without
from tests.support.answers.operations import OPERATORS
from tests.support.answers.places import RecordedWorld, place, publish, publish_results
from tests.support.operator_peer import OperatorPeer, workflow
from tests.support.provider_neighbours import FREE, STRANGER_KEY

BASE: Final = "/api/v1/operator"
COMPUTE: Final = f"{BASE}/compute"
STATUS: Final = f"GET {COMPUTE}"
START: Final = f"POST {COMPUTE}"
RESULT: Final = f"GET {BASE}/getResult"
KEY: Final = Account.from_key("0x" + "11" * 32)
NO_JOB: Final = "00" + "ab" * 15
RAW: Final = {"id": "", "url": None, **(facts.raw().meta or {})}


async def answers(book: Book) -> None:
    async with place(book, operator=OPERATORS) as (world, asker):
        peer = OperatorPeer(KEY, world.http)
        await asker.table(
            {
                "root": asked(f"GET {BASE}/"),
                "environments": asked(f"GET {BASE}/environments"),
                "environments of a chain": asked(f"GET {BASE}/environments", "chainId=8996"),
                "environments of another chain": asked(f"GET {BASE}/environments", "chainId=1"),
                "environments of a word": asked(f"GET {BASE}/environments", "chainId=x"),
                "unknown path": asked(f"GET {BASE}/nothing"),
            }
        )
        jobs = await _start(world, asker, peer)
        # Before anything is read: places in the queue are remembered for a second.
        files = ("a.csv", b"a,b\n1,2\n", "output"), ("algorithm.log", b"log\n", "algorithmLog")
        publish_results(world, jobs[0], *files)
        await _status(asker, peer, jobs)
        await _admin(world, asker, jobs)
        await _results(asker, peer, jobs)
        await _ends(asker, peer, jobs)
        world.argo.away = True
        await asker.table(
            {
                "status, no Argo": asked(STATUS, peer.query(ME)),
                "stop, no Argo": asked(f"PUT {COMPUTE}", peer.query(ME)),
                "delete, no Argo": asked(f"DELETE {COMPUTE}", peer.query(ME)),
                "result, no Argo": asked(RESULT, peer.query(ME, NO_JOB, index="0")),
                "list, no Argo": asked(f"GET {BASE}/list", admin="secret"),
            }
        )
    async with place(book, lambda world: setattr(world.argo, "away", True), operator=OPERATORS) as (_, asker):
        await asker.ask("environments, no Argo", asked(f"GET {BASE}/environments"))


async def _start(world: RecordedWorld, asker: Asker, peer: OperatorPeer) -> list[str]:
    did, order = publish(world, 1, compute={"allowRawAlgorithm": True}), world.order()
    document = workflow([(world.chain.assets[did], order)], RAW)
    stage = document["stages"][0]
    whole = peer.start_body(document, ME, order, environment=FREE)

    def body(**changes: Any) -> Call:
        nonce = {"nonce": changes["nonce"]} if "nonce" in changes else {}
        made = peer.start_body(document, ME, order, environment=FREE, **nonce) | changes
        return sent(START, {name: value for name, value in made.items() if value is not None})

    def staged(**changes: Any) -> Call:
        return body(workflow={"stages": [stage | changes]})

    second = int(time.time())
    await asker.table(
        {
            **{f"no {name}": sent(START, without(whole, name)) for name in whole if name not in _MAY_LACK},
            "no body": asked(START),
            "an empty workflow": body(workflow={}),
            "no stages": body(workflow={"stages": []}),
            "two stages": body(workflow={"stages": [stage, stage]}),
            **{f"a stage without {part}": body(workflow={"stages": [without(stage, part)]}) for part in _PARTS},
            "no inputs": staged(input=[]),
            "an input without an order": staged(input=[{"id": did}]),
            "an algorithm that is a list": staged(algorithm=[]),
            "an algorithm without code": staged(algorithm=without(RAW, "rawcode")),
            "an agreement that is none": body(agreementId="0x17"),
            "an agreement of another": body(agreementId="0x" + "ab" * 32),
            "an owner who is none": body(owner="0x12"),
            "an owner who is a list": body(owner=[ME]),
            "unknown environment": body(environment="x"),
            "a chain in words": body(chainId="main"),
            "an end in words": body(validUntil="tomorrow"),
            "a nonce in words": body(nonce="soon"),
            "a nonce of another time": body(nonce=second - 9000),
            "a signature that is none": body(providerSignature="0x12"),
            "a signature of another": body(providerSignature=sign(f"{ME}{second}", STRANGER_KEY), nonce=second),
            "the address of another": body(providerAddress=STRANGER),
            **mostly_unread(START, whole),
        },
        "start, ",
    )
    for number in (1, 2):
        used = world.order()
        given = peer.start_body(workflow([(world.chain.assets[did], used)], RAW), ME, used, environment=FREE)
        await asker.ask(f"start, number {number}", sent(START, given), f"job {number}")
        await asker.ask(f"start, number {number} again", sent(START, given))
        await asker.ask(f"start, the nonce of number {number}", sent(START, given | {"validUntil": None}))
    await asker.ask("start, without an end", body(validUntil=None), "job 3")
    await asker.ask("start, an order that is used", body())
    return list(asker.named)


_MAY_LACK: Final = ("providerAddress", "validUntil", "chainId")
_PARTS: Final = ("algorithm", "compute", "input", "output")


async def _status(asker: Asker, peer: OperatorPeer, jobs: list[str]) -> None:
    whole, second = peer.query(ME, jobs[0]), int(time.time())
    await asker.table(
        {
            "one": asked(STATUS, whole),
            "one that waits": asked(STATUS, peer.query(ME, jobs[2])),
            "the same again": asked(STATUS, whole),
            "the nonce of another": asked(STATUS, whole | {"agreementId": "0x12"}),
            "all": sent(STATUS, peer.query(ME)),
            "of another owner": asked(STATUS, peer.query(STRANGER)),
            "of an order": asked(STATUS, peer.query("", agreementId="0x" + "ab" * 32)),
            "of a chain": asked(STATUS, peer.query(ME, chainId="1")),
            "unknown job": asked(STATUS, peer.query(ME, NO_JOB)),
            "nothing": asked(STATUS),
            "too short a filter": asked(STATUS, peer.query("x")),
            "an owner who is none": asked(STATUS, peer.query("0x12")),
            "no signature": asked(STATUS, without(whole, "providerSignature")),
            "no nonce": asked(STATUS, without(whole, "nonce")),
            "a nonce in words": asked(STATUS, whole | {"nonce": "soon"}),
            "a nonce in seconds": asked(STATUS, peer.query(ME, jobs[0], nonce=second)),
            "a nonce in milliseconds": asked(STATUS, peer.query(ME, jobs[0], nonce=second * 1000)),
            "a nonce of another time": asked(STATUS, peer.query(ME, jobs[0], nonce=second - 9000)),
            "a signature that is none": asked(STATUS, whole | {"providerSignature": "0x12"}),
            "another provider": asked(STATUS, OperatorPeer(Account.from_key(STRANGER_KEY), peer.http).query(ME)),
            "the address of another": asked(STATUS, peer.query(ME, providerAddress=STRANGER)),
            "a list for a job": sent(STATUS, whole | {"jobId": jobs}),
            "by HEAD": asked(f"HEAD {COMPUTE}", whole),
        },
        "status, ",
    )


async def _admin(world: RecordedWorld, asker: Asker, jobs: list[str]) -> None:
    world.argo.logs["algorithm"] = ["one", "two"]
    calls = {"list": "GET", "info": "GET", "logs": "GET", "pgsqlinit": "POST"}
    for path, method in calls.items():
        await asker.table(
            {
                "no secret": asked(f"{method} {BASE}/{path}"),
                "a wrong secret": asked(f"{method} {BASE}/{path}", admin="secrets"),
                "good": asked(f"{method} {BASE}/{path}", {"jobId": jobs[1], "component": "algorithm"}, admin="secret"),
            },
            f"{path}, ",
        )
    await asker.table(
        {
            "running, no secret": asked(f"GET {BASE}/runningjobs"),
            "running": asked(f"GET {BASE}/runningjobs", admin="secret"),
            "info, no job": asked(f"GET {BASE}/info", admin="secret"),
            "info, unknown job": asked(f"GET {BASE}/info", {"jobId": NO_JOB}, admin="secret"),
            "info, in the body": sent(f"GET {BASE}/info", {"jobId": jobs[1]}, admin="secret"),
            "info, a list for a job": sent(f"GET {BASE}/info", {"jobId": jobs}, admin="secret"),
            "logs, no step": asked(f"GET {BASE}/logs", {"jobId": jobs[0]}, admin="secret"),
            "logs, unknown step": asked(f"GET {BASE}/logs", {"jobId": jobs[0], "component": "x"}, admin="secret"),
            "logs, no such log": asked(f"GET {BASE}/logs", {"jobId": jobs[0], "component": "filter"}, admin="secret"),
            "logs, unknown job": asked(f"GET {BASE}/logs", {"jobId": NO_JOB, "component": "filter"}, admin="secret"),
        }
    )


async def _results(asker: Asker, peer: OperatorPeer, jobs: list[str]) -> None:
    admin = {"admin": "secret"}
    await asker.table(
        {
            "good": asked(RESULT, peer.query(ME, jobs[0], index="0", consumerSignature="0x00")),
            "a part": asked(RESULT, peer.query(ME, jobs[0], index="0"), range="bytes=0-2"),
            "behind the end": asked(RESULT, peer.query(ME, jobs[0], index="0"), range="bytes=99-"),
            "in the body": sent(RESULT, peer.query(ME, jobs[0], index=1)),
            "nothing": asked(RESULT),
            "no index": asked(RESULT, peer.query(ME, jobs[0])),
            "an index in words": asked(RESULT, peer.query(ME, jobs[0], index="x")),
            "an index below zero": asked(RESULT, peer.query(ME, jobs[0], index="-1")),
            "no such index": asked(RESULT, peer.query(ME, jobs[0], index="9")),
            "no results": asked(RESULT, peer.query(ME, jobs[1], index="0")),
            "unknown job": asked(RESULT, peer.query(ME, NO_JOB, index="0")),
            "another owner": asked(RESULT, peer.query(STRANGER, jobs[0], index="0")),
            "another provider": asked(
                RESULT, OperatorPeer(Account.from_key(STRANGER_KEY), peer.http).query(ME, jobs[0], index="0")
            ),
        },
        "result, ",
    )
    await asker.table(
        {
            "status, finished": asked(STATUS, peer.query(ME, jobs[0])),
            "info, finished": asked(f"GET {BASE}/info", {"jobId": jobs[0]}, **admin),
            "logs, finished": asked(f"GET {BASE}/logs", {"jobId": jobs[0], "component": "algorithm"}, **admin),
        }
    )


async def _ends(asker: Asker, peer: OperatorPeer, jobs: list[str]) -> None:
    for method, verb in (("PUT", "stop"), ("DELETE", "delete")):
        line = f"{method} {COMPUTE}"
        await asker.table(
            {
                "nothing": asked(line),
                "no owner": asked(line, without(peer.query("", jobs[0]), "owner")),
                "a signature that is none": asked(line, peer.query(ME, jobs[0], providerSignature="0x12")),
                "another provider": asked(
                    line, OperatorPeer(Account.from_key(STRANGER_KEY), peer.http).query(ME, jobs[0])
                ),
                "unknown job": asked(line, peer.query(ME, NO_JOB)),
                "finished": asked(line, peer.query(ME, jobs[0])),
                "one": asked(line, peer.query(ME, jobs[1])),
                "all": sent(line, peer.query(ME)),
                "of another owner": asked(line, peer.query(STRANGER)),
            },
            f"{verb}, ",
        )
