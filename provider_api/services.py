"""Everything the routes use, opened once. Routes take their parameters from the request and call one of these."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from argo.client import ArgoClient
from ocean.outgoing import OutgoingGuard
from pods.store import open_store
from provider_api.access.checksums import FileChecksums
from provider_api.access.gather import FactFinder
from provider_api.chains import Chains, OceanChain, open_chain
from provider_api.jobs.environments import Environments
from provider_api.jobs.read import JobReader
from provider_api.jobs.records import Argo
from provider_api.jobs.results import ResultStore
from provider_api.jobs.start import JobStarter
from provider_api.keys import ProviderKeys, load_keys
from provider_api.settings import ArgoSettings, Settings
from provider_api.storage.claims import Claims
from provider_api.storage.database import Database
from provider_api.storage.nonces import Nonces


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Who the service talks to. Tests put others here."""

    argo: Argo
    chains: Chains
    checksums: FileChecksums
    results: ResultStore


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    keys: ProviderKeys
    database: Database
    nonces: Nonces
    argo: Argo
    chains: Chains
    environments: Environments
    facts: FactFinder
    starter: JobStarter
    reader: JobReader
    results: ResultStore


OpenNeighbours = Callable[[Settings, ProviderKeys], AbstractAsyncContextManager[Neighbours]]


class NoChain(ValueError):
    """No chain is configured."""


@asynccontextmanager
async def open_neighbours(settings: Settings, keys: ProviderKeys) -> AsyncIterator[Neighbours]:
    """The real ones: chains side by side, Argo, the store, a guarded client for algorithm files.

    Raises NoChain, ocean's ChainUnavailable and NetworkMisconfigured, pods.store.StoreInvalid.
    """
    if not settings.chains:
        raise NoChain("no chain is configured: set C2D_CHAINS, or let `c2d serve` start a development chain")
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        addresses = _distributed_addresses()
        opened: list[OceanChain] = await asyncio.gather(
            *(open_chain(chain, keys, settings.data_folder, addresses, stack) for chain in settings.chains)
        )
        for chain in opened:
            await _background(stack, chain.index.run())
        argo = await stack.enter_async_context(_argo_client(settings.argo))
        await _background(stack, argo.warm_up())
        guard = OutgoingGuard(settings.outgoing.allow_private, settings.outgoing.forbid)
        client = await stack.enter_async_context(guard.client())
        options = {name: value.get_secret_value() for name, value in settings.results.options.items()}
        store = open_store(settings.results_url(), options, retry_timeout_seconds=10)
        yield Neighbours(
            argo=argo,
            chains=Chains({chain.chain_id: chain for chain in opened}),
            checksums=FileChecksums(client, settings.outgoing),
            results=ResultStore(store, settings.limits.retry_after_seconds),
        )


@asynccontextmanager
async def open_services(settings: Settings, neighbours: OpenNeighbours = open_neighbours) -> AsyncIterator[Services]:
    """Open everything, close it in reverse order. Raises KeyMissing and what `neighbours` raises."""
    keys = load_keys(settings.provider)
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        database = Database(settings.storage_url())
        stack.push_async_callback(database.close)
        await database.open()
        around = await stack.enter_async_context(neighbours(settings, keys))
        nonces, claims = Nonces(database), Claims(database)
        environments = Environments(around.argo)
        stack.push_async_callback(environments.close)
        await _background(stack, environments.run())
        facts = FactFinder(settings, keys, around.chains, environments, around.checksums)
        starter = JobStarter(settings, keys, facts, around.argo, nonces, claims)
        stack.push_async_callback(starter.close)
        yield Services(
            settings=settings,
            keys=keys,
            database=database,
            nonces=nonces,
            argo=around.argo,
            chains=around.chains,
            environments=environments,
            facts=facts,
            starter=starter,
            reader=JobReader(settings, around.argo, around.results),
            results=around.results,
        )


async def _background(stack: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    """Run beside the service; closing cancels it and waits."""
    task = asyncio.create_task(work)

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


def _argo_client(settings: ArgoSettings) -> ArgoClient:
    token = settings.token.get_secret_value() if settings.token is not None else settings.token_file
    return ArgoClient(
        settings.url,
        settings.namespace,
        token,
        verify=settings.verify,
        timeout_seconds=settings.timeout_seconds,
    )


def _distributed_addresses() -> Path:
    """The address file of the public networks that comes with the package ocean-contracts."""
    return Path(str(metadata.distribution("ocean-contracts").locate_file("addresses/address.json")))
