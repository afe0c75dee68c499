"""A namespace in a real cluster for the recorded scenarios: their templates, accounts and semaphore.

The recordings say `jobs` where a namespace is named. On the wire its name is put in and taken out again.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import yaml

from contract.argo_releases import ArgoRelease
from tests.support.argo_server import RECORDINGS, queued_template
from tests.support.deployed import kubectl
from tests.support.kustomize import build
from workflow_templates.render import GITOPS

NAMESPACE = "c2d-recorded-scenarios"
_RECORDED = "jobs"
_CALLER = "provider-api"  # as the service's account is named, which has the rights


@contextlib.contextmanager
def recorded_namespace(argo: ArgoRelease) -> Iterator[str]:
    """The token of an account that may do there what the service may in its own."""
    kubectl(NAMESPACE, "create", "namespace", NAMESPACE)
    try:
        kubectl(NAMESPACE, "apply", "--server-side", "--filename", "-", text=yaml.safe_dump_all(_objects(argo)))
        yield kubectl(NAMESPACE, "create", "token", _CALLER, "--duration", "4h").strip()
    finally:
        kubectl(NAMESPACE, "delete", "namespace", NAMESPACE, "--wait=true")


def _objects(argo: ArgoRelease) -> list[dict[str, Any]]:
    wanted = ("ServiceAccount", "Secret", "Role", "RoleBinding")
    found = [each for each in build(GITOPS / "cluster") if each["kind"] in wanted]
    found.append({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _CALLER}})
    for each in found:
        for subject in each.get("subjects", []):
            subject["namespace"] = NAMESPACE
    found += [yaml.safe_load(path.read_text()) for path in sorted((RECORDINGS / "templates").glob("*.yaml"))]
    found.append(queued_template())
    for each in found:
        each["metadata"]["namespace"] = NAMESPACE
        for claim in each.get("spec", {}).get("volumeClaimTemplates", []):
            claim["spec"].pop("storageClassName", None)  # the cluster's default
        for template in each.get("spec", {}).get("templates", []):
            if not argo.pending_timeout:
                template.pop("pendingTimeout", None)
    return found


class AsRecorded(httpx.AsyncHTTPTransport):
    """Sends to the namespace of the scenarios, and answers as if it were the recorded one."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        _redirect(request)
        answer = await super().handle_async_request(request)
        return httpx.Response(answer.status_code, headers=_headers(answer), stream=_Lines(answer))


class AsRecordedSync(httpx.HTTPTransport):
    """The same for a client that waits; it does not stream."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        _redirect(request)
        answer = super().handle_request(request)
        return httpx.Response(answer.status_code, headers=_headers(answer), content=_as_recorded(answer.read()))


class _Lines(httpx.AsyncByteStream):
    """An answer line by line, because the name may lie across two pieces."""

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        rest = b""
        assert isinstance(self._answer.stream, httpx.AsyncByteStream)
        async for piece in self._answer.stream:
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield _as_recorded(line + b"\n")
        if rest:
            yield _as_recorded(rest)

    async def aclose(self) -> None:
        await self._answer.aclose()


def _redirect(request: httpx.Request) -> None:
    """Paths name it as a whole segment: /api/v1/workflows/jobs/…"""
    place, mark, query = request.url.raw_path.partition(b"?")
    parts = [NAMESPACE.encode() if part == _RECORDED.encode() else part for part in place.split(b"/")]
    request.url = request.url.copy_with(raw_path=b"/".join(parts) + mark + query)


def _headers(answer: httpx.Response) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in answer.headers.raw if name.lower() != b"content-length"]


def _as_recorded(content: bytes) -> bytes:
    return content.replace(NAMESPACE.encode(), _RECORDED.encode())
