"""Opens files of every type through the guard.

`publisher` is the owner of the asset that names a file: exceptions of the guard hold for some publishers. Files that
nobody has published have none; of them a stranger learns what a plain GET tells, and nothing of them is read.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from contract.job_spec import Source, TextSource, UrlSource
from ocean.chain.views import ViewFailed, json_text
from ocean.files import File
from ocean.files.requests import Fetch, GatewayMissing, UserdataInvalid, ViewCall
from ocean.kit.together import together
from ocean.outgoing import Download, OutgoingError, OutgoingFailed
from provider_api.chains.chains import Chains
from provider_api.files.checksums import Asked, FileChecksums
from provider_api.files.names import download_name, shown_name
from provider_api.http.errors import SourcesBusy
from provider_api.settings import OutgoingSettings
from provider_api.strangers.asking import OutgoingPools, count_bytes

log = structlog.get_logger(__name__)

_SINGLE_RANGE = re.compile(r"bytes=(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})", re.ASCII)
_PASSED_ON = ("content-type", "accept-ranges", "etag", "last-modified")
_HEAD_BYTES = 16 * 1024  # what a look at a file costs that is not read
_NOT_ASKED = "Files that are asked for by POST are looked at when they are published."
_AT_ONCE = 4  # files of one asset that are hashed side by side
_TEXT_TYPE = "application/json"  # of a contract's answer
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

    def __init__(self, pools: OutgoingPools, settings: OutgoingSettings, chains: Chains) -> None:
        self._pools, self._settings, self._chains = pools, settings, chains
        self._gateways = settings.gateways()
        self._checksums = FileChecksums(pools, settings)

    def await_parameters(self, file: File, userdata: Any) -> bool:
        """Whether the file cannot be had yet, because parameters for it are missing, or do not fit."""
        try:
            file.request(self._gateways, userdata)
        except GatewayMissing:
            return False
        except UserdataInvalid:
            return True
        return False

    async def _looked_up(self, file: File, userdata: Any) -> Fetch | bytes:
        """How the file is fetched; or its content, where a contract has it, which is asked now.

        Raises FileUnavailable, UserdataInvalid, ChainUnavailable.
        """
        try:
            request = file.request(self._gateways, userdata)
        except GatewayMissing as exc:
            raise FileUnavailable(str(exc)) from None
        return await self._called(request) if isinstance(request, ViewCall) else request

    async def _called(self, call: ViewCall) -> bytes:
        """A contract's answer as JSON text. Raises FileUnavailable, UserdataInvalid, ChainUnavailable."""
        chain = self._chains.find(call.chain_id) if call.chain_id is not None else None
        if chain is None:
            raise FileUnavailable("the contract's chain is not served here")
        try:
            content = json_text(await chain.view(call))
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
        found = await self._looked_up(file, userdata)
        if isinstance(found, bytes):
            return TextSource(text=found.decode())
        return UrlSource(url=found.url, method=found.method, headers=dict(found.headers), userdata=found.userdata)

    async def digests(
        self, files: Sequence[File], userdata: Any = None, *, publisher: str | None
    ) -> tuple[str, ...] | None:
        """SHA-256 (lower-case hex) of each file as a job will fetch it; None if one cannot be had, or is too big.
        `publisher`: None for an algorithm that a consumer sends along, which may be small only.

        Raises ChainUnavailable, SourcesBusy, TooMuchAsked.
        """
        found: list[str] = []
        for start in range(0, len(files), _AT_ONCE):
            batch = files[start : start + _AT_ONCE]
            digests = await together(*(self._digest(file, userdata, publisher) for file in batch))
            found += [digest for digest in digests if digest is not None]
            if None in digests:
                return None
        return tuple(found)

    async def _digest(self, file: File, userdata: Any, publisher: str | None) -> str | None:
        limits = self._settings
        most_bytes = limits.max_raw_algorithm_bytes if publisher is None else limits.max_algorithm_bytes
        try:
            found = await self._looked_up(file, userdata)
            if isinstance(found, bytes):
                return hashlib.sha256(found).hexdigest()
            known = await self._checksums.of(Asked(found, most_bytes, publisher))
        except (FileUnavailable, UserdataInvalid) as exc:
            log.info("algorithm_file_unavailable", reason=str(exc))
            return None
        return known and known.digest

    # --- fileinfo ----------------------------------------------------------------------------------------------------

    async def info(
        self, file: File, index: int, *, publisher: str | None, checksum: bool = False, userdata: Any = None
    ) -> dict[str, Any]:
        """One entry of fileinfo's answer; `valid` is false for whatever cannot be had, and `reason` says why then.
        With a publisher the file belongs to an asset: less of its name is shown, and only then is there a checksum.

        Raises UserdataInvalid, ChainUnavailable, SourcesBusy, TooMuchAsked.
        """
        entry: dict[str, Any] = {"index": index, "type": file.type, "valid": False}
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                found = await self._looked_up(file, userdata)
                if isinstance(found, bytes):
                    return entry | _text_info(found, checksum=checksum)
                if publisher is None and found.method != "GET":
                    return entry | {"reason": _NOT_ASKED}
                if publisher is None:
                    found = Fetch(found.url, userdata=found.userdata)
                return entry | await self._http_info(file, found, publisher, checksum=checksum)
        except (FileUnavailable, OutgoingError, TimeoutError) as exc:
            if isinstance(exc, OutgoingFailed) and exc.reason == "busy":
                raise SourcesBusy from None
            reason = str(exc) or "its server did not answer in time"
            log.info("file_unavailable", type=file.type, reason=reason)
            return entry | {"reason": reason}

    async def _http_info(self, file: File, fetch: Fetch, publisher: str | None, *, checksum: bool) -> dict[str, Any]:
        """Raises FileUnavailable, OutgoingError, TooMuchAsked."""
        client = self._pools.asking()
        async with client.stream(fetch, userdata=fetch.userdata, publisher=publisher) as download:
            headers = download.headers
            name = shown_name(file, headers, published=publisher is not None)
            content_type = headers.get("content-type", "").partition(";")[0].strip()
            size, digest = download.size, None
        count_bytes(_HEAD_BYTES)
        limit = self._settings.max_checksum_bytes
        if checksum and publisher is not None and (size is None or size <= limit):
            try:
                digest, size, _ = await self._checksums.found(Asked(fetch, limit, publisher))
            except OutgoingFailed as exc:
                if exc.reason != "too_large":
                    raise
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
        self, file: File, *, publisher: str, userdata: Any = None, wanted: Mapping[str, str] | None = None
    ) -> AsyncIterator[OpenFile]:
        """Open a file for streaming. `wanted`: a consumer's headers `range` and `if-range`. One range is passed on to
        the source, which may ignore it; several are not.

        Raises FileUnavailable, OutgoingError (its source refuses or is away), UserdataInvalid, ChainUnavailable,
        SourcesBusy.
        """
        found = await self._looked_up(file, userdata)
        if isinstance(found, bytes):
            headers = {"content-type": _TEXT_TYPE, "content-length": str(len(found))}
            yield OpenFile(200, headers, download_name(file, headers), _once(found))
            return
        asked = dict(wanted or {})
        if not _SINGLE_RANGE.fullmatch(asked.get("range", "").strip()):
            asked = {}
        async with AsyncExitStack() as stack:
            opening = self._pools.paid.fetch(found, userdata=found.userdata, wanted=asked, publisher=publisher)
            try:
                download = await stack.enter_async_context(opening)
            except OutgoingFailed as exc:
                if exc.reason == "busy":
                    raise SourcesBusy from None
                raise
            yield OpenFile(download.status, _told(download), download_name(file, download.headers), download.chunks())


def _told(download: Download) -> dict[str, str]:
    """The source's headers for the consumer. Length and range are what will really be sent: some sources announce a
    length beside another framing, or a range with the whole file."""
    headers = {name: value for name in _PASSED_ON if (value := download.headers.get(name)) is not None}
    if download.packed:  # the bytes that are sent are others than the source counts
        return {name: headers[name] for name in ("content-type",) if name in headers}
    if download.end is not None:
        headers["content-length"] = str(download.end - download.start)
    if download.status != 200 and (told := download.headers.get("content-range")) is not None:
        headers["content-range"] = told
    return headers


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _text_info(content: bytes, *, checksum: bool) -> dict[str, Any]:
    found = {"contentLength": len(content), "contentType": _TEXT_TYPE, "valid": True}
    return found | (_checksum(hashlib.sha256(content).hexdigest()) if checksum else {})


def _checksum(digest: str) -> dict[str, str]:
    return {"checksum": digest, "checksumType": "sha256"}
