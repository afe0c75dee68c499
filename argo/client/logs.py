"""Following the log of a pod that is running, line by line.

Argo streams JSON records, one per line, and nothing at all while the program is silent; after a while of silence the
caller is asked whether there is still something to wait for. The container is always named: a request without one can
bring a whole Argo Server down. Logs of pods that are gone are an empty success: only the published log lasts.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

import httpx

from argo.client.answers import Refusal, query_error
from argo.client.connection import CONNECT_SECONDS, Connection
from argo.client.errors import ArgoUnavailable

# Argo's wrapper writes into the same stream: structured lines, and a last word when the program failed.
_ARGO_LINE: Final = re.compile(r"^time=\S+ level=\w+ msg=.* argo=true( |$)")
_ARGO_EXIT: Final = re.compile(r'^time=\S+ level=\w+ msg="sub-process exited" argo=true')
_LAST_WORD: Final = re.compile(r"^Error: exit status [0-9]+$")

SILENCE_SECONDS: Final = 30.0
_LONGEST_RECORD: Final = 32 << 20


class LogStream:
    """One HTTP client for all followed logs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=4)
        self._http = httpx.AsyncClient(
            base_url=connection.base,
            verify=connection.ssl_context(),
            trust_env=False,
            limits=limits,
            timeout=httpx.Timeout(connection.timeout_seconds, connect=CONNECT_SECONDS, read=None),
        )

    async def lines(
        self,
        workflow: str,
        pod: str,
        *,
        follow: bool,
        still_runs: Callable[[], Awaitable[bool]],
        silence_seconds: float = SILENCE_SECONDS,
    ) -> AsyncGenerator[str, None]:
        """What the program wrote, without Argo's own lines; until the pod ends if `follow`.

        `still_runs` is asked after each `silence_seconds` without a line; its errors end the log too.
        Raises WorkflowNotFound, ArgoUnavailable, ArgoRefused.
        """
        path = f"api/v1/workflows/{self._connection.namespace}/{workflow}/log"
        query = {"podName": pod, "logOptions.container": "main", "logOptions.follow": "true" if follow else "false"}
        authorization = self._connection.authorization()
        headers = {"Authorization": authorization} if authorization is not None else {}
        strip = Stripper()
        try:
            async with self._http.stream("GET", path, params=query, headers=headers) as response:
                if response.status_code != httpx.codes.OK:
                    body = await response.aread()
                    raise query_error(workflow, Refusal.read(response.status_code, body))
                async with aclosing(_patiently(_lines(response.aiter_bytes()), silence_seconds, still_runs)) as records:
                    async for raw in records:
                        line = _content(workflow, raw)
                        if line is not None and strip.keep(line):
                            yield line
        except httpx.HTTPError as exc:
            raise ArgoUnavailable(type(exc).__name__, definite=True) from exc

    async def close(self) -> None:
        await self._http.aclose()


class Stripper:
    """Tells the program's lines from Argo's. "Error: exit status N" is Argo's only after Argo saw the program end."""

    def __init__(self) -> None:
        self._ended = False

    def keep(self, line: str) -> bool:
        if _ARGO_LINE.match(line):
            self._ended = self._ended or bool(_ARGO_EXIT.match(line))
            return False
        return not (self._ended and _LAST_WORD.match(line))


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Records end at newline bytes and nowhere else: a program may print every other character that ends a line."""
    rest = bytearray()
    async for chunk in chunks:
        *whole, last = chunk.split(b"\n")
        for piece in whole:
            yield bytes(rest) + piece
            rest.clear()
        rest += last
        if len(rest) > _LONGEST_RECORD:
            raise ArgoUnavailable("its log stream has a record without an end", definite=True)
    if rest:
        yield bytes(rest)


def _content(workflow: str, raw: bytes) -> str | None:
    """One record's line; None for what is no record. An empty line of the program is a record without content."""
    if not raw.strip():
        return None
    try:
        record = json.loads(raw.decode(errors="replace"))
    except (ValueError, RecursionError) as exc:
        raise ArgoUnavailable("its log stream cannot be read", definite=True) from exc
    if not isinstance(record, dict):
        raise ArgoUnavailable("its log stream cannot be read", definite=True)
    if "error" in record:
        error = record["error"]
        code = error.get("http_code") if isinstance(error, dict) else None
        raise query_error(workflow, Refusal.read(code if isinstance(code, int) and code else 500, raw))
    result = record.get("result")
    return str(result.get("content", "")) if isinstance(result, dict) else ""


async def _patiently(
    lines: AsyncIterator[bytes], seconds: float, still_runs: Callable[[], Awaitable[bool]]
) -> AsyncGenerator[bytes, None]:
    """The lines; a read that takes long is not given up (the stream would be lost) while `still_runs` says yes."""
    while True:
        reading = asyncio.ensure_future(_next(lines))
        try:
            while not (await asyncio.wait({reading}, timeout=seconds))[0]:
                if not await still_runs():
                    return
            line = reading.result()
        finally:
            reading.cancel()
            await asyncio.wait({reading})  # it uses the connection that is closed next
        if line is None:
            return
        yield line


async def _next(lines: AsyncIterator[bytes]) -> bytes | None:
    return await anext(lines, None)
