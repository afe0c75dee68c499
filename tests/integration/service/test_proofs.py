"""Proofs of use at a collector that really listens: their form and signatures, and that nobody ever waits for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import pytest
from structlog.testing import capture_logs

from ocean.signing import download_message, recover, sign
from provider_api.files.proofs import Delivery, Proofs
from provider_api.keys import keys_of
from provider_api.settings import AccessSettings
from tests.support import provider_facts as facts
from tests.support.http_server import HttpServer, Reply, Request
from tests.support.provider_neighbours import CONSUMER_KEY, PROVIDER_KEY

pytestmark = pytest.mark.integration

KEYS = keys_of(PROVIDER_KEY)
DID = facts.did(1)


def delivery(number: int = 0) -> Delivery:
    text = download_message(DID, str(number))
    return Delivery(
        order_tx="0x" + "12" * 32,
        document_id=DID,
        service_id="svc",
        file_index=1,
        sent_bytes=1234567890123,
        consumer=keys_of(CONSUMER_KEY).address.lower(),
        consumer_data=text,
        consumer_signature=sign(text, CONSUMER_KEY),
    )


class Collector:
    def __init__(self) -> None:
        self.answer: Reply | bytes = Reply(200)
        self.forms: list[dict[str, str]] = []

    def __call__(self, request: Request) -> Reply | bytes:
        assert (request.method, request.target) == ("POST", "/proofs?key=s3cret")
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        self.forms.append(dict(parse_qsl(request.body.decode(), keep_blank_values=True)))
        return self.answer


@asynccontextmanager
async def proofs(**given: Any) -> AsyncIterator[tuple[Proofs, Collector]]:
    collector, queued = Collector(), given.pop("queued", 10)
    async with HttpServer(collector) as server:
        url = f"http://127.0.0.1:{server.port}/proofs?key=s3cret"
        async with Proofs(AccessSettings(proof_url=url, **given), KEYS, queued=queued) as made:
            yield made, collector


async def test_form_and_signatures() -> None:
    async with proofs() as (made, collector):
        made.download_finished(delivery(7))
    (form,) = collector.forms
    sent = delivery(7)
    assert form["providerData"] == (
        f'{{"documentId":"{DID}","serviceId":"svc","fileIndex":1,"downloadedBytes":1234567890123}}'
    )
    assert recover(form["providerData"], form["providerSignature"]) == KEYS.address
    assert recover(form["consumerData"], form["consumerSignature"]) == form["consumerAddress"]
    assert list(form) == [
        "orderTxId", "providerData", "providerSignature", "consumerData", "consumerSignature", "consumerAddress",
    ]  # fmt: skip
    assert form["orderTxId"] == sent.order_tx
    assert form["consumerData"] == DID + "7"
    assert form["consumerAddress"] == keys_of(CONSUMER_KEY).address


async def test_with_a_token_the_consumer_has_signed_nothing() -> None:
    unsigned = Delivery("0x1", DID, "svc", 0, 5, facts.CONSUMER, DID + "7", "")
    async with proofs() as (made, collector):
        made.download_finished(unsigned)
    assert collector.forms[0]["consumerSignature"] == ""


async def test_closing_sends_what_waits() -> None:
    async with proofs() as (made, collector):
        for number in range(5):
            made.download_finished(delivery(number))
        assert collector.forms == []  # nobody has waited for anything so far
    assert [form["consumerData"] for form in collector.forms] == [f"{DID}{number}" for number in range(5)]


FAILURES: dict[str, Reply | bytes] = {
    "refused": Reply(500, b"no"),
    "redirected": Reply(302, b"", {"location": "/proofs?key=s3cret"}),
    "broken off": b"",
    "no HTTP": b"hello\r\n\r\n",
}


@pytest.mark.parametrize("case", FAILURES)
async def test_failures_are_logged_and_forgotten(case: str) -> None:
    with capture_logs() as logs:
        async with proofs() as (made, collector):
            collector.answer = FAILURES[case]
            made.download_finished(delivery(1))
            while not collector.forms:
                await asyncio.sleep(0.01)
            collector.answer = Reply(200)
            made.download_finished(delivery(2))
    assert [form["consumerData"] for form in collector.forms] == [DID + "1", DID + "2"]  # each once
    (entry,) = logs
    assert entry["event"] in ("proof_not_taken", "proof_not_sent")
    assert entry["did"] == DID
    written = json.dumps(logs, default=str)
    assert "s3cret" not in written
    assert delivery(1).consumer_signature not in written


async def test_a_collector_that_hangs_delays_nobody() -> None:
    """Not the caller, not for ever the service's end, and what waits is bounded."""

    async def never() -> AsyncIterator[bytes]:
        await asyncio.sleep(3600)
        yield b""

    with capture_logs() as logs:
        async with proofs(queued=3, timeout_seconds=0.3) as (made, collector):
            collector.answer = Reply(200, never())
            for number in range(20):
                made.download_finished(delivery(number))
            assert collector.forms == [], "the caller has waited for none of them"
    assert [entry["event"] for entry in logs].count("proof_dropped") >= 16


async def test_without_a_collector_nothing_is_kept() -> None:
    async with Proofs(AccessSettings(), KEYS, queued=1) as made:
        with capture_logs() as logs:
            for number in range(5):
                made.download_finished(delivery(number))
    assert logs == []
