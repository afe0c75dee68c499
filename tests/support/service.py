"""The whole service in tests: the machine of `c2d serve` in a thread of its own, and a consumer's way through it.

The provider's key and the environments' Ethereum keys are public development keys, so that tests can quote and order in
their name. Parts can be killed (the machine starts them again) or stopped for a while.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import httpx
from eth_account.signers.local import LocalAccount

from contract import names
from contract.keys import ETHEREUM_KEY_FILE
from ocean.chain.network import Network
from ocean.chain.publishing import AssetDraft, mint, publish_asset
from ocean.client import Consumer, ConsumerError
from ocean.ddo import DDO
from ocean.files import UrlFile
from ocean.purchase import Wish, order_all
from provider_api.deploy.folder import DataFolder, write_secret
from provider_api.deploy.machine import Machine
from tests.support.chain import consumer as consumer_account
from tests.support.chain import environment as environment_account
from tests.support.chain import provider as provider_account
from tests.support.chain import publisher as publisher_account
from tests.support.sandboxes import require_sandboxes
from workflow_templates.render import GITOPS

T = TypeVar("T")
FREE, PAID = "ocean-compute", "ocean-compute-paid"
# Tests are strangers in a hurry. Those of the budget set their own.
NO_BUDGET = {
    "C2D_STRANGERS__UNITS_PER_MINUTE": "100000000",
    "C2D_STRANGERS__AT_ONCE": "256",
    "C2D_STRANGERS__AT_ONCE_EACH": "256",
    "C2D_SERVER__MAX_CONNECTIONS_EACH": "1024",
}
START_SECONDS = 200  # four workers may start theirs at once
# An image with Python, `name:tag@digest`. One machine runs every algorithm in an image of its own, whatever the digest.
IMAGE = os.environ.get("C2D_E2E_IMAGE", "python:3@sha256:" + "ab" * 32)
_NAME, _, CHECKSUM = IMAGE.partition("@")
CONTAINER = {
    "entrypoint": "python $ALGO",
    "image": _NAME.rpartition(":")[0],
    "tag": _NAME.rpartition(":")[2],
    "checksum": CHECKSUM,
}


class Service:
    """`with Service(folder) as service:`; `service.url` answers then. Addresses in `allow_private` that name no
    publisher are open to all."""

    def __init__(
        self,
        folder: Path,
        *,
        allow_private: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
        manifests: Path = GITOPS / "base",
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="machine", daemon=True)
        data = DataFolder(folder)
        data.make()
        for environment in (FREE, PAID):
            secret = data.secrets / names.environment_secret(environment)
            write_secret(secret / ETHEREUM_KEY_FILE, "0x" + bytes(environment_account.key).hex() + "\n")
        given = {"C2D_PROVIDER__KEY": "0x" + bytes(provider_account.key).hex(), **NO_BUDGET, **(settings or {})}
        allowed = tuple(text if "@" in text else text + "@*" for text in allow_private)
        self.machine = Machine(
            folder, allow_private=allowed, environment=given, manifests=manifests, start_seconds=START_SECONDS
        )
        self.folder = data

    def __enter__(self) -> Self:
        require_sandboxes()
        self._thread.start()
        self.call(self.machine.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self.machine.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        return self.machine.url

    @property
    def chain_url(self) -> str:
        return self.machine.chain_url

    def call(self, coroutine: Coroutine[Any, Any, T], timeout: float = 240) -> T:
        """Run something on the machine's loop (its child processes belong to it)."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    async def network(self) -> Network:
        return await Network.open(self.machine.chain_url, self.machine.address_file)

    def kill(self, *parts: Literal["api", "argo"]) -> None:
        """kill -9; the machine starts the part again."""
        for part in parts:
            if (pid := self.machine.child(part).pid) is not None:
                os.kill(pid, signal.SIGKILL)

    async def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Until all parts answer (again)."""
        async with asyncio.timeout(seconds):
            for part in ("argo", "api"):
                child = self.machine.child(part)
                while child.pid is None or not await child.ready():
                    await asyncio.sleep(0.02)

    async def stop_part(self, part: Literal["api", "argo"]) -> None:
        await asyncio.to_thread(self.call, self.machine.child(part).stop())

    async def start_part(self, part: Literal["api", "argo"]) -> None:
        await asyncio.to_thread(self.call, self.machine.child(part).start())


@dataclass
class Buyer:
    """A publisher and a consumer of one service; what is published is served by the test's file server."""

    service: Service
    network: Network
    consumer: Consumer
    published: dict[str, DDO] = field(default_factory=dict)
    account: LocalAccount = consumer_account  # who orders; the key of `consumer`

    @classmethod
    @asynccontextmanager
    async def open(cls, service: Service) -> AsyncIterator[Self]:
        """`async with Buyer.open(service) as buyer`."""
        network = await service.network()
        async with Consumer(service.url, consumer_account) as client:
            yield cls(service, network, client)
        await network.close()

    async def publish(self, url: str, *, kind: Literal["dataset", "algorithm"] = "dataset", **draft: Any) -> DDO:
        """One asset with one file; keyword arguments go to AssetDraft."""

        async def encrypt(plain: bytes) -> bytes:
            return await self.consumer.encrypt(plain, self.network.chain_id)

        if kind == "algorithm":
            draft.setdefault("algorithm", {"language": "python", "version": "1", "container": CONTAINER})
        made = AssetDraft(name=f"test {kind}", files=[UrlFile(url=url)], type=kind, **draft)
        return await publish_asset(
            self.network, publisher_account, made, provider_url=self.service.url, encrypt=encrypt
        )

    async def give(self, *assets: DDO, amount: int = 1) -> None:
        """Datatokens for the consumer."""
        for asset in assets:
            datatoken = asset.services[0].datatoken_address
            await mint(self.network, publisher_account, datatoken, self.consumer.address, amount * 10**18)

    async def order(
        self,
        datasets: Sequence[DDO],
        algorithm: DDO | Mapping[str, Any],
        *,
        environment: str = FREE,
        minutes: float = 10,
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Ask, buy, and return (datasets, algorithm) as a start request wants them. A mapping is a raw algorithm."""
        wishes = [Wish(asset, asset.services[0].id) for asset in datasets]
        raw = not isinstance(algorithm, DDO)
        if isinstance(algorithm, DDO):
            wishes.append(Wish(algorithm, algorithm.services[0].id))
        await self.give(*(wish.ddo for wish in wishes))
        chosen = await self.announced(environment)
        references = [wish.reference() for wish in wishes]
        wanted: Any = {"meta": dict(algorithm)} if isinstance(algorithm, Mapping) else references[-1]
        answer = await self.consumer.initialize_compute(
            references[: len(datasets)], wanted, environment, int(time.time() + 60 * minutes)
        )
        answers = [*answer["datasets"], *([] if raw else [answer["algorithm"]])]
        orders = await order_all(self.network, self.account, chosen["consumerAddress"], wishes, answers)
        return orders[: len(datasets)], (wanted if raw else orders[-1])

    async def announced(self, environment: str, seconds: float = 60) -> dict[str, Any]:
        """What the service says of that environment, as soon as the Argo Server that has it has answered."""
        async with asyncio.timeout(seconds):
            while True:
                for found in await self.consumer.environments(self.network.chain_id):
                    if found["id"] == environment:
                        return found
                await asyncio.sleep(0.05)

    async def finished(self, job_id: str, seconds: float = 120) -> dict[str, Any]:
        """The job, when nothing about it will change any more. Errors while a part is away are waited out."""
        async with asyncio.timeout(seconds):
            while True:
                job = await self.job(job_id)
                if job is not None and job["dateFinished"] is not None:
                    return job
                await asyncio.sleep(0.05)

    async def job(self, job_id: str) -> dict[str, Any] | None:
        try:
            jobs = await self.consumer.status(job_id)
        except (ConsumerError, httpx.TransportError):
            return None
        return jobs[0] if jobs else None

    async def result(self, job: Mapping[str, Any], filename: str, folder: Path) -> bytes:
        """The content of the result of that name."""
        index = next(i for i, entry in enumerate(job["results"]) if entry["filename"] == filename)
        target = folder / f"{hashlib.sha256(filename.encode()).hexdigest()[:8]}-{index}"
        await self.consumer.result(job["jobId"], index, target)
        return target.read_bytes()


def raw_python(code: str, entrypoint: str = "python $ALGO") -> dict[str, Any]:
    """A raw algorithm; datasets must allow it (compute={"allowRawAlgorithm": True})."""
    return {"rawcode": code, "container": {**CONTAINER, "entrypoint": entrypoint}}
