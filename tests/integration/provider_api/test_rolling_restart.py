"""Replicas are replaced one after the other under load: every start is answered, and is one job."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from eth_account import Account

from ocean.signing import sign, start_message
from tests.support import provider_facts as facts
from tests.support.postgres import Postgres
from tests.support.provider_neighbours import CONSUMER_KEY, FREE, transaction
from tests.support.replica import Replicas, clients, replicas

pytestmark = pytest.mark.integration

LAST_ORDER = 399


@pytest.fixture
def running(postgres: Postgres, tmp_path: Path) -> Iterator[Replicas]:
    with replicas(tmp_path, asyncio.run(postgres.create_database())) as started:
        yield started


class Consumer:
    """One account, whose starts follow each other; whoever of the replicas answers is right."""

    def __init__(self, processes: list[httpx.AsyncClient]) -> None:
        self._processes = processes
        self.jobs: list[str] = []
        self.unanswered = 0
        self._turn = 0

    async def start(self, nonce: int) -> None:
        address = Account.from_key(CONSUMER_KEY).address
        dataset = {"documentId": facts.did(0), "serviceId": "svc", "transferTxId": transaction(nonce)}
        body = {
            "dataset": dataset,
            "environment": FREE,
            "algorithm": {"meta": {**(facts.raw().meta or {}), "rawcode": f"print({nonce})"}},
            "consumerAddress": address,
            "nonce": nonce,
            "signature": sign(start_message(address, dataset["documentId"], str(nonce)), CONSUMER_KEY),
        }
        async with asyncio.timeout(60):
            while True:
                self._turn += 1
                try:
                    answer = await self._processes[self._turn % 3].post("/api/services/compute", json=body)
                except httpx.TransportError:
                    self.unanswered += 1
                    await asyncio.sleep(0.02)
                    continue
                assert answer.status_code == 200, answer.text
                self.jobs.append(answer.json()[0]["jobId"])
                return


async def test_a_rolling_restart_under_load(running: Replicas, tmp_path: Path) -> None:
    async with clients(running.addresses) as processes:
        consumer, over = Consumer(processes), asyncio.Event()

        async def load() -> None:
            for nonce in range(1, LAST_ORDER):
                await consumer.start(nonce)
                if over.is_set():
                    return

        loading = asyncio.create_task(load())
        await asyncio.sleep(0.5)
        codes = [await asyncio.to_thread(running.restart, number) for number in range(3)]
        over.set()
        await loading
        address = Account.from_key(CONSUMER_KEY).address
        known = (await processes[0].get("/api/services/compute", params={"consumerAddress": address})).json()

    assert len(consumer.jobs) > 20, "there was a load"
    assert codes == [-signal.SIGTERM] * 3, "uvicorn ends by the signal, when what was under way is done"
    assert len(set(consumer.jobs)) == len(consumer.jobs)
    submitted = (tmp_path / "argo" / "submitted").read_text().split()
    assert sorted(submitted) == sorted(consumer.jobs), "none lost, none twice"
    assert {job["jobId"] for job in known} <= set(consumer.jobs)
