"""Start requests as a consumer may send them, and as somebody who is none: signed as told, answers as they come.

Orders are made with quotes signed here in the provider's name (its key is a public development key), so that a test can
buy what the service would never have offered.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
from eth_account.signers.local import LocalAccount

from ocean.chain.network import Network
from ocean.chain.ordering import reuse_order, start_order
from ocean.chain.publishing import mint
from ocean.ddo import DDO
from ocean.fees import Quote, make_quote
from ocean.signing import job_message, result_message, sign, start_message
from tests.support.chain import environment as environment_account
from tests.support.chain import provider as provider_account
from tests.support.chain import publisher as publisher_account
from tests.support.service import CONTAINER, FREE, Service

Reference = dict[str, Any]
COMPUTE = "/api/services/compute"


def raw(entrypoint: str = "true") -> dict[str, Any]:
    """A raw algorithm that is nothing but its entrypoint."""
    return {"meta": {"rawcode": "nothing", "container": {**CONTAINER, "entrypoint": entrypoint}}}


def reference(asset: DDO, tx: str | None = None) -> Reference:
    """An asset as requests name it."""
    named = {"documentId": asset.id, "serviceId": asset.services[0].id}
    return named if tx is None else {**named, "transferTxId": tx}


@dataclass
class Caller:
    """One account at one service, over plain HTTP: nothing is retried and no status raises."""

    service: Service
    network: Network
    key: LocalAccount
    http: httpx.AsyncClient

    @classmethod
    @asynccontextmanager
    async def open(cls, service: Service, key: LocalAccount) -> AsyncIterator[Self]:
        network = await service.network()
        try:
            async with httpx.AsyncClient(base_url=service.url, timeout=240, trust_env=False) as http:
                yield cls(service, network, key, http)
        finally:
            await network.close()

    @property
    def address(self) -> str:
        return str(self.key.address)

    # --- orders ------------------------------------------------------------------------------------------------------

    def quote(self, asset: DDO, **changes: Any) -> Quote:
        """The provider's quote for ten minutes without a fee in the free environment; changes go to make_quote."""
        now = time.time()
        details: dict[str, Any] = {
            "environment": FREE,
            "datatoken": asset.services[0].datatoken_address,
            "service_id": asset.services[0].id,
            "fee_token": self.network.ocean,
            "amount": 0,
            "valid_until": int(now) + 600,
            "now": now,
        }
        return make_quote(provider_account, **(details | changes))

    async def buy(self, asset: DDO, quote: Quote | None = None, *, to: str = environment_account.address) -> Reference:
        """Get a datatoken from the publisher and order with it for the environment."""
        datatoken = asset.services[0].datatoken_address
        await mint(self.network, publisher_account, datatoken, self.address)
        tx = await start_order(self.network, self.key, datatoken, to, 0, quote or self.quote(asset))
        return reference(asset, tx)

    async def renew(self, asset: DDO, order: Reference | str, quote: Quote | None = None) -> Reference:
        """Reuse an order, of whatever asset."""
        tx = order if isinstance(order, str) else order["transferTxId"]
        datatoken = asset.services[0].datatoken_address
        return reference(asset, await reuse_order(self.network, self.key, datatoken, tx, quote or self.quote(asset)))

    async def ocean_balance(self) -> int:
        """Base units of the fee token."""
        data = "0x70a08231" + self.address[2:].lower().rjust(64, "0")  # balanceOf(address)
        return int(await self.network.rpc.call("eth_call", {"to": self.network.ocean, "data": data}, "latest"), 16)

    async def initialize(
        self,
        datasets: Sequence[Reference],
        algorithm: Mapping[str, Any],
        *,
        environment: str = FREE,
        valid_until: float | None = None,
        **more: Any,
    ) -> httpx.Response:
        """Ask what must be bought, for ten minutes if nothing else is said."""
        end = int(time.time() + 600 if valid_until is None else valid_until)
        body = {
            "datasets": list(datasets),
            "algorithm": dict(algorithm),
            "compute": {"env": environment, "validUntil": end},
            "consumerAddress": self.address,
            **more,
        }
        return await self.http.post("/api/services/initializeCompute", json=body)

    async def offered(self, asset: DDO, environment: str = FREE) -> Quote:
        """The service's own quote for a dataset, which everybody gets who asks."""
        answer = await self.initialize([reference(asset)], raw(), environment=environment)
        assert answer.status_code == 200, answer.text
        return Quote.from_json(answer.json()["datasets"][0]["providerFee"])

    # --- requests ----------------------------------------------------------------------------------------------------

    async def nonce(self, address: str | None = None) -> str:
        """As the service tells it."""
        answer = await self.http.get("/api/services/nonce", params={"userAddress": address or self.address})
        return str(answer.json()["nonce"])

    async def next_nonce(self) -> int:
        """The next whole number."""
        return int(float(await self.nonce())) + 1

    def request(
        self,
        datasets: Sequence[Reference],
        algorithm: Mapping[str, Any],
        nonce: int | str,
        *,
        environment: str = FREE,
        address: str | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """A signed start; `address` is the spelling to use and to sign."""
        spelled = address or self.address
        body: dict[str, Any] = {
            "consumerAddress": spelled,
            "environment": environment,
            "dataset": dict(datasets[0]),
            "algorithm": dict(algorithm),
            "nonce": nonce,
            "signature": sign(start_message(spelled, datasets[0].get("documentId", ""), nonce), self.key),
            **more,
        }
        if len(datasets) > 1:
            body["additionalDatasets"] = [dict(dataset) for dataset in datasets[1:]]
        return body

    async def fresh(self, datasets: Sequence[Reference], algorithm: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """A signed start with the next nonce."""
        return self.request(datasets, algorithm, str(await self.next_nonce()), **more)

    async def send(self, body: Mapping[str, Any]) -> httpx.Response:
        return await self.http.post(COMPUTE, json=dict(body))

    async def start(self, datasets: Sequence[Reference], algorithm: Mapping[str, Any], **more: Any) -> httpx.Response:
        """A start with the next nonce; the answer."""
        return await self.send(await self.fresh(datasets, algorithm, **more))

    async def send_until(self, body: Mapping[str, Any], status: int = 200, seconds: float = 200) -> httpx.Response:
        """Repeat the identical request until it is answered so; until then only 503 or no answer is accepted."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    answer = await self.send(body)
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                    continue
                if answer.status_code == status:
                    return answer
                assert answer.status_code == 503, answer.text
                await asyncio.sleep(0.05)

    async def stop(self, job_id: str, *, nonce: int | None = None) -> httpx.Response:
        number = str(await self.next_nonce() if nonce is None else nonce)
        signature = sign(job_message(self.address, job_id, "", number), self.key)
        query = {"consumerAddress": self.address, "jobId": job_id, "nonce": number, "signature": signature}
        return await self.http.put(COMPUTE, params=query)

    async def delete(self, job_id: str = "", *, nonce: int | None = None, in_body: bool = False) -> httpx.Response:
        """All jobs without an id."""
        number = str(await self.next_nonce() if nonce is None else nonce)
        signature = sign(job_message(self.address, job_id, "", number), self.key)
        fields = {"consumerAddress": self.address, "jobId": job_id, "nonce": number, "signature": signature}
        return await self.http.request("DELETE", COMPUTE, **{"json" if in_body else "params": fields})

    async def result(
        self, job_id: str, index: int | str, *, headers: Mapping[str, str] | None = None, **changes: str
    ) -> httpx.Response:
        """`changes` replace query values after signing."""
        number = str(await self.next_nonce())
        query = {
            "consumerAddress": self.address,
            "jobId": job_id,
            "index": str(index),
            "nonce": number,
            "signature": sign(result_message(self.address, job_id, index, number), self.key),
            **changes,
        }
        return await self.http.get("/api/services/computeResult", params=query, headers=dict(headers or {}))

    # --- what has become of it ---------------------------------------------------------------------------------------

    async def jobs(self, **query: str) -> list[dict[str, Any]]:
        """The account's jobs: `jobId=…` or `agreementId=…`."""
        answer = await self.http.get(COMPUTE, params={"consumerAddress": self.address, **query})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    async def finished(self, job_id: str, seconds: float = 120) -> dict[str, Any]:
        """The job when it is over."""
        async with asyncio.timeout(seconds):
            while True:
                (job,) = await self.jobs(jobId=job_id)
                if job["dateFinished"] is not None:
                    return job
                await asyncio.sleep(0.05)

    async def reached(self, job_id: str, status: int, seconds: float = 60) -> dict[str, Any]:
        """The job when it has this status number."""
        async with asyncio.timeout(seconds):
            while True:
                (job,) = await self.jobs(jobId=job_id)
                if job["status"] == status:
                    return job
                assert job["dateFinished"] is None, job
                await asyncio.sleep(0.02)

    async def until_over(self, moment: float) -> None:
        """Wait for a time of the clock: an order's or a fee's end."""
        while (left := moment - time.time()) > 0:
            await asyncio.sleep(left)


def claims(service: Service) -> dict[str, str]:
    """State by job id, as the service's database has it."""
    path = Path(service.folder.root) / "service.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=240)) as database:
        return dict(database.execute("SELECT job_id, state FROM claims").fetchall())


def refused_orders(service: Service) -> list[str]:
    """Why orders were refused, from the service's log: on the wire all reasons look the same."""
    return re.findall(r"order_refused .*?reason=(\w+)", (service.folder.logs / "api.log").read_text())


def job_of(answer: httpx.Response) -> dict[str, Any]:
    """The one job of an accepted start or a stop."""
    assert answer.status_code == 200, answer.text
    (job,) = answer.json()
    found: dict[str, Any] = job
    return found


def refusal(answer: httpx.Response) -> Any:
    """What a refused request says."""
    assert answer.status_code == 400, (answer.status_code, answer.text)
    body = answer.json()
    assert [name for name in body if name != "wanted"] in (["error"], ["errors", "message", "success"]), body
    return body["error"] if "error" in body else body["errors"]
