"""Validated starts: how many per second, beside the root document and the bare chain reads; where their time goes."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, sample
from benchmarks.load import LANES, fetch, http, per_second
from benchmarks.orders import prepare_starts
from benchmarks.service import forget_jobs, waiting_service
from ocean import signing
from ocean.chain.network import Network
from ocean.client import Consumer
from ocean.ddo import DDO
from provider_api.access import rules
from provider_api.access.request import read_start
from provider_api.access.signature import prove_signer
from provider_api.jobs.identity import identify
from provider_api.jobs.specification import prepare
from provider_api.machine.file_server import FileServer
from provider_api.parameters import Input
from provider_api.services import Services, open_services
from provider_api.settings import load_settings
from provider_api.storage.claims import Claim
from tests.support.chain import consumer as consumer_account
from tests.support.service import Buyer, Service
from workflow_templates import names

RUNS, STARTS, ALONE, WARM = 5, 10, 20, 3  # runs; starts of each lane in a run; starts one at a time; to warm up
Body = dict[str, Any]


async def measure(place: Path) -> list[Figure]:
    contents = place / "rain.csv"
    contents.write_text("day,mm\n1,3\n")
    with FileServer({"rain.csv": contents}) as files, waiting_service(place, [files.address]) as service:
        network = await service.network()
        try:
            async with Consumer(service.url, consumer_account) as client:
                buyer = Buyer(service, network, client)
                dataset = await buyer.publish(files.urls["rain.csv"])
                algorithm = await buyer.publish(files.urls["rain.csv"], kind="algorithm")
            each = WARM + RUNS * STARTS + 2 * ALONE // LANES
            prepared = await prepare_starts(service, network, dataset, algorithm, each)
            return await _measure(service, network, (dataset, algorithm), [iter(lane) for lane in prepared.lanes])
        finally:
            await network.close()


async def _measure(
    service: Service, network: Network, assets: tuple[DDO, DDO], lanes: list[Iterator[Body]]
) -> list[Figure]:
    starts, roots, reads, alone = [], [], [], []
    async with http() as session:
        url = service.url + "/api/services/compute"
        headers = {"content-type": "application/json"}

        def taken(count: int) -> list[list[Any]]:
            bodies = [[json.dumps(next(lane)).encode() for _ in range(count)] for lane in lanes]
            return [[partial(fetch, session, "POST", url, data=body, headers=headers) for body in b] for b in bodies]

        await per_second(taken(WARM))
        for _ in range(RUNS):
            await forget_jobs(service, session)
            starts.append(await per_second(taken(STARTS)))
            roots.append(await per_second([[partial(fetch, session, "GET", service.url + "/")] * 250] * LANES))
            reads.append(await per_second([[partial(_bare_reads, network, assets, "0x" + "ab" * 32)] * 50] * LANES))
        await forget_jobs(service, session)
        for call in (call for lane in taken(ALONE // LANES) for call in lane):
            began = time.perf_counter()
            await call()
            alone.append(1000 * (time.perf_counter() - began))
        await forget_jobs(service, session)
    figures = [
        Figure("validated starts", "/s", sample(starts), "root document", sample(roots), f"{LANES} at a time"),
        Figure("validated starts", "/s", sample(starts), "bare chain reads of a start", sample(reads)),
    ]
    parts, calls, trips = await _parts(service, [next(lane) for lane in lanes for _ in range(ALONE // LANES)])
    whole = sample(alone)
    note = {"access": f"{calls:.0f} chain calls in {trips:.0f} requests, rules"}
    for name, title in PARTS.items():
        text = note.get(name, "")
        figures.append(Figure(f"  of it: {title}", "ms", sample(parts[name]), "one start alone, HTTP", whole, text))
    return figures


async def _bare_reads(network: Network, assets: tuple[DDO, DDO], tx_hash: str) -> None:
    """The questions about a dataset and an algorithm, without anything made of the answers."""

    async def one(asset: DDO) -> None:
        await network.read_nft(asset.nft_address)
        await network.read_order(asset.nft_address, asset.services[0].datatoken_address, tx_hash)

    await asyncio.gather(*(one(asset) for asset in assets))


# --- where the time goes: the steps of provider_api/jobs/start.py, one by one, in this process ------------------------

PARTS = {
    "signature": "signature",
    "access": "facts and access rules",
    "room": "places left (asks Argo)",
    "sealing": "sealing the job spec",
    "claim": "claim (two transactions, durable)",
    "submission": "submission to Argo",
}


async def _parts(service: Service, bodies: list[Body]) -> tuple[dict[str, list[float]], float, float]:
    """Milliseconds by part; chain calls and HTTP requests to the node, per start."""
    child = service.machine.child("api").environment
    settings = load_settings(
        {name: value for name, value in child.items() if name.startswith("C2D_")},
        data_folder=service.folder.root / "parts",
    )
    times: dict[str, list[float]] = defaultdict(list)
    async with open_services(settings) as services:
        (chain,) = services.chains.all()
        rpc = chain.network.rpc  # type: ignore[attr-defined]  # (the real one)
        await asyncio.sleep(0.5)  # first rounds of the background loops
        await _one(services, bodies[0], defaultdict(list))
        before = (rpc.requests, rpc.round_trips)
        for body in bodies[1:]:
            await _one(services, body, times)
        count = len(bodies) - 1
        return times, (rpc.requests - before[0]) / count, (rpc.round_trips - before[1]) / count


async def _one(services: Services, body: Body, times: dict[str, list[float]]) -> None:
    @contextmanager
    def timed(name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        times[name].append(1000 * (time.perf_counter() - began))

    given, owner, document = Input(body), body["consumerAddress"], body["dataset"]["documentId"]
    with timed("signature"):
        consumer = prove_signer(given, lambda nonce: signing.start_message(owner, document, nonce, ""))
        identity = identify(consumer, body["nonce"], body)
    with timed("access"):
        facts = await services.facts.for_start(read_start(given, consumer))
        refusal = rules.judge(facts)
        if refusal is not None:
            raise refusal.error()
    with timed("room"):
        await services.argo.count({names.ENVIRONMENT: body["environment"]}, unfinished_only=True)
    with timed("sealing"):
        made = prepare(facts, identity.job_id, owner, services.settings, services.keys)
    claims = services.starter._claims
    claim = Claim(identity.job_id, consumer, identity.nonce, identity.digest, made.chain_id, made.agreement_id)
    with timed("claim"):
        await claims.find(identity.job_id)
        await services.nonces.find(consumer)
        await claims.claim(claim, identity.nonce_text)
        await claims.mark(identity.job_id, "open", "submitted")
    with timed("submission"):
        await services.argo.submit(
            made.job_id,
            made.template,
            arguments=made.arguments,
            labels=made.labels,
            annotations=made.annotations,
        )
