"""A consumer of a Provider: its HTTP calls as real clients make them, for the demo, the tests and whoever likes.

Method and path of each call come from the provider's root document. A signed call takes the nonce after the one that
the provider knows. What `initializeCompute` asks for is bought by `ocean.purchase`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import httpx
from eth_account.signers.local import LocalAccount

from ocean.keys import address_of
from ocean.signing import job_message, result_message, sign, start_message


class ConsumerError(RuntimeError):
    """The provider answered with an error. `body` is its JSON, or its text."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"the provider answered {status}: {json.dumps(body)[:500]}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


class Consumer:
    """`async with Consumer(url, key) as consumer:`. Also raises httpx.TransportError when nobody answers."""

    def __init__(self, base_url: str, key: LocalAccount | str, *, timeout_seconds: float = 60.0) -> None:
        self.address = address_of(key)
        self._key = key
        self._url = base_url.rstrip("/")
        self._http = httpx.AsyncClient(timeout=timeout_seconds, trust_env=False)
        self._root: dict[str, Any] | None = None
        self._nonce = 0
        self._signing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    # --- unsigned ----------------------------------------------------------------------------------------------------

    async def root(self) -> dict[str, Any]:
        """The root document, asked for once."""
        if self._root is None:
            document: dict[str, Any] = _checked(await self._http.get(self._url + "/")).json()
            self._root = document
        return self._root

    async def nonce(self) -> int:
        """The last nonce that the provider knows of this account, without what stands behind the point."""
        answer = await self.call("nonce", query={"userAddress": self.address})
        return int(Decimal(str(answer["nonce"])))

    async def encrypt(self, plain: bytes, chain_id: int) -> bytes:
        """ECIES with the provider's key of that chain; an `Encryption` for publishing, with `chain_id` bound."""
        headers = {"content-type": "application/octet-stream"}
        response = await self.send("encrypt", query={"chainId": chain_id}, content=plain, headers=headers)
        return bytes.fromhex(response.text.removeprefix("0x"))

    async def environments(self, chain_id: int) -> list[dict[str, Any]]:
        answer = await self.call("computeEnvironments", query={"chainId": chain_id})
        listed: list[dict[str, Any]] = answer[str(chain_id)]
        return listed

    async def initialize_compute(
        self,
        datasets: Sequence[Mapping[str, Any]],
        algorithm: Mapping[str, Any],
        environment: str,
        valid_until: int,
    ) -> dict[str, Any]:
        """What must be bought: `{"datasets": [...], "algorithm": {...}}` in the order of the request."""
        body = {
            "datasets": [dict(dataset) for dataset in datasets],
            "algorithm": dict(algorithm),
            "compute": {"env": environment, "validUntil": valid_until},
            "consumerAddress": self.address,
        }
        answer: dict[str, Any] = await self.call("initializeCompute", body=body)
        return answer

    async def status(self, job_id: str | None = None) -> list[dict[str, Any]]:
        """Jobs of this account, one when `job_id` names it."""
        query = {"consumerAddress": self.address} | ({"jobId": job_id} if job_id else {})
        jobs: list[dict[str, Any]] = await self.call("computeStatus", query=query)
        return jobs

    # --- signed ------------------------------------------------------------------------------------------------------

    async def start_request(
        self,
        environment: str,
        datasets: Sequence[Mapping[str, Any]],
        algorithm: Mapping[str, Any],
        *,
        nonce: int | None = None,
        output: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The signed body of a start, for `start`; sending it again asks for the same job. `output`: what shall become
        of the outputs, `{"publishOutput": True, "metadata": {"name": …}}` for an asset."""
        number = await self.next_nonce() if nonce is None else nonce
        message = start_message(self.address, datasets[0]["documentId"], number)
        body: dict[str, Any] = {
            "consumerAddress": self.address,
            "environment": environment,
            "dataset": dict(datasets[0]),
            "algorithm": dict(algorithm),
            "nonce": str(number),
            "signature": sign(message, self._key),
        }
        if output is not None:
            body["output"] = dict(output)
        if len(datasets) > 1:
            body["additionalDatasets"] = [dict(dataset) for dataset in datasets[1:]]
        return body

    async def start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request of `start_request`; the job."""
        jobs = await self.call("computeStart", body=dict(request))
        job: dict[str, Any] = jobs[0]
        return job

    async def stop(self, job_id: str, document_id: str = "") -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = await self._job_call("computeStop", job_id, document_id)
        return jobs

    async def delete(self, job_id: str, document_id: str = "") -> Any:
        return await self._job_call("computeDelete", job_id, document_id)

    async def result(self, job_id: str, index: int, path: Path) -> int:
        """Stream one result into a file; the number of bytes. Raises ConsumerError."""
        written = 0
        async with self._http.stream("GET", await self.result_url(job_id, index)) as response:
            if response.is_error:
                await response.aread()
            _checked(response)
            with await asyncio.to_thread(path.open, "wb") as file:
                async for chunk in response.aiter_bytes(1 << 20):
                    written += await asyncio.to_thread(file.write, chunk)
        return written

    async def result_url(self, job_id: str, index: int) -> str:
        """A signed address of one result, good for one GET by any program."""
        number = await self.next_nonce()
        query = {
            "consumerAddress": self.address,
            "jobId": job_id,
            "index": str(index),
            "nonce": str(number),
            "signature": sign(result_message(self.address, job_id, index, number), self._key),
        }
        _, url = await self._endpoint("computeResult")
        return f"{url}?{urlencode(query)}"

    async def next_nonce(self) -> int:
        """Above what the provider knows and above all that this object has handed out."""
        async with self._signing:
            self._nonce = max(await self.nonce(), self._nonce) + 1
            return self._nonce

    # --- any call ----------------------------------------------------------------------------------------------------

    async def call(self, name: str, *, query: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """One call by its name in the root document; the JSON of the answer. Raises ConsumerError."""
        return (await self.send(name, query=query, json=body)).json()

    async def send(self, name: str, *, query: Mapping[str, Any] | None = None, **options: Any) -> httpx.Response:
        """As `call`, with httpx's options; the response. Raises ConsumerError."""
        method, url = await self._endpoint(name)
        return _checked(await self._http.request(method, url, params=dict(query or {}), **options))

    async def _job_call(self, name: str, job_id: str, document_id: str) -> Any:
        number = await self.next_nonce()
        query = {
            "consumerAddress": self.address,
            "jobId": job_id,
            "documentId": document_id,
            "nonce": str(number),
            "signature": sign(job_message(self.address, job_id, document_id, number), self._key),
        }
        return await self.call(name, query=query)

    async def _endpoint(self, name: str) -> tuple[str, str]:
        method, path = (await self.root())["serviceEndpoints"][name]
        return method, f"{self._url}/{path.lstrip('/')}"


def _checked(response: httpx.Response) -> httpx.Response:
    if not response.is_success:
        try:
            body = response.json()
        except ValueError:
            body = response.text
        raise ConsumerError(response.status_code, body, response.headers)
    return response
