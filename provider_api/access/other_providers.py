"""Other providers, as a publisher's document names them: who they are, what files they have, what an order there costs.

A job may use access services of assets that another provider serves. Nothing that it says is believed further than it
concerns its own assets: whose signature an order there must carry, how many files there are, what an order costs the
consumer. The bytes of an algorithm are compared again in the pod. Every call goes through the guard for strangers'
addresses, is bounded in time and size, stays at one origin, and answers None for whatever cannot be had.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import structlog
from cachetools import TLRUCache

from ocean.addresses import ZERO, AddressInvalid, canonical, checksum
from ocean.ddo import Service
from ocean.fees import Quote, QuoteMalformed, quote_signer, read_provider_data
from ocean.files.requests import Fetch
from ocean.kit.single_flight import SingleFlight
from ocean.outgoing import OutgoingError, OutgoingFailed
from ocean.signing import SignatureInvalid
from provider_api.http.errors import SourcesBusy
from provider_api.keys import ProviderKeys
from provider_api.settings import Settings
from provider_api.strangers.asking import OutgoingPools, asker, count_bytes

log = structlog.get_logger(__name__)

PREFIX = "/api/services"
ROOT_SECONDS, QUOTE_SECONDS = 5.0, 10.0
ANSWER_BYTES, FILE_LIST_BYTES = 64 * 1024, 1024 * 1024
KNOWN_SECONDS, FAILED_SECONDS = 60.0, 5.0  # how long a root document, and its absence, is believed
_REMEMBERED = 256
_MOST_FILES = 1000
_LONGEST_URL = 2048
_LONGEST_ADDRESS = 64
_PATH = re.compile(rf"[\x21-\x7e]{{1,{_LONGEST_URL}}}")  # it goes into job specs: no other characters
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


_Asked = tuple[str, str]  # a provider's address, and the publisher whose document names it


class _Unusable(Exception):
    """An answer that is none of a provider. The text shows nothing of it."""


@dataclass(frozen=True, slots=True)
class OtherProvider:
    """Whom to ask about an asset that is not ours. `address` (checksum) signs its fees on the asset's chain."""

    address: str
    download: str  # addresses of its endpoints
    nonce: str
    fileinfo: str
    initialize: str
    publisher: str = ""  # of the asset that names it: some private addresses are open to some publishers


@dataclass(frozen=True, slots=True)
class _Root:
    addresses: Mapping[str, Any]
    endpoints: Mapping[str, str]


class OtherProviders:
    """One for the whole service."""

    def __init__(self, settings: Settings, keys: ProviderKeys, pools: OutgoingPools) -> None:
        self._pools, self._keys = pools, keys
        self._fileinfo_seconds = settings.outgoing.timeout_seconds
        self._own = {base_of(url) for url in settings.server.public_urls}
        self._known = TLRUCache[_Asked, _Root | None](_REMEMBERED, ttu=_believed_until)
        self._asking = SingleFlight[tuple[_Asked, bool], _Root | None]()

    async def find(self, endpoint: str, chain_id: int, publisher: str = "") -> OtherProvider | None:
        """The provider behind a `serviceEndpoint` of a publisher's asset. None: that is ourselves, or nobody who
        answers as a provider."""
        base = base_of(endpoint)
        if base is None or base in self._own:
            return None
        root = await self._root((base, publisher))
        address = _address(root.addresses.get(str(chain_id))) if root is not None else None
        if root is None or address is None or canonical(address) == canonical(self._keys.address):
            return None
        return OtherProvider(address, **root.endpoints, publisher=publisher)

    async def digests(
        self, provider: OtherProvider, did: str, service_id: str, userdata: Mapping[str, Any] | None, *, wanted: bool
    ) -> tuple[str | None, ...] | None:
        """One entry for each file of a service: its SHA-256 (lower-case hex) if that is wanted and told. None unless
        every file can be had there."""
        question: dict[str, Any] = {"did": did, "serviceId": service_id}
        question |= {"checksum": True} if wanted else {}
        question |= {"userdata": dict(userdata)} if userdata else {}
        try:
            file, seconds = Fetch(provider.fileinfo, "POST"), self._fileinfo_seconds
            answer = await self._ask(file, question, seconds, FILE_LIST_BYTES, provider.publisher)
            return _digests(answer)
        except (_Unusable, OutgoingError, TimeoutError) as exc:
            log.info("other_provider_has_no_files", did=did, service_id=service_id, reason=_reason(exc))
            return None

    async def quote(self, provider: OtherProvider, did: str, service: Service, consumer: str) -> Quote | None:
        """What an order of the service costs there, signed by that provider for this very service."""
        question = {"documentId": did, "serviceId": service.id, "consumerAddress": consumer}
        try:
            file = Fetch(provider.initialize)
            answer = await self._ask(file, question, QUOTE_SECONDS, ANSWER_BYTES, provider.publisher)
            return _quote(answer, provider, service)
        except (_Unusable, OutgoingError, TimeoutError) as exc:
            log.info("other_provider_quotes_nothing", did=did, service_id=service.id, reason=_reason(exc))
            return None

    # --- root documents ----------------------------------------------------------------------------------------------

    async def _root(self, asked: _Asked) -> _Root | None:
        """Remembered for a while; all who ask at the same time share one request, strangers among themselves."""
        with suppress(KeyError):
            return self._known[asked]
        return await self._asking.run((asked, asker() is not None), lambda: self._read_root(asked))

    async def _read_root(self, asked: _Asked) -> _Root | None:
        base, publisher = asked
        try:
            found = _root(await self._ask(Fetch(f"{base}/"), {}, ROOT_SECONDS, ANSWER_BYTES, publisher), base)
        except (_Unusable, OutgoingError, TimeoutError) as exc:
            log.info("other_provider_unavailable", provider=base, reason=_reason(exc))
            found = None
        self._known[asked] = found
        return found

    async def _ask(
        self, question: Fetch, values: Mapping[str, Any], seconds: float, most_bytes: int, publisher: str
    ) -> Any:
        """The JSON of an answer. Raises OutgoingError, TimeoutError, _Unusable, SourcesBusy, TooMuchAsked."""
        content, client = bytearray(), self._pools.asking()
        stream = client.stream(
            question, userdata=dict(values), max_bytes=most_bytes, same_origin=True, publisher=publisher
        )
        try:
            async with asyncio.timeout(seconds), stream as answer:
                async for chunk in answer.chunks():
                    count_bytes(len(chunk))
                    content += chunk
        except OutgoingFailed as exc:
            if exc.reason == "busy":
                raise SourcesBusy from None
            raise
        try:
            return json.loads(bytes(content))
        except (ValueError, RecursionError):
            raise _Unusable("no JSON") from None


