"""Proofs of use: what was delivered to whom is sent to the operator's collector, if there is one, after each download.

    POST {proof_url}, form: orderTxId, providerData, providerSignature, consumerData, consumerSignature, consumerAddress

`providerData` is compact JSON {"documentId","serviceId","fileIndex","downloadedBytes"}, signed by the provider;
`consumerData` is the text that the consumer signed for the download (DID and nonce). With a token there is no signature
of the consumer's: it is "". Ocean Provider always says 0 bytes; we say how many were sent.

A download never waits for this and never fails by it: proofs queue up in memory, one is sent at a time, each is tried
once. What does not get through is logged and gone, also when the queue is full or the service ends.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx
import structlog

from ocean.addresses import checksum
from ocean.kit.compact_json import compact_json
from ocean.signing import sign
from provider_api.keys import ProviderKeys
from provider_api.settings import AccessSettings

log = structlog.get_logger(__name__)

QUEUED = 1000  # proofs that may wait


@dataclass(frozen=True, slots=True, repr=False)
class Delivery:
    """One finished download. `consumer_data` is what the consumer has signed, `consumer_signature` "" with a token."""

    order_tx: str
    document_id: str
    service_id: str
    file_index: int
    sent_bytes: int
    consumer: str
    consumer_data: str
    consumer_signature: str


class Proofs:
    """`async with Proofs(...) as proofs`. Without a configured collector nothing is kept or sent."""

    def __init__(self, settings: AccessSettings, keys: ProviderKeys, *, queued: int = QUEUED) -> None:
        self._url, self._seconds, self._keys = settings.proof_url, settings.timeout_seconds, keys
        self._waiting: asyncio.Queue[Delivery] = asyncio.Queue(queued)
        self._sender: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._url is not None:
            self._sender = asyncio.create_task(self._send_all(self._url))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What waits still has the time of one request to get out."""
        if self._sender is None:
            return
        try:
            async with asyncio.timeout(self._seconds):
                await self._waiting.join()
        except TimeoutError:
            log.warning("proofs_dropped", count=self._waiting.qsize())
        self._sender.cancel()
        await asyncio.gather(self._sender, return_exceptions=True)

    def download_finished(self, delivery: Delivery) -> None:
        """Send a proof some time. Never waits, never raises."""
        if self._sender is None:
            return
        try:
            self._waiting.put_nowait(delivery)
        except asyncio.QueueFull:
            log.warning("proof_dropped", did=delivery.document_id, reason="queue_full")

    async def _send_all(self, url: str) -> None:
        async with httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=self._seconds) as client:
            while True:
                delivery = await self._waiting.get()
                try:
                    await self._send(client, url, delivery)
                except Exception:
                    log.exception("proof_not_sent", did=delivery.document_id)
                finally:
                    self._waiting.task_done()

    async def _send(self, client: httpx.AsyncClient, url: str, delivery: Delivery) -> None:
        try:
            async with asyncio.timeout(self._seconds), client.stream("POST", url, data=self.form(delivery)) as response:
                if not response.is_success:
                    log.warning("proof_not_taken", did=delivery.document_id, status=response.status_code)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            log.warning("proof_not_sent", did=delivery.document_id, reason=type(exc).__name__)

    def form(self, delivery: Delivery) -> dict[str, str]:
        """The fields, signed."""
        provided = {
            "documentId": delivery.document_id,
            "serviceId": delivery.service_id,
            "fileIndex": delivery.file_index,
            "downloadedBytes": delivery.sent_bytes,
        }
        data = compact_json(provided)
        return {
            "orderTxId": delivery.order_tx,
            "providerData": data,
            "providerSignature": sign(data, self._keys.private_key),
            "consumerData": delivery.consumer_data,
            "consumerSignature": delivery.consumer_signature,
            "consumerAddress": checksum(delivery.consumer),
        }
