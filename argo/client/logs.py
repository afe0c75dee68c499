"""Following the log of a pod that is running, line by line.

Argo streams JSON records, one per line, and nothing at all while the program is silent; after a while of silence the
caller is asked whether there is still something to wait for. The container is always named: a request without one can
bring a whole Argo Server down. Logs of pods that are gone are an empty success: only the published log lasts.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from argo.client.streaming import Streams, result_of

# Argo's wrapper writes into the same stream: structured lines, and a last word when the program failed.
_ARGO_LINE: Final = re.compile(r"^time=\S+ level=\w+ msg=.* argo=true( |$)")
_ARGO_EXIT: Final = re.compile(r'^time=\S+ level=\w+ msg="sub-process exited" argo=true')
_LAST_WORD: Final = re.compile(r"^Error: exit status [0-9]+$")

SILENCE_SECONDS: Final = 30.0


class LogStream:
    """All followed logs of one Argo Server."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

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
        path = f"api/v1/workflows/{self._streams.namespace}/{workflow}/log"
        query = {"podName": pod, "logOptions.container": "main", "logOptions.follow": "true" if follow else "false"}
        strip = Stripper()
        async with (
            self._streams.open(path, query, name=workflow) as given,
            aclosing(_patiently(given, silence_seconds, still_runs)) as records,
        ):
            async for raw in records:
                line = _content(workflow, raw)
                if line is not None and strip.keep(line):
                    yield line


class Stripper:
    """Tells the program's lines from Argo's. "Error: exit status N" is Argo's only after Argo saw the program end."""

    def __init__(self) -> None:
        self._ended = False

    def keep(self, line: str) -> bool:
        if _ARGO_LINE.match(line):
            self._ended = self._ended or bool(_ARGO_EXIT.match(line))
            return False
        return not (self._ended and _LAST_WORD.match(line))


def _content(workflow: str, raw: bytes) -> str | None:
    """One record's line; None for what is no record. An empty line of the program is a record without content."""
    return str(result_of(raw, workflow).get("content", "")) if raw.strip() else None


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
