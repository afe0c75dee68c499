"""ocean.js as a consumer of one service: its Provider calls and orders, and the assets it uses."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import httpx
from eth_account import Account
from eth_account.signers.local import LocalAccount

from ocean.chain.publishing import AssetDraft, mint, publish_asset
from ocean.chain.transactions import send
from ocean.client import Consumer
from ocean.ddo import DDO
from ocean.files import UrlFile
from ocean.signing import job_message, sign
from tests.support.chain import owner as ocean_owner
from tests.support.chain import publisher
from tests.support.clients import DRIVERS, INSTALLED, Client, ocean_js
from tests.support.service import CONTAINER, Service

CHAIN = "8996"
SIGNER = "@signer"  # the consumer's wallet, among a call's values


class Place(Protocol):
    """A service, wherever it is."""

    @property
    def url(self) -> str: ...

    @property
    def chain_url(self) -> str: ...


@dataclass
class OceanJs:
    """`with OceanJs.open(...) as js: js("getNonce", js.url, js.address)` calls a method of ProviderInstance."""

    client: Client
    key: LocalAccount
    version: str
    url: str

    @classmethod
    @contextmanager
    def open(cls, service: Place, version: str, key: LocalAccount, log: Path, url: str | None = None) -> Iterator[Self]:
        """`url`: where the service is for this client, if not at its own address."""
        folder = INSTALLED / f"oceanjs-{version}"
        given = [str(DRIVERS / "oceanjs.cjs"), str(folder), service.chain_url, "0x" + bytes(key.key).hex()]
        with Client([*ocean_js(version), *given], log) as client:
            yield cls(client, key, version, url or service.url)

    def __call__(self, method: str, *values: Any) -> Any:
        """Raises ClientError."""
        return self.client("provider", method=method, values=values)

    @property
    def address(self) -> str:
        return str(self.key.address)

    def environment(self, id_: str) -> dict[str, Any]:
        listed = self("getComputeEnvironments", self.url)[CHAIN]
        return next(environment for environment in listed if environment["id"] == id_)

    def start_order(self, asset: DDO, fee: Mapping[str, Any], consumer: str | None = None) -> str:
        token = asset.services[0].datatoken_address
        arguments = {"datatoken": token, "consumer": consumer or self.address, "serviceIndex": 0, "fee": fee}
        return str(self.client("startOrder", **arguments))

    def reuse_order(self, asset: DDO, order: str, fee: Mapping[str, Any]) -> str:
        return str(self.client("reuseOrder", datatoken=asset.services[0].datatoken_address, order=order, fee=fee))

    def download(self, url: str) -> tuple[str, str]:
        """(filename, text), fetched by the client's own downloadFile."""
        got = self.client("downloadFile", url=url, index=0)
        return got["filename"], got["text"]

    def quotes(
        self, datasets: Sequence[Mapping[str, Any]], algorithm: Mapping[str, Any], environment: str, minutes: float = 10
    ) -> dict[str, Any]:
        """What initializeCompute answers."""
        end = int(time.time() + 60 * minutes)
        answer: dict[str, Any] = self(
            "initializeCompute", datasets, algorithm, environment, end, self.url, self.address
        )
        return answer

    def finished(self, job: str, seconds: float = 120) -> dict[str, Any]:
        """Poll as the client's examples do."""
        end = time.monotonic() + seconds
        while True:
            (seen,) = self("computeStatus", self.url, self.address, job)
            if seen["status"] >= 70 or seen["dateFinished"]:
                return dict(seen)
            assert time.monotonic() < end, seen
            time.sleep(0.1)

    def stop_properly(self, job: str) -> None:
        """Stop a job with a request of our own, for a version that cannot."""
        nonce = int(self("getNonce", self.url, self.address)) + 1
        signature = sign(job_message(self.address, job, "", nonce), self.key)
        body = {"consumerAddress": self.address, "jobId": job, "nonce": nonce, "signature": signature}
        httpx.put(f"{self.url}/api/services/compute", json=body, trust_env=False).raise_for_status()


def publish(at: Service, owners: Sequence[str], files: Sequence[str], *, url: str | None = None, **draft: Any) -> DDO:
    """An asset with these files, for which each of the owners gets datatokens; `draft` goes to AssetDraft.

    `url`: the address of the service that its document names.
    """
    if draft.get("type") == "algorithm":
        draft = {"algorithm": {"language": "python", "version": "1", "container": CONTAINER}, **draft}
    made = AssetDraft(name="for ocean.js", files=[UrlFile(url=file) for file in files], **draft)

    async def published() -> DDO:
        network = await at.network()
        async with Consumer(at.url, publisher) as client:

            async def encrypt(plain: bytes) -> bytes:
                return await client.encrypt(plain, network.chain_id)

            asset = await publish_asset(network, publisher, made, provider_url=url or at.url, encrypt=encrypt)
        for owner in owners:
            await mint(network, publisher, asset.services[0].datatoken_address, owner, 20 * 10**18)
        await network.close()
        return asset

    return at.call(published())


def account_of(name: str) -> LocalAccount:
    """An account of a test's own, the same at every time."""
    key: LocalAccount = Account.from_key(hashlib.sha256(name.encode()).digest())
    return key


async def provide(service: Service, addresses: Sequence[str]) -> None:
    """Ether for orders and the token that fees are taken in, for accounts that the chain does not begin with."""
    network = await service.network()
    for address in addresses:
        if await network.balance(network.ocean, address) == 0:
            await network.rpc.call("anvil_setBalance", address, hex(10**20))
            gift = network.function("ERC20Template", network.ocean, "transfer", address, 1000 * 10**18)
            await send(network, ocean_owner, gift)
    await network.close()


def reference(asset: DDO, order: str | None = None) -> dict[str, Any]:
    """An asset as the client names it."""
    named = {"documentId": asset.id, "serviceId": asset.services[0].id}
    return named if order is None else {**named, "transferTxId": order}
