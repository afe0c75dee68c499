"""Requests to the RPC API of one Kubo node: time limits, what its answers mean, another try while a fault may pass.

Kubo's habits, measured on 0.43: it answers 500 to everything that it cannot do, so any 500 may pass; `files/rm` answers
200 even then, and says why; a file that it cannot read to its end is a 200 that is too short.
"""

from __future__ import annotations

import asyncio
import functools
import random
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    import httpx  # Imported where it is used: it costs 50 ms, and most stores are none of these.

T = TypeVar("T")

_SILENT_SECONDS, _CONNECT_SECONDS = 120, 10  # without a byte; until there is a connection
# A form with one file. What is sealed has the line of the boundary in it by chance once in 2^400 times.
_BOUNDARY: Final = "c2d-" + "-" * 46
_FORM_TYPE: Final = f"multipart/form-data; boundary={_BOUNDARY}"
_FORM_HEAD: Final = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n\r\n'.encode()
_FORM_TAIL: Final = f"\r\n--{_BOUNDARY}--\r\n".encode()
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0  # seconds between two tries


class KuboFailed(OSError):
    """The node did not do it. `transient`: it may do so later."""

    def __init__(self, cause: str, *, transient: bool) -> None:
        super().__init__(cause)
        self.cause, self.transient = cause, transient


class Patience:
    """How long the next try is put off; an end where for so many seconds nothing went on."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.went_on()

    def went_on(self) -> None:
        self._since, self._pause = time.monotonic(), _FIRST_PAUSE

    def pause(self, failure: KuboFailed) -> float:
        """Seconds to wait. Raises the failure if it lasts, or has lasted."""
        left = self._since + self._seconds - time.monotonic()
        if not failure.transient or left <= 0:
            raise failure
        pause, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)
        return min(left, pause * random.uniform(0.5, 1.0))  # noqa: S311  clients take turns


@dataclass(frozen=True, slots=True)
class Node:
    """`url` without a path. All calls raise KuboFailed and, where a file is missing, FileNotFoundError."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    retry_seconds: float = 45.0

    def client(self) -> httpx.Client:
        """For `write`, from any thread."""
        import httpx

        return httpx.Client(**self._options())

    def async_client(self) -> httpx.AsyncClient:
        """For everything else."""
        import httpx

        return httpx.AsyncClient(**self._options())

    def _options(self) -> dict[str, Any]:
        import httpx

        timeout = httpx.Timeout(_SILENT_SECONDS, connect=_CONNECT_SECONDS)
        return {"headers": dict(self.headers), "timeout": timeout, "trust_env": False, "verify": _authorities()}

    def write(self, client: httpx.Client, path: str, offset: int, content: Sequence[bytes]) -> None:
        """Put bytes into a file at a place, which may be its end; at 0 the file is made, or emptied. Blocks.

        The same bytes at the same place may be written again, so a write that broke off is no harm. What a node has
        answered it may forget when it crashes, unless it was flushed: a file that is as long as it should be after a
        flush has all that was written before.
        """
        patience = Patience(self.retry_seconds)
        while True:
            try:
                return self._write_once(client, path, offset, content)
            except KuboFailed as failure:
                time.sleep(patience.pause(failure))

    def _write_once(self, client: httpx.Client, path: str, offset: int, content: Sequence[bytes]) -> None:
        params = {"arg": path, "offset": str(offset), "create": "true", "parents": "true"}
        params |= {"truncate": "true" if offset == 0 else "false", "cid-version": "1", "raw-leaves": "true"}
        body = (_FORM_HEAD, *content, _FORM_TAIL)
        headers = {"Content-Type": _FORM_TYPE, "Content-Length": str(sum(map(len, body)))}
        calls = f"{self.url}/api/v0/files"
        with _faults():
            written = client.post(f"{calls}/write", params=params, headers=headers, content=iter(body))
            require_success(written.status_code, written.content, path)
            try:
                for command in ("flush", "stat"):
                    answer = client.post(f"{calls}/{command}", params={"arg": path})
                    require_success(answer.status_code, answer.content, path)
            except FileNotFoundError:
                raise KuboFailed("forgotten", transient=True) from None
        if _size_of(answer) != offset + sum(map(len, content)):
            raise KuboFailed("forgotten", transient=True)

    async def size(self, client: httpx.AsyncClient, path: str) -> int:
        """Of a file, in bytes."""

        async def ask() -> int:
            with _faults():
                answer = await client.post(f"{self.url}/api/v0/files/stat", params={"arg": path})
            require_success(answer.status_code, answer.content, path)
            return _size_of(answer)

        return await self._patiently(ask)

    async def read(self, client: httpx.AsyncClient, path: str, offset: int, count: int) -> bytes:
        """A short part of a file, all of it."""

        async def ask() -> bytes:
            content = b"".join([piece async for piece in self.stream(client, path, offset, count)])
            if len(content) != count:
                raise KuboFailed("the answer broke off", transient=True)
            return content

        return await self._patiently(ask)

    async def stream(self, client: httpx.AsyncClient, path: str, offset: int, count: int) -> AsyncGenerator[bytes]:
        """A part of a file, in pieces; asked for once. Fewer bytes than `count` are no error here."""
        params = {"arg": path, "offset": str(offset), "count": str(count)}
        with _faults():
            async with client.stream("POST", f"{self.url}/api/v0/files/read", params=params) as answer:
                if answer.status_code != 200:
                    require_success(answer.status_code, await answer.aread(), path)
                async for piece in answer.aiter_raw():
                    yield piece

    async def remove(self, client: httpx.AsyncClient, path: str) -> None:
        """A folder with all that is in it. Nothing there is fine."""
        params = {"arg": path, "recursive": "true", "force": "true"}

        async def ask() -> None:
            with _faults():
                answer = await client.post(f"{self.url}/api/v0/files/rm", params=params)
            require_success(answer.status_code, answer.content, path)
            if answer.content.strip():
                raise KuboFailed("not removed", transient=True)

        await self._patiently(ask)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        patience = Patience(self.retry_seconds)
        while True:
            try:
                return await ask()
            except KuboFailed as failure:
                await asyncio.sleep(patience.pause(failure))


def require_success(status: int, content: bytes, path: str) -> None:
    """Raises KuboFailed, FileNotFoundError. Neither has the node's text, which names paths."""
    if status == 200:
        return
    if status == 500 and b"file does not exist" in content:
        raise FileNotFoundError(path)
    raise KuboFailed(f"HTTP {status}", transient=status >= 500 or status in (408, 429))


def _size_of(answer: httpx.Response) -> int:
    """What `files/stat` says of a file."""
    try:
        return int(answer.json()["Size"])
    except (ValueError, TypeError, KeyError):
        raise KuboFailed("an answer of another form", transient=False) from None


@contextmanager
def _faults() -> Iterator[None]:
    """Connections that fail, break off, or fall silent."""
    import httpx

    try:
        yield
    except httpx.HTTPError as exc:
        raise KuboFailed(type(exc).__name__, transient=True) from None


@functools.cache
def _authorities() -> ssl.SSLContext:
    """Read once: that takes longer than a small file."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)
