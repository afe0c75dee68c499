"""An operator's access control server, asked before every use of an asset if one is configured.

    POST {rbac_url}, JSON:
    {"eventType": "initialize" | "access" | "compute" | "encryptUrl", "component": "provider", "providerAddress",
     "providerAccess": "public" | "private", "credentials": {"type": "address", "value": address or null}, "signature",
     "dids": [{"did", "serviceId"}], and for compute "algos" and "additionalDids" likewise}

`access` is a download; `compute` a start, stop or delete. Lists with nothing in them are left out: a raw algorithm has
no `algos`, a stop or delete names no assets. (Ocean Provider crashes on both, answers 503 for a no, and never asks
before it encrypts.) The signature is the provider's, over the event type and Python's JSON of the credentials, for
compute also of the three lists.

The answer is JSON: `true` allows, anything empty refuses. Whatever else comes back, or nothing, is a neighbour's fault:
nothing is allowed without a yes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal, Self

import httpx
import structlog

from ocean.addresses import checksum
from ocean.signing import sign
from provider_api.access.request import ComputeRequest
from provider_api.http.errors import InvalidRequest, NeighbourAway
from provider_api.keys import ProviderKeys
from provider_api.settings import AccessSettings

log = structlog.get_logger(__name__)

Event = Literal["initialize", "access", "compute", "encryptUrl"]
Use = tuple[str, str]  # (DID, service id)

DENIED = "RBAC Validation failed! The access control server does not allow this."
_MAX_ANSWER_BYTES = 4096


class AccessControl:
    """`async with AccessControl(...) as control`. Without a configured server everything is allowed."""

    def __init__(self, settings: AccessSettings, keys: ProviderKeys, retry_after_seconds: int) -> None:
        self._settings, self._keys, self._retry = settings, keys, retry_after_seconds
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        if self._settings.rbac_url is not None:
            self._client = httpx.AsyncClient(
                follow_redirects=False, trust_env=False, timeout=self._settings.timeout_seconds
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def require(
        self,
        event: Event,
        consumer: str | None,
        dids: Sequence[Use] = (),
        algorithms: Sequence[Use] = (),
        additional: Sequence[Use] = (),
    ) -> None:
        """Ask. `consumer` in any spelling, None where nobody has said who it is.

        Raises InvalidRequest for a no, NeighbourAway when there is no answer that could be understood.
        """
        if self._client is None or self._settings.rbac_url is None:
            return
        payload = self.payload(event, consumer, dids, algorithms, additional)
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                status, body = await _posted(self._client, self._settings.rbac_url, payload)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            raise self._away(type(exc).__name__) from None
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            raise self._away("not_json") from None
        if answer is True and 200 <= status < 300:
            return
        if not answer and status < 500:
            log.info("access_control_refused", access_event=event)
            raise InvalidRequest({"RBAC": [DENIED]})
        raise self._away("not_understood")

    async def require_start(self, content: ComputeRequest) -> None:
        """Ask about a start, with all assets that it names."""
        main, *further = [(asset.document_id, asset.service_id) for asset in content.datasets]
        algorithm = content.algorithm.asset
        published = [] if content.algorithm.is_raw else [(algorithm.document_id, algorithm.service_id)]
        await self.require("compute", content.consumer, [main], published, further)

    def payload(
        self,
        event: Event,
        consumer: str | None,
        dids: Sequence[Use],
        algorithms: Sequence[Use],
        additional: Sequence[Use],
    ) -> dict[str, Any]:
        """What is sent, signed."""
        credentials = {"type": "address", "value": None if consumer is None else checksum(consumer)}
        lists: dict[str, list[dict[str, str]]] = {"dids": _named(dids)}
        if event == "compute":
            lists |= {"algos": _named(algorithms), "additionalDids": _named(additional)}
        lists = {name: listed for name, listed in lists.items() if listed}
        signed = [credentials, *(lists.values() if event == "compute" else ())]
        message = event + "".join(json.dumps(part) for part in signed)
        return {
            "eventType": event,
            "component": "provider",
            "providerAddress": self._keys.address,
            "providerAccess": "private" if self._settings.private_provider else "public",
            "credentials": credentials,
            "signature": sign(message, self._keys.private_key),
            **lists,
        }

    def _away(self, reason: str) -> NeighbourAway:
        log.warning("access_control_away", reason=reason)
        return NeighbourAway("The access control server does not answer at the moment.", self._retry)


def _named(uses: Sequence[Use]) -> list[dict[str, str]]:
    return [{"did": did, "serviceId": service_id} for did, service_id in uses]


async def _posted(client: httpx.AsyncClient, url: str, payload: dict[str, Any]) -> tuple[int, bytes]:
    """Status and body; a body that is longer than an answer can be is none."""
    body = b""
    async with client.stream("POST", url, json=payload) as response:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _MAX_ANSWER_BYTES:
                return response.status_code, b""
    return response.status_code, body
