"""Answers of Argo Server that do not end by themselves, line by line: followed logs, and watches.

Argo writes one JSON record for each line. An error that comes after the head of an answer is such a record too.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

import httpx

from argo.client.answers import Refusal, query_error
from argo.client.connection import CONNECT_SECONDS, Connection
from argo.client.errors import ArgoUnavailable

_LONGEST_RECORD: Final = 32 << 20


class Streams:
    """One HTTP client for all of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.namespace = connection.namespace
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=4)
        self._http = httpx.AsyncClient(
            base_url=connection.base,
            verify=connection.ssl_context(),
            trust_env=False,
            limits=limits,
            timeout=self._timeout(None),
        )

    def _timeout(self, silence_seconds: float | None) -> httpx.Timeout:
        return httpx.Timeout(self._connection.timeout_seconds, connect=CONNECT_SECONDS, read=silence_seconds)

    @asynccontextmanager
    async def open(
        self,
        path: str,
        query: Mapping[str, str],
        *,
        name: str = "",
        accept: str = "*/*",
        silence_seconds: float | None = None,
    ) -> AsyncIterator[AsyncGenerator[bytes, None]]:
        """The lines of the answer; its head is there when the block begins.

        `name`: of the workflow that it is about. `silence_seconds`: without a byte for so long it is given up.
        Raises, also inside of the block, WorkflowNotFound, ArgoUnavailable, ArgoRefused.
        """
        authorization = self._connection.authorization()
        headers = {"Accept": accept} | ({"Authorization": authorization} if authorization is not None else {})
        timeout = self._timeout(silence_seconds)
        try:
            async with self._http.stream("GET", path, params=query, headers=headers, timeout=timeout) as response:
                if response.status_code != httpx.codes.OK:
                    body = await response.aread()
                    raise query_error(name, Refusal.read(response.status_code, body))
                async with aclosing(lines_of(response.aiter_bytes())) as lines:
                    yield lines
        except httpx.HTTPError as exc:
            raise ArgoUnavailable(type(exc).__name__, definite=True) from exc

    async def close(self) -> None:
        await self._http.aclose()


async def lines_of(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Records end at newline bytes and nowhere else: a program may print every other character that ends a line."""
    rest = bytearray()
    async for chunk in chunks:
        *whole, last = chunk.split(b"\n")
        for piece in whole:
            yield bytes(rest) + piece
            rest.clear()
        rest += last
        if len(rest) > _LONGEST_RECORD:
            raise ArgoUnavailable("its stream has a record without an end", definite=True)
    if rest:
        yield bytes(rest)


def result_of(raw: bytes, name: str = "") -> Mapping[str, Any]:
    """What one record tells, {} where it tells nothing. `name`: of the workflow that the stream is about.

    Raises ArgoUnavailable for what is no record, and for an error the same as the answer with its status.
    """
    try:
        record = json.loads(raw.decode(errors="replace"))
    except (ValueError, RecursionError) as exc:
        raise ArgoUnavailable("its stream cannot be read", definite=True) from exc
    if not isinstance(record, dict):
        raise ArgoUnavailable("its stream cannot be read", definite=True)
    if "error" in record:
        error = record["error"]
        code = error.get("http_code") if isinstance(error, dict) else None
        raise query_error(name, Refusal.read(code if isinstance(code, int) and code else 500, raw))
    result = record.get("result")
    return result if isinstance(result, dict) else {}
