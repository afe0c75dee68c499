"""Where the time of a start goes: the steps of provider_api/jobs/start.py, one by one, called in this process."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from argo.client.records import FIRST_SERVER
from ocean import signing
from ocean.addresses import canonical
from provider_api.access import rules
from provider_api.access.refusal import Refusal
from provider_api.access.request import read_start
from provider_api.calls.parameters import Call
from provider_api.jobs.identity import identify
from provider_api.jobs.specification import prepare
from provider_api.services import Services, open_services
from provider_api.settings import load_settings
from provider_api.storage.claims import Claim
from tests.support.service import Service

Body = dict[str, Any]

PARTS = {
    "signature": "signature",
    "access": "facts (asks chain and Argo) and access rules",
    "sealing": "sealing the job spec",
    "claim": "claim (two transactions, durable)",
    "submission": "submission to Argo",
}


async def measure(service: Service, bodies: list[Body]) -> dict[str, list[float]]:
    """Milliseconds by part. The first body only warms up."""
    child = service.machine.child("api").environment
    settings = load_settings(
        {name: value for name, value in child.items() if name.startswith("C2D_")},
        data_folder=service.folder.root / "parts",
    )
    times: dict[str, list[float]] = defaultdict(list)
    async with open_services(settings) as services:
        await asyncio.sleep(0.5)  # first rounds of the background loops
        await _one(services, bodies[0], defaultdict(list))
        for body in bodies[1:]:
            await _one(services, body, times)
    return times


async def _one(services: Services, body: Body, times: dict[str, list[float]]) -> None:
    @contextmanager
    def timed(name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        times[name].append(1000 * (time.perf_counter() - began))

    call, owner, document = Call(body), body["consumerAddress"], body["dataset"]["documentId"]
    with timed("signature"):
        message = signing.start_message(owner, document, body["nonce"], "")
        consumer = canonical(signing.recover(message, call.text("signature")))
        identity = identify(consumer, body["nonce"], body, FIRST_SERVER)
    with timed("access"):
        facts = await services.facts.for_start(read_start(call, consumer))
        judged = rules.judge_start(facts)
        if isinstance(judged, Refusal):
            raise judged.error()
    with timed("sealing"):
        made = prepare(judged, identity.job_id, owner, services.settings, services.keys)
    claims = services.starter._claims
    claim = Claim(identity.job_id, consumer, identity.nonce, identity.digest, made.chain_id, made.agreement_id)
    with timed("claim"):
        await claims.find(identity.job_id)
        await services.nonces.find(consumer)
        await claims.claim(claim, made.orders, identity.nonce_text)
        await claims.mark(identity.job_id, "open", "submitted")
    with timed("submission"):
        await services.argo.submit(made.workflow)
