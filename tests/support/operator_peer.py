"""What an Ocean Provider sends to its operator: its calls as it makes them, signed by its key, the clock as nonce."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import httpx
from eth_account.signers.local import LocalAccount

from ocean.ddo import DDO
from ocean.signing import sign
from tests.support.service import FREE

Query = dict[str, Any]


@dataclass
class OperatorPeer:
    """`async with OperatorPeer.open(url, key) as peer`."""

    key: LocalAccount
    http: httpx.AsyncClient

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, key: LocalAccount) -> AsyncIterator[Self]:
        async with httpx.AsyncClient(base_url=f"{url}/api/v1/operator/", timeout=240, trust_env=False) as http:
            yield cls(key, http)

    def start_body(self, workflow: Mapping[str, Any], owner: str, agreement: str, **changes: Any) -> Query:
        """The nonce is a JSON number of 19 digits."""
        nonce = changes.pop("nonce", time.time_ns())
        body: Query = {
            "workflow": workflow,
            "providerSignature": sign(f"{owner}{nonce}", self.key),
            "agreementId": agreement,
            "owner": owner,
            "providerAddress": self.key.address,
            "environment": FREE,
            "validUntil": int(time.time()) + 600,
            "nonce": nonce,
            "chainId": 8996,
        }
        return {name: value for name, value in (body | changes).items() if value is not None}

    async def start(self, body: Mapping[str, Any]) -> httpx.Response:
        return await self.http.post("compute", content=json.dumps(body), headers={"content-type": "application/json"})

    def query(self, owner: str, job_id: str = "", **changes: Any) -> Query:
        nonce = changes.pop("nonce", time.time_ns())
        found: Query = {
            "providerAddress": self.key.address,
            "owner": owner,
            "providerSignature": sign(f"{owner}{job_id}{nonce}", self.key),
            "nonce": nonce,
        }
        return found | ({"jobId": job_id} if job_id else {}) | changes

    async def call(
        self, method: str, query: Mapping[str, Any], path: str = "compute", **headers: str
    ) -> httpx.Response:
        """As Ocean Provider does: everything in the query, a JSON type, no body."""
        sent = {"content-type": "application/json", **headers}
        return await self.http.request(method, path, params=dict(query), headers=sent)

    async def result(self, owner: str, job_id: str, index: Any, **headers: str) -> httpx.Response:
        query = self.query(owner, job_id, index=str(index), consumerSignature="0x00")
        return await self.call("GET", query, "getResult", **headers)


def workflow(
    inputs: Sequence[tuple[DDO, str]], algorithm: Mapping[str, Any], userdata: Any = None, **stage: Any
) -> dict[str, Any]:
    """A document as an Ocean Provider makes it, of (asset, order) pairs."""
    listed = []
    for index, (asset, order) in enumerate(inputs):
        remote = {"txId": order, "serviceId": asset.services[0].id}
        remote |= {} if userdata is None else {"userdata": userdata}
        listed.append({"index": index, "id": asset.id, "remote": remote})
    made = {
        "index": 0,
        "input": listed,
        "compute": {"Instances": 1, "namespace": "ocean-compute", "maxtime": 3600},
        "algorithm": dict(algorithm),
        "output": {"metadataUri": "http://metadata.example"},
    }
    return {"stages": [made | stage]}


def published(asset: DDO, order: str, container: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An algorithm with a DID, in Ocean Provider's spelling."""
    return {
        "id": asset.id,
        "rawcode": "",
        "algouserdata": None,
        "algocustomdata": None,
        "container": dict(container),
        "remote": {
            "serviceEndpoint": "http://nowhere.example",
            "txId": order,
            "serviceId": asset.services[0].id,
            "userData": None,
        },
        **more,
    }
