"""Opens files of every type: one upstream request each, through the guard."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from ocean.chain.views import ViewFailed, json_text
from ocean.file_requests import Fetch, GatewayMissing, Gateways, UserdataInvalid, arguments, to_fetch
from ocean.files import ContractFile, File
from ocean.outgoing import OutgoingClient, OutgoingError
from pods.job_spec import Source, TextSource, UrlSource
from provider_api.chains import Chains
from provider_api.files.checksums import FileChecksums
from provider_api.files.names import download_name, shown_name
from provider_api.settings import OutgoingSettings

log = structlog.get_logger(__name__)

_SINGLE_RANGE = re.compile(r"bytes=(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})", re.ASCII)
_PASSED_ON = ("content-type", "content-length", "content-range", "accept-ranges", "etag", "last-modified")
_MAX_ANSWER_BYTES = 1024 * 1024  # of a contract's function


class FileUnavailable(Exception):
    """The file cannot be had: its source refuses, is away, or is not one that may be contacted. Shows no address."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """An opened file. `headers` are those of the source that a consumer may see, by lower-case name."""

    status: int  # 200, 206, 416
    headers: Mapping[str, str]
    filename: str
    _chunks: AsyncIterator[bytes] = field(repr=False)

    def chunks(self) -> AsyncIterator[bytes]:
        """The content, once. Raises OutgoingError when the source breaks or sends fewer bytes than announced."""
        return self._chunks


class Files:
    """One for the whole service."""

    def __init__(self, client: OutgoingClient, settings: OutgoingSettings, chains: Chains) -> None:
        self._client, self._settings, self._chains = client, settings, chains
        self._gateways = Gateways(settings.ipfs_gateway, settings.arweave_gateway)
        self._checksums = FileChecksums(client, settings)

    def fetch_of(self, file: File, userdata: Any = None) -> Fetch:
        """The file as an HTTP request. Raises FileUnavailable for a missing gateway and for a contract's answer,
        UserdataInvalid."""
        if isinstance(file, ContractFile):
            raise FileUnavailable("the answer of a contract is no HTTP request")
        try:
            return to_fetch(file, self._gateways, userdata)
        except GatewayMissing as exc:
            raise FileUnavailable(str(exc)) from None

    async def inline(self, file: ContractFile, userdata: Any = None) -> bytes:
        """The answer of a contract's function as JSON text.

        Raises FileUnavailable, UserdataInvalid, ChainUnavailable.
        """
        values = arguments(file, userdata)
        chain = self._chains.find(file.chain_id) if file.chain_id is not None else None
        if chain is None:
            raise FileUnavailable("the contract's chain is not served here")
        try:
            content = json_text(await chain.view(file, values))
        except ViewFailed:
            raise FileUnavailable("the contract refuses the call") from None
        if len(content) > _MAX_ANSWER_BYTES:
            raise FileUnavailable("the contract's answer is too large")
        return content

    async def sources(self, files: Sequence[File], userdata: Any = None) -> tuple[Source, ...] | None:
        """The files as a job gets them: gateways filled in, contracts asked now. None if one cannot be had.

        Raises ChainUnavailable.
        """
        try:
            return tuple([await self._source(file, userdata) for file in files])
        except (FileUnavailable, UserdataInvalid) as exc:
            log.info("file_unavailable", reason=str(exc))
            return None

    async def _source(self, file: File, userdata: Any) -> Source:
        if isinstance(file, ContractFile):
            return TextSource(text=(await self.inline(file, userdata)).decode())
        fetch = self.fetch_of(file, userdata)
        return UrlSource(
            url=fetch.file.url, method=fetch.file.method, headers=dict(fetch.file.headers), userdata=fetch.userdata
        )

    async def digests(self, files: Sequence[File], userdata: Any = None) -> tuple[str, ...] | None:
        """SHA-256 (lower-case hex) of each file as a job will fetch it; None if one cannot be had, or is too big.

        Raises ChainUnavailable.
        """
        found = await asyncio.gather(*(self._digest(file, userdata) for file in files))
        known = tuple(digest for digest in found if digest is not None)
        return known if len(known) == len(found) else None

    async def _digest(self, file: File, userdata: Any) -> str | None:
        try:
            if isinstance(file, ContractFile):
                return hashlib.sha256(await self.inline(file, userdata)).hexdigest()
            return await self._checksums.of(self.fetch_of(file, userdata))
        except (FileUnavailable, UserdataInvalid) as exc:
            log.info("algorithm_file_unavailable", reason=str(exc))
            return None

    # --- fileinfo ----------------------------------------------------------------------------------------------------

    async def info(
        self, file: File, index: int, *, checksum: bool = False, userdata: Any = None, published: bool = False
    ) -> dict[str, Any]:
        """One entry of fileinfo's answer; `valid` is false for whatever cannot be had, and `reason` says why then.
        `published`: the file belongs to an asset, so less of its name is shown.

        Raises UserdataInvalid, ChainUnavailable.
        """
        entry: dict[str, Any] = {"index": index, "type": file.type, "valid": False}
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                if isinstance(file, ContractFile):
                    return entry | await self._contract_info(file, checksum, userdata)
                return entry | await self._http_info(file, checksum, userdata, published)
        except (FileUnavailable, OutgoingError, TimeoutError) as exc:
            reason = str(exc) or "its server did not answer in time"
            log.info("file_unavailable", type=file.type, reason=reason)
            return entry | {"reason": reason}

    async def _contract_info(self, file: ContractFile, checksum: bool, userdata: Any) -> dict[str, Any]:
        content = await self.inline(file, userdata)
        found = {"contentLength": len(content), "contentType": "application/json", "valid": True}
        return found | (_checksum(hashlib.sha256(content).hexdigest()) if checksum else {})

    async def _http_info(self, file: File, checksum: bool, userdata: Any, published: bool) -> dict[str, Any]:
        fetch = self.fetch_of(file, userdata)
        async with self._client.stream(fetch.file, userdata=fetch.userdata) as download:
            headers = download.headers
            name = shown_name(file, headers, published=published)
            content_type = headers.get("content-type", "").partition(";")[0].strip()
            size, digest = download.size, None
            limit = self._settings.max_checksum_bytes
            if checksum and (size is None or size <= limit):
                digest, size = await _hashed(download.chunks(), limit, size)
        if size is None and not content_type and not name:
            raise FileUnavailable("the source tells nothing about the file")
        found = {
            "contentLength": "" if size is None else str(size),
            "contentType": content_type,
            "filename": name,
            "valid": True,
        }
        return found | (_checksum(digest) if digest is not None else {})

    # --- download ----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def open(
        self, file: File, *, userdata: Any = None, wanted: Mapping[str, str] | None = None
    ) -> AsyncIterator[OpenFile]:
        """Open a file for streaming. `wanted`: a consumer's headers `range` and `if-range`. One range is passed on to
        the source, which may ignore it; several are not.

        Raises FileUnavailable (its source refuses or is away), UserdataInvalid, ChainUnavailable.
        """
        if isinstance(file, ContractFile):
            content = await self.inline(file, userdata)
            headers = {"content-type": "application/json", "content-length": str(len(content))}
            yield OpenFile(200, headers, download_name(file, headers), _once(content))
            return
        fetch = self.fetch_of(file, userdata)
        asked = dict(wanted or {})
        if not _SINGLE_RANGE.fullmatch(asked.get("range", "").strip()):
            asked = {}
        async with self._client.fetch(fetch.file, userdata=fetch.userdata, wanted=asked) as download:
            headers = {name: value for name in _PASSED_ON if (value := download.headers.get(name)) is not None}
            if download.packed:  # the bytes that are sent are others than the source counts
                headers = {name: headers[name] for name in ("content-type",) if name in headers}
            name = download_name(file, download.headers)
            yield OpenFile(download.status, headers, name, download.chunks())


async def _hashed(chunks: AsyncIterator[bytes], limit: int, size: int | None) -> tuple[str | None, int | None]:
    """(digest, size); (None, size) as soon as the file turns out to be larger than the limit."""
    digest, seen = hashlib.sha256(), 0
    async for chunk in chunks:
        seen += len(chunk)
        if seen > limit:
            return None, size
        digest.update(chunk)
    return digest.hexdigest(), seen


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _checksum(digest: str) -> dict[str, str]:
    return {"checksum": digest, "checksumType": "sha256"}
