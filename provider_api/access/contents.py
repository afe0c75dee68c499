"""Where a job gets the files of its assets from, and which digests an algorithm's must have.

What a job is told is a source for each file: an address with gateways filled in, the answer of a contract, or another
provider to be asked as the environment. Nothing is judged here: what cannot be had is None.
"""

from __future__ import annotations

from typing import Any

import structlog

from contract.job_spec import ProviderSource, Source
from ocean import parameters
from ocean.chain.orders import OrderInvalid, normal_hash
from ocean.ddo import DDO, Service
from ocean.file_lists import FilesUnreadable, files_of
from ocean.files import File, FileObjectInvalid, parse_file
from ocean.files.requests import optional_object
from ocean.kit.together import together
from provider_api.access.other_providers import OtherProvider, OtherProviders
from provider_api.access.request import AssetRequest, ComputeRequest
from provider_api.files.files import Files
from provider_api.keys import ProviderKeys
from provider_api.settings import PolicySettings

log = structlog.get_logger(__name__)

Found = tuple[tuple[Source, ...] | None, tuple[str, ...] | None]  # (sources, digests), None for what cannot be had


class Contents:
    """One for the whole service. Raises ChainUnavailable."""

    def __init__(self, policy: PolicySettings, keys: ProviderKeys, files: Files, others: OtherProviders) -> None:
        self._policy, self._keys, self._files, self._others = policy, keys, files, others

    def opened(self, ddo: DDO, service: Service) -> tuple[File, ...] | None:
        """The list of a service's files; None if it does not open with our key."""
        try:
            return files_of(ddo, service, self._keys.private_key, allow_unbound=self._policy.allow_unbound_files)
        except FilesUnreadable as exc:
            log.info("files_unreadable", did=ddo.id, service_id=service.id, reason=exc.reason)
            return None

    def await_parameters(self, asset: AssetRequest, service: Service, files: tuple[File, ...] | None) -> bool:
        """Whether files of ours cannot be had yet, because parameters for them are still to come."""
        if not files:
            return False
        missing = parameters.problems(service.consumer_parameters, asset.userdata)
        if any(problem.problem == "missing" for problem in missing):
            return True
        userdata = file_parameters(service, asset.userdata)
        return any(self._files.await_parameters(file, userdata) for file in files)

    async def sources_of_own_asset(
        self, asset: AssetRequest, ddo: DDO, service: Service, files: tuple[File, ...] | None, *, hashed: bool
    ) -> Found:
        """`hashed`: the digests are wanted too."""
        if not files:
            return None, None
        userdata = file_parameters(service, asset.userdata)
        sources, digests = await together(
            self._files.sources(files, userdata),
            self._files.digests(files, userdata, publisher=ddo.publisher) if hashed else _nothing(),
        )
        return sources, digests

    async def sources_of_remote_asset(
        self, other: OtherProvider, asset: AssetRequest, ddo: DDO, service: Service, *, hashed: bool
    ) -> Found:
        """The same for files of another provider: the job asks it for each of them, as the environment."""
        userdata = file_parameters(service, asset.userdata)
        told = await self._others.digests(other, ddo.id, service.id, userdata, wanted=hashed)
        if told is None:
            return None, None
        try:
            tx_hash = normal_hash(asset.transfer_tx_id)
        except OrderInvalid:
            tx_hash = ""  # a rule will say so, or these are facts for quotes
        sources = tuple(
            ProviderSource(
                download=other.download,
                nonce=other.nonce,
                did=ddo.id,
                service_id=service.id,
                tx=tx_hash,
                index=index,
                userdata=userdata,
            )
            for index in range(len(told))
        )
        digests = tuple(digest for digest in told if digest is not None)
        return sources, digests if hashed and len(digests) == len(told) else None

    async def sources_of_raw_algorithm(
        self, request: ComputeRequest
    ) -> tuple[tuple[Source, ...], tuple[str, ...] | None]:
        """Where the file of a raw algorithm is, and that nothing is known of it yet: (sources, ()); ((), ()) if it
        brings its code along, ((), None) if it cannot be had. Nobody is asked."""
        algorithm = request.algorithm
        if algorithm.text("rawcode") or not algorithm.text("url"):
            return (), ()
        sources = await self._files.sources(_raw_files(request), optional_object(algorithm.asset.userdata))
        return (sources, ()) if sources else ((), None)

    async def raw_digests(self, request: ComputeRequest) -> tuple[str, ...] | None:
        """The digest of a raw algorithm's file, which is fetched: () if it brings its code along, None if it cannot be
        had or is too big."""
        algorithm = request.algorithm
        if algorithm.text("rawcode") or not algorithm.text("url"):
            return ()
        files, userdata = _raw_files(request), optional_object(algorithm.asset.userdata)
        return await self._files.digests(files, userdata, publisher=None) if files else None


def _raw_files(request: ComputeRequest) -> list[File]:
    """The file of a raw algorithm's URL; none if that is not one."""
    try:
        return [parse_file({"type": "url", "url": request.algorithm.text("url")})]
    except FileObjectInvalid:
        return []


async def _nothing() -> None:
    return None


def file_parameters(service: Service, userdata: Any) -> dict[str, Any] | None:
    """Parameters that go with each download of a service's files, defaults filled in. What is missing or does not fit
    is the matter of a rule."""
    return optional_object(parameters.so_far(service.consumer_parameters, userdata))
