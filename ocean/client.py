"""A consumer of a Provider: its HTTP calls as real clients make them, for the demo, the tests and whoever likes.

Method and path of each call come from the provider's root document. A signed call takes the nonce after the one that
the provider knows; with a token of the provider, it goes without a signature. What `initializeCompute` asks for is
bought by `ocean.purchase`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode

import httpx

from ocean.keys import Key, address_of
from ocean.kit.bounded_json import read_bounded
from ocean.signing import job_message, live_message, result_message, sign, start_message, token_message

MOST_BYTES: Final = 16 << 20  # of an answer that is no file
MOST_SECONDS: Final = 120.0  # that it may take
_OF_THE_TRANSFER: Final = ("content-encoding", "content-length", "transfer-encoding")


class ConsumerError(RuntimeError):
    """The provider answered with an error. `body` is its JSON, or its text."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"the provider answered {status}: {json.dumps(body)[:500]}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


class NotSigned(RuntimeError):
    """A call that must be signed, and there is neither a key nor a token."""


class AnswerUnusable(RuntimeError):
    """The provider answered what cannot be read: too much, too slowly, or no JSON."""


class Consumer:
    """`async with Consumer(url, key) as consumer:`. Every call also raises httpx.TransportError when nobody answers,
    and AnswerUnusable.

    key: of the account. Without one, `address` names it and `token` stands for its signatures, as far as there are any:
    calls that must be signed raise NotSigned.
    """

    def __init__(
        self,
        base_url: str,
        key: Key | None,
        *,
        address: str = "",
        token: str | None = None,
        timeout_seconds: float = 60.0,
    ) -> None:
        self.address = address if key is None else address_of(key)
        self._key, self.token = key, token
        self.url = base_url.rstrip("/")
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

    def sign_with(self, key: Key) -> None:
        """From now on, calls are signed with this key, and its account makes them."""
        self._key, self.address = key, address_of(key)

    # --- unsigned ----------------------------------------------------------------------------------------------------

    async def root(self) -> dict[str, Any]:
        """The root document, asked for once."""
        if self._root is None:
            document: dict[str, Any] = json_of(checked(await bounded(self._http, "GET", self.url + "/")))
            self._root = document
        return self._root

    async def nonce(self) -> int:
        """The last nonce that the provider knows of this account, without what stands behind the point; 0 if none."""
        answer = await self.call("nonce", query={"userAddress": self.address})
        try:
            return int(Decimal(str(answer["nonce"] or 0)))
        except (LookupError, TypeError, ArithmeticError, ValueError):
            raise AnswerUnusable("it says no nonce") from None

    async def encrypt(self, plain: bytes, chain_id: int) -> bytes:
        """ECIES with the provider's key of that chain; an `Encryption` for publishing, with `chain_id` bound."""
        headers = {"content-type": "application/octet-stream"}
        response = await self.send("encrypt", query={"chainId": chain_id}, content=plain, headers=headers)
        try:
            return bytes.fromhex(response.text.removeprefix("0x"))
        except ValueError:
            raise AnswerUnusable("what it encrypts is not hexadecimal") from None

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
        body: dict[str, Any] = {
            "consumerAddress": self.address,
            "environment": environment,
            "dataset": dict(datasets[0]),
            "algorithm": dict(algorithm),
            "nonce": str(number),
            **self._signature(start_message(self.address, datasets[0]["documentId"], number)),
        }
        if output is not None:
            body["output"] = dict(output)
        if len(datasets) > 1:
            body["additionalDatasets"] = [dict(dataset) for dataset in datasets[1:]]
        return body

    async def start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request of `start_request`; the job."""
        job: dict[str, Any] = (await self.started(request))[0]
        return job

    async def started(self, request: Mapping[str, Any]) -> Any:
        """The whole answer to it."""
        return json_of(await self.send("computeStart", json=dict(request), headers=self._headers()))

    async def stop(self, job_id: str, document_id: str = "") -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = await self._job_call("computeStop", job_id, document_id)
        return jobs

    async def delete(self, job_id: str, document_id: str = "") -> Any:
        return await self._job_call("computeDelete", job_id, document_id)

    async def result(self, job_id: str, index: int, path: Path) -> int:
        """Stream one result into a file; the number of bytes. Raises ConsumerError."""
        written = 0
        async with self.result_stream(job_id, index) as response:
            with await asyncio.to_thread(path.open, "wb") as file:
                async for chunk in response.aiter_bytes(1 << 20):
                    written += await asyncio.to_thread(file.write, chunk)
        return written

    @asynccontextmanager
    async def result_stream(
        self, job_id: str, index: int, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[httpx.Response]:
        """The answer of one result, whose body is not read yet. `headers`: of a range. Raises ConsumerError."""
        url = await self.result_url(job_id, index)
        async with self._http.stream("GET", url, headers={**self._headers(), **(headers or {})}) as response:
            yield checked(response if response.is_success else await read_whole(response))

    @asynccontextmanager
    async def live_stream(self, job_id: str, last_id: str, silence_seconds: float) -> AsyncIterator[httpx.Response]:
        """The stream of a job's events, which this project's service has; its body is not read yet. `last_id`: of the
        last event that was got. Raises ConsumerError, and httpx.ReadTimeout after so many seconds without a byte."""
        query: dict[str, str] = {}
        if self._key is not None:
            number = await self.next_nonce()
            signature = self._signed(live_message(self.address, job_id, number))
            query = {"consumerAddress": self.address, "nonce": str(number), "signature": signature}
        headers = {**self._headers(), "accept": "text/event-stream"} | ({"last-event-id": last_id} if last_id else {})
        timeout = httpx.Timeout(self._http.timeout.connect, read=silence_seconds)
        url = f"{self.url}/api/v1/jobs/{job_id}/events"
        async with self._http.stream("GET", url, params=query, headers=headers, timeout=timeout) as response:
            yield checked(response if response.is_success else await read_whole(response))

    async def result_url(self, job_id: str, index: int) -> str:
        """A signed address of one result, good for one GET by any program; with a token, for one that sends it."""
        number = await self.next_nonce()
        query = {
            "consumerAddress": self.address,
            "jobId": job_id,
            "index": str(index),
            "nonce": str(number),
            **self._signature(result_message(self.address, job_id, index, number)),
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
        return json_of(await self.send(name, query=query, json=body))

    async def send(self, name: str, *, query: Mapping[str, Any] | None = None, **options: Any) -> httpx.Response:
        """As `call`, with httpx's options; the response. Raises ConsumerError."""
        method, url = await self._endpoint(name)
        return checked(await bounded(self._http, method, url, params=dict(query or {}), **options))

    async def _job_call(self, name: str, job_id: str, document_id: str) -> Any:
        number = await self.next_nonce()
        query = {
            "consumerAddress": self.address,
            "jobId": job_id,
            "documentId": document_id,
            "nonce": str(number),
            **self._signature(job_message(self.address, job_id, document_id, number)),
        }
        return json_of(await self.send(name, query=query, headers=self._headers()))

    async def create_token(self, expires: int) -> str:
        """A token of this provider for the account, good until `expires` (Unix seconds). Raises ConsumerError."""
        answer = await self._token_call("create_auth_token", expiration=str(expires))
        if not (isinstance(answer, dict) and isinstance(answer.get("token"), str)):
            raise AnswerUnusable("it makes no token")
        return str(answer["token"])

    async def delete_token(self, token: str) -> None:
        """Take a token out of use. Raises ConsumerError."""
        await self._token_call("delete_auth_token", token=token)

    async def _token_call(self, name: str, **more: str) -> Any:
        number = await self.next_nonce()
        signature = self._signed(token_message(self.address, number))
        query = {"address": self.address, **more, "nonce": str(number), "signature": signature}
        return await self.call(name, query=query)

    def _signature(self, message: str) -> dict[str, str]:
        """As a parameter; none where a token stands for it."""
        return {} if self._key is None and self.token is not None else {"signature": self._signed(message)}

    def _signed(self, message: str) -> str:
        if self._key is None:
            raise NotSigned("this call must be signed, and there is no key")
        return sign(message, self._key)

    def _headers(self) -> dict[str, str]:
        return {"AuthToken": self.token} if self._key is None and self.token is not None else {}

    async def _endpoint(self, name: str) -> tuple[str, str]:
        try:
            method, path = (await self.root())["serviceEndpoints"][name]
            return str(method), f"{self.url}/{path.lstrip('/')}"
        except (LookupError, TypeError, ValueError, AttributeError):
            raise AnswerUnusable(f"its root document names no call {name}") from None


