"""What an operator may choose: an access control server, which signatures count, how failures are told."""

from __future__ import annotations

import json
from typing import Any, Final

from eth_account import Account

from ocean.signing import sign_bytes
from ocean.typed_calls import typed_digest
from tests.support.answers.accounts import CREATE, ME, creation, in_an_hour
from tests.support.answers.book import Book
from tests.support.answers.calls import BYTES, asked, raw, sent
from tests.support.answers.files import DOWNLOAD, ENCRYPT, INITIALIZE, fetched
from tests.support.answers.job_requests import START, assets, start
from tests.support.answers.jobs import DELETE, STATUS, STOP, about
from tests.support.answers.places import place, publish
from tests.support.provider_neighbours import CONSUMER_KEY, PROVIDER_KEY
from tests.support.replay import Answer, replay_server

PROVIDER: Final = Account.from_key(PROVIDER_KEY).address
NOWHERE: Final = "http://127.0.0.1:9"


def typed(call: str, fields: dict[str, Any], field: str = "consumerAddress", **changes: Any) -> dict[str, Any]:
    """Fields with a typed signature; `changes`: what the signature says instead."""
    said = {"provider": PROVIDER, "account": fields[field], "call": call, "nonce": str(fields["nonce"])}
    said |= {"parameters": {name: value for name, value in fields.items() if name not in ("nonce", field)}} | changes
    return fields | {"signature": sign_bytes(typed_digest(**said), CONSUMER_KEY)}


async def answers(book: Book) -> None:
    for setting in ("accepted", "tokens", "demanded"):
        async with place(book, policy={"typed_signatures": setting}) as (world, asker):
            assets(world, NOWHERE)
            token = {"address": ME, "expiration": in_an_hour(), "nonce": "1"}
            body = {name: value for name, value in start(3, world.order()).items() if name != "signature"}
            stop = {"consumerAddress": ME, "nonce": "5"}
            await asker.table(
                {
                    "a token": asked(CREATE, typed(CREATE, token, "address")),
                    "a token, signed as a text": creation(2),
                    "a start": sent(START, typed(START, body)),
                    "a start, signed as a text": sent(START, start(4, world.order())),
                    "a stop": asked(STOP, typed(STOP, stop)),
                    "a stop, signed for another call": asked(STOP, typed(DELETE, stop | {"nonce": "6"})),
                    "a stop, signed as a text": asked(STOP, about(6)),
                },
                f"typed signatures {setting}, ",
            )
    for said in (True, False, "words"):
        with replay_server() as server:
            server.on("POST", "/", Answer(200, json.dumps(said)))
            async with place(book, access={"rbac_url": f"{server.url}/", "timeout_seconds": 300}) as (world, asker):
                assets(world, NOWHERE)
                access = publish(world, 50, service={"type": "access"})
                given = {"documentId": access, "serviceId": "svc", "consumerAddress": ME}
                await asker.table(
                    {
                        "initialize": asked(INITIALIZE, given),
                        "download": asked(DOWNLOAD, fetched(access, world.order(), 1)),
                        "encrypt": raw(ENCRYPT, b"text", BYTES, "chainId=8996"),
                        "start": sent(START, start(2, world.order())),
                        "stop": asked(STOP, about(3)),
                        "delete": asked(DELETE, about(4)),
                    },
                    f"access control says {json.dumps(said)}, ",
                )
    for failures_as_finished in (False, True):
        async with place(book, policy={"failures_as_finished": failures_as_finished}) as (world, asker):
            assets(world, NOWHERE)
            told = "as finished" if failures_as_finished else "as failed"
            begun = await asker.ask(f"failures are told {told}, a start", sent(START, start(1, world.order())))
            job = begun.json()[0]["jobId"]
            world.argo.finish(job, "Failed")
            failed = asked(STATUS, {"consumerAddress": ME, "jobId": job})
            await asker.ask(f"failures are told {told}, the failure", failed)
    async with place(book, policy={"trusted_lists": "any", "respect_purgatory": False}) as (world, asker):
        publish(world, 1, compute={"allowRawAlgorithm": True}, purgatory={"state": True})
        await asker.ask("purgatory is not respected", sent(START, start(1, world.order())))
