"""An owner of datasets in tests: what waits for him, and what he decides."""

from __future__ import annotations

import time
from typing import Any

import httpx
from eth_account.signers.local import LocalAccount

from ocean.addresses import ZERO
from ocean.client import Consumer
from ocean.signing import releases_message, sign
from records.decision import Decision, statement_of
from records.envelope import sign_payload
from records.trust import Trust, statement_of_trust
from tests.support.chain import publisher


async def nobody(did: str) -> str:
    """Who owns an asset, for tests in which no owner decides."""
    return ZERO


async def release(url: str, job: str) -> None:
    """The publisher of the tests' assets lets the results of a job go, as far as he owns its datasets."""
    async with httpx.AsyncClient() as http, Consumer(url, publisher) as consumer:
        owner = Owner(url, publisher, http, consumer)
        shown = (await owner.show(job)).json()
        for dataset in shown["datasets"]:
            answer = await owner.put(job, owner.decision(shown, dataset["documentId"], released=True))
            assert answer.status_code == 200, answer.text


class Owner:
    """An account that asks and decides over plain HTTP."""

    def __init__(self, url: str, account: LocalAccount, http: httpx.AsyncClient, consumer: Consumer) -> None:
        self.account, self._http, self._consumer = account, http, consumer
        self._url = url.rstrip("/") + "/api/v1/releases"

    async def _asked(self, url: str, job: str, **more: str) -> httpx.Response:
        nonce = await self._consumer.next_nonce()
        text = releases_message(self.account.address, job, nonce)
        query = {"consumerAddress": self.account.address, "nonce": str(nonce), **more}
        return await self._http.get(url, params={**query, "signature": sign(text, bytes(self.account.key))})

    async def waiting(self, **more: str) -> list[dict[str, Any]]:
        answer = await self._asked(self._url, "", **more)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["releases"])

    async def show(self, job: str) -> httpx.Response:
        return await self._asked(f"{self._url}/{job}", job)

    async def look(self, job: str, index: int) -> httpx.Response:
        return await self._asked(f"{self._url}/{job}/files/{index}", f"{job}/{index}/")

    def decision(self, shown: dict[str, Any], did: str, *, released: bool, **changes: Any) -> Decision:
        values = {
            "job_id": shown["jobId"],
            "manifest_digest": shown["manifestDigest"],
            "did": did,
            "account": self.account.address,
            "released": released,
            "at": int(time.time()),
        }
        return Decision(**(values | changes))

    async def put(self, job: str, decision: Decision, key: bytes | None = None) -> httpx.Response:
        encoded = sign_payload(statement_of(decision).encoded(), key or bytes(self.account.key)).encoded()
        return await self._http.put(f"{self._url}/{job}", content=encoded, headers={"content-type": "application/json"})

    async def put_trust(self, trust: Trust) -> httpx.Response:
        encoded = sign_payload(statement_of_trust(trust).encoded(), bytes(self.account.key)).encoded()
        url = self._url.removesuffix("/releases") + "/trust"
        return await self._http.put(url, content=encoded, headers={"content-type": "application/json"})