async def bounded(http: httpx.AsyncClient, method: str, url: str, **options: Any) -> httpx.Response:
    """The answer to one request, read to its end, which comes soon. Raises AnswerUnusable, httpx.TransportError."""
    async with http.stream(method, url, **options) as response:
        return await read_whole(response)


async def read_whole(response: httpx.Response) -> httpx.Response:
    """The same answer with its body. Raises AnswerUnusable, httpx.TransportError."""
    body = bytearray()
    try:
        async with asyncio.timeout(MOST_SECONDS):
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MOST_BYTES:
                    raise AnswerUnusable(f"it answers with more than {MOST_BYTES} bytes")
    except TimeoutError:
        raise AnswerUnusable(f"it takes more than {MOST_SECONDS:.0f} seconds for one answer") from None
    except httpx.DecodingError as exc:
        raise AnswerUnusable(f"its answer cannot be decoded: {exc}") from None
    headers = [(name, value) for name, value in response.headers.multi_items() if name not in _OF_THE_TRANSFER]
    return httpx.Response(response.status_code, headers=headers, content=bytes(body), request=response.request)


def json_of(response: httpx.Response) -> Any:
    """Raises AnswerUnusable."""
    try:
        return read_bounded(response.content)
    except ValueError:
        raise AnswerUnusable(f"{response.request.url.path} answers no JSON") from None


def checked(response: httpx.Response) -> httpx.Response:
    """The same one. Raises ConsumerError for an error."""
    if not response.is_success:
        try:
            body = read_bounded(response.content)
        except ValueError:
            body = response.text
        raise ConsumerError(response.status_code, body, response.headers)
    return response