def _believed_until(_: _Asked, found: _Root | None, now: float) -> float:
    return now + (FAILED_SECONDS if found is None else KNOWN_SECONDS)


def base_of(endpoint: str) -> str | None:
    """A provider's address as it is compared and called: no slash at the end, and without the prefix that some
    publishers append. None for what is no plain web address."""
    try:
        url = httpx.URL(endpoint.strip()) if len(endpoint) <= _LONGEST_URL else None
    except (httpx.InvalidURL, ValueError):
        return None
    if url is None or url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        return None
    return str(url).rstrip("/").removesuffix(PREFIX).rstrip("/")


def _root(answer: Any, base: str) -> _Root:
    """Raises _Unusable."""
    addresses = answer.get("providerAddresses") if isinstance(answer, dict) else None
    if not isinstance(addresses, dict):
        raise _Unusable("no root document of a provider")
    named = answer.get("serviceEndpoints")
    listed = named if isinstance(named, dict) else {}
    endpoints = {name: base + _path(listed.get(name), name) for name in ("download", "nonce", "fileinfo", "initialize")}
    told = {
        str(chain): one for chain, one in addresses.items() if isinstance(one, str) and len(one) <= _LONGEST_ADDRESS
    }
    return _Root(told, endpoints)


def _path(entry: Any, name: str) -> str:
    """`[METHOD, "/path"]` of a root document; the usual path where it names none."""
    path = entry[1] if isinstance(entry, list) and len(entry) == 2 else None
    if not isinstance(path, str) or not _PATH.fullmatch(path) or not path.strip("/"):
        return f"{PREFIX}/{name}"
    return "/" + path.strip("/")  # behind a slash it can name no other host


def _address(value: Any) -> str | None:
    try:
        found = checksum(value) if isinstance(value, str) else ZERO
    except AddressInvalid:
        return None
    return None if canonical(found) == ZERO else found


def _digests(answer: Any) -> tuple[str | None, ...]:
    """Raises _Unusable."""
    if not isinstance(answer, list) or not 0 < len(answer) <= _MOST_FILES:
        raise _Unusable("no list of files")
    found: list[str | None] = []
    for place, entry in enumerate(answer):
        if not isinstance(entry, dict) or entry.get("index", place) != place or entry.get("valid") is not True:
            raise _Unusable("a file that cannot be had")
        digest = entry.get("checksum") if entry.get("checksumType") == "sha256" else None
        told = isinstance(digest, str) and _DIGEST.fullmatch(digest)
        found.append(digest.lower() if isinstance(digest, str) and told else None)
    return tuple(found)


def _quote(answer: Any, provider: OtherProvider, service: Service) -> Quote:
    """Raises _Unusable."""
    if not isinstance(answer, dict) or _address(answer.get("datatoken")) != _address(service.datatoken_address):
        raise _Unusable("a quote for another datatoken")
    try:
        quote = Quote.from_json(answer.get("providerFee"))
        data, signer = read_provider_data(quote.provider_data), quote_signer(quote)
    except (QuoteMalformed, SignatureInvalid) as exc:
        raise _Unusable(str(exc)) from None
    if not quote.fee_address == signer == provider.address:
        raise _Unusable("a quote of somebody else")
    same_token = data.datatoken.lower() == canonical(service.datatoken_address)
    if not same_token or data.service_id.lower() != service.id.lower():
        raise _Unusable("a quote for another service")
    return quote


def _reason(exc: Exception) -> str:
    return str(exc) or type(exc).__name__
