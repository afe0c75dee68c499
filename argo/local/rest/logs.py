"""The log of a workflow's pods, as records: one line each, as it is written, without the lines Argo's wrapper adds."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from argo.local.errors import ApiError, invalid
from argo.local.rest.answers import JSON, Server, refusal, server_of
from argo.local.rest.query import Query
from argo.local.workflows.cleanup import pods_of

_OPTIONS: Final = ("container", "follow", "tailLines", "previous")
_LINE_BYTES: Final = 1 << 20  # a longer line is cut into pieces
_LOOK_SECONDS: Final = 0.1  # between two looks at a file that is followed
_CHUNK: Final = 1 << 16


async def log(request: Request) -> Response:
    try:
        query = Query(request, ("podName", "grep", *(f"logOptions.{name}" for name in _OPTIONS)))
        server = server_of(request)
        workflow = request.path_params["name"]
        server.controller.current(workflow)  # 404
        if query.flag("logOptions.previous"):
            raise invalid("logOptions.previous is not supported by this server")
        pod = request.path_params.get("pod") or query.text("podName")
        tail = query.number("logOptions.tailLines") if query.text("logOptions.tailLines") else None
        pattern = re.compile(query.text("grep"))
    except ApiError as exc:
        return refusal(exc, stream=True)
    except re.error as exc:
        return refusal(invalid(f"error parsing regexp: {exc}"), stream=True)
    if query.text("logOptions.container") not in ("", "main"):
        return StreamingResponse(iter(()), media_type=JSON)
    lines = _Lines(server, workflow, pod, follow=query.flag("logOptions.follow"), tail=tail)
    sse = request.headers.get("accept") == "text/event-stream"

    async def records() -> AsyncIterator[bytes]:
        async for name, line in lines:
            if pattern.search(line):
                content = {"content": line} if line else {}
                record = json.dumps({"result": {**content, "podName": name}})
                yield f"data: {record}\n\n".encode() if sse else f"{record}\n".encode()

    return StreamingResponse(records(), media_type="text/event-stream" if sse else JSON)


class _Lines:
    """(pod, line) of one pod, or of all pods of a workflow one after the other."""

    def __init__(self, server: Server, workflow: str, pod: str, *, follow: bool, tail: int | None) -> None:
        self._server, self._workflow, self._pod, self._follow, self._tail = server, workflow, pod, follow, tail

    async def __aiter__(self) -> AsyncIterator[tuple[str, str]]:
        done: set[str] = set()
        while True:
            finished = self._finished()
            pods = [pod for pod in self._pods() if pod not in done and self._pod in ("", pod)]
            for pod in pods:
                async for line in self._of(pod):
                    yield pod, line
                done.add(pod)
            if not self._follow or finished or (self._pod and self._pod in done):
                return
            if not pods:
                await asyncio.sleep(_LOOK_SECONDS)

    def _finished(self) -> bool:
        try:
            return self._server.controller.current(self._workflow).finished is not None
        except ApiError:
            return True  # deleted meanwhile

    def _pods(self) -> list[str]:
        try:
            return pods_of(self._server.controller.current(self._workflow))
        except ApiError:
            return []

    async def _of(self, pod: str) -> AsyncIterator[str]:
        path = self._server.controller.pods.log_path(pod)
        position, rest = 0, b""
        if self._tail is not None:
            position = await asyncio.to_thread(_tail_start, path, self._tail)
        while True:
            ended = not self._follow or self._over(pod)
            data = await asyncio.to_thread(_read, path, position)
            position += len(data)
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > _LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                for start in range(0, max(1, len(line)), _LINE_BYTES):
                    yield line[start : start + _LINE_BYTES].decode(errors="replace").removesuffix("\r")
            if ended and len(data) < _CHUNK:
                if rest:
                    yield rest.decode(errors="replace")
                return
            if not data:
                await asyncio.sleep(_LOOK_SECONDS)

    def _over(self, pod: str) -> bool:
        """No more lines will come: the pod has ended, or its workflow has."""
        pods = self._server.controller.pods
        return pods.ended(pod) or (self._finished() and not pods.running(pod))


def _read(path: Path, position: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(position)
            return file.read(_CHUNK)
    except FileNotFoundError:
        return b""


def _tail_start(path: Path, lines: int) -> int:
    """Where the last lines begin."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return 0
    position = len(data) - data.endswith(b"\n")  # the newline at the end begins no line of its own
    for _ in range(lines):
        position = data.rfind(b"\n", 0, max(0, position))
        if position < 0:
            return 0
    return position + 1 if lines else len(data)
