"""Everything the routes use, opened once. Routes take their parameters from the request and call one of these."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from argo.client import ArgoClient, ArgoServers
from argo.client.records import FIRST_SERVER
from ocean.chain.network import distributed_addresses
from ocean.chain.store import MetadataStore
from ocean.kit.together import together
from ocean.outgoing import OutgoingGuard
from provider_api.access.assets import Assets
from provider_api.access.control import AccessControl
from provider_api.access.gather import FactFinder
from provider_api.access.other_providers import OtherProviders
from provider_api.calls.signature import Callers
from provider_api.calls.tokens import Tokens
from provider_api.calls.wallets import Wallets
from provider_api.chains.assets import Catalogues
from provider_api.chains.chains import Chains, OceanChain, open_chain
from provider_api.chains.readiness import Readiness, chain_question
from provider_api.environments.catalogue import Environments
from provider_api.files.files import Files
from provider_api.files.proofs import Proofs
from provider_api.jobs.expiry import Round, Sweeper
from provider_api.jobs.live.hubs import LiveJobs
from provider_api.jobs.orphans import Orphans
from provider_api.jobs.queues import EnvironmentQueues
from provider_api.jobs.read import JobReader
from provider_api.jobs.records import Argo
from provider_api.jobs.results import ResultStore
from provider_api.jobs.start import JobStarter
from provider_api.jobs.turns import Turns
from provider_api.keys import ProviderKeys, load_keys
from provider_api.settings import ArgoSettings, MetadataSettings, Settings
from provider_api.storage.claims import Claims
from provider_api.storage.database import Database
from provider_api.storage.nonces import Nonces
from provider_api.storage.provider_calls import ProviderCalls
from provider_api.strangers.asking import OutgoingPools
from provider_api.telemetry.metrics import Metrics
from provider_api.telemetry.tracing import Tracer, open_tracer
from results.store import Store, open_store

DATABASE_SECONDS = 30.0  # how long a database may take to come up when the service starts


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Who the service talks to. Tests put others here."""

    argo: Argo
    chains: Chains
    outgoing: OutgoingPools  # for addresses that strangers name
    results: Store


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    metrics: Metrics
    keys: ProviderKeys
    database: Database
    nonces: Nonces
    claims: Claims
    tokens: Tokens
    callers: Callers
    argo: Argo
    chains: Chains
    catalogues: Catalogues
    assets: Assets
    files: Files
    environments: Environments
    facts: FactFinder
    other_providers: OtherProviders
    starter: JobStarter
    reader: JobReader
    live: LiveJobs
    results: ResultStore
    provider_calls: ProviderCalls
    control: AccessControl
    proofs: Proofs
    readiness: Readiness


OpenNeighbours = Callable[[Settings, ProviderKeys], AbstractAsyncContextManager[Neighbours]]


class NoChain(ValueError):
    """No chain is configured."""


@asynccontextmanager
async def open_neighbours(settings: Settings, keys: ProviderKeys) -> AsyncIterator[Neighbours]:
    """The real ones: chains side by side, Argo, the store, a guarded client for algorithm files.

    Raises NoChain, ocean's ChainUnavailable and NetworkMisconfigured, results.store.StoreInvalid.
    """
    if not settings.chains:
        raise NoChain("no chain is configured: set C2D_CHAINS, or let `c2d serve` start a development chain")
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        addresses = distributed_addresses()
        guard = OutgoingGuard(settings.outgoing.exceptions(), settings.forbidden())
        asked = _metadata_store(settings.metadata)
        if asked is not None:
            stack.push_async_callback(asked.close)
        opened: Sequence[OceanChain] = await together(
            *(
                open_chain(chain, keys, settings.data_folder, addresses, stack, guard=guard, store=asked)
                for chain in settings.chains
            )
        )
        for chain in opened:
            await _background(stack, chain.index.run())
        argo = await stack.enter_async_context(_argo_servers(settings))
        await _background(stack, argo.warm_up())
        await _background(stack, argo.watch())
        outgoing = await outgoing_pools(guard, settings, stack)
        options = {name: value.get_secret_value() for name, value in settings.results.options.items()}
        yield Neighbours(
            argo=argo,
            chains=Chains({chain.chain_id: chain for chain in opened}),
            outgoing=outgoing,
            results=open_store(settings.results_url(), options, retry_timeout_seconds=10, key=keys.results),
        )


@asynccontextmanager
async def open_services(
    settings: Settings,
    neighbours: OpenNeighbours = open_neighbours,
    metrics: Metrics | None = None,
    tracer: Tracer | None = None,
) -> AsyncIterator[Services]:
    """Open everything, close it in reverse order. Raises KeyMissing and what `neighbours` raises."""
    keys = load_keys(settings.provider)
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        database = Database(settings.storage_url())
        stack.push_async_callback(database.close)
        await database.open(DATABASE_SECONDS)
        around = await stack.enter_async_context(neighbours(settings, keys))
        nonces, claims, tokens = Nonces(database), Claims(database), Tokens(keys, database)
        metrics, tracer = metrics or Metrics(), tracer or open_tracer(settings.tracing)
        argo = metrics.timed(around.argo, "argo", tracer)
        chains = Chains(
            {chain.chain_id: metrics.timed(chain, f"chain {chain.chain_id}", tracer) for chain in around.chains.all()}
        )
        environments = Environments(argo, lambda: metrics.round("environments"))
        queues = EnvironmentQueues(argo)
        stack.push_async_callback(queues.close)
        turns = Turns(argo, environments, queues)
        metrics.watch(environments, lambda: turns.waiting)
        metrics.watch_argo(argo.watched)
        stack.push_async_callback(environments.close)
        await _background(stack, environments.run())
        pools = around.outgoing
        metrics.watch_sources({"paid": pools.paid, "hashing": pools.hashing, "unsigned": pools.unsigned})
        files = Files(around.outgoing, settings.outgoing, chains)
        others = OtherProviders(settings, keys, around.outgoing)
        facts = FactFinder(settings, keys, chains, environments, files, others)
        assets = Assets(settings, keys, chains)
        results = ResultStore(around.results, settings.limits.retry_after_seconds, keys.private_key, assets.owner)
        starter = JobStarter(settings, keys, facts, argo, nonces, claims, turns, metrics)
        stack.push_async_callback(starter.close)
        await _background(stack, turns.run())
        await _background(stack, _sweeper(settings, argo, results, claims, metrics).run())
        control = AccessControl(settings.access, keys, settings.limits.retry_after_seconds)
        await stack.enter_async_context(control)
        proofs = await stack.enter_async_context(Proofs(settings.access, keys))
        readiness = Readiness(
            {
                "storage": lambda: nonces.find("0x" + "0" * 40),
                "argo": environments.current,
                **{f"chain {chain.chain_id}": chain_question(chain) for chain in chains.all()},
            }
        )
        stack.push_async_callback(readiness.close)
        reader = JobReader(settings, argo, queues, results)
        live = LiveJobs(settings.live, argo, reader, environments)
        stack.push_async_callback(live.close)
        metrics.watch_live(lambda: {"viewers": live.viewers, "jobs": live.hubs})
        metrics.watch_indexes(chains.index_health)
        catalogues = Catalogues(chains, settings.limits.retry_after_seconds)
        stack.push_async_callback(catalogues.close)
        yield Services(
            settings=settings,
            metrics=metrics,
            keys=keys,
            database=database,
            nonces=nonces,
            claims=claims,
            tokens=tokens,
            callers=Callers(nonces, tokens, Wallets(chains), keys.address, settings.policy.typed_signatures),
            argo=argo,
            chains=chains,
            catalogues=catalogues,
            assets=assets,
            files=files,
            environments=environments,
            facts=facts,
            other_providers=others,
            starter=starter,
            reader=reader,
            live=live,
            results=results,
            provider_calls=ProviderCalls(database),
            control=control,
            proofs=proofs,
            readiness=readiness,
        )


def _sweeper(settings: Settings, argo: Argo, results: ResultStore, claims: Claims, metrics: Metrics) -> Sweeper:
    def told(done: Round) -> None:
        metrics.expired.inc(done.removed)
        metrics.unarchived.set(done.unarchived)
        if done.left == 0:  # else the alert about this loop tells it
            metrics.round("sweep")

    return Sweeper(argo, results, told, Orphans(argo, results, claims, settings.results.orphan_seconds))


async def _background(stack: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    """Run beside the service; closing cancels it and waits."""
    task = asyncio.create_task(work)

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


async def outgoing_pools(guard: OutgoingGuard, settings: Settings, stack: AsyncExitStack) -> OutgoingPools:
    given, strangers = settings.outgoing, settings.strangers
    paid = guard.client(max_connections=given.downloads, per_target=given.downloads_each)
    hashing = guard.client(max_connections=given.hashing, per_target=given.hashing_each)
    unsigned = guard.client(
        connect_seconds=5.0,
        read_seconds=10.0,
        open_seconds=15.0,
        max_connections=strangers.sources,
        per_target=strangers.sources_each,
    )
    for client in (paid, hashing, unsigned):
        await stack.enter_async_context(client)
    return OutgoingPools(paid, hashing, unsigned)


def _metadata_store(settings: MetadataSettings) -> MetadataStore | None:
    if settings.store_url is None:
        return None
    timeout, largest = settings.timeout_seconds, settings.max_document_bytes
    return MetadataStore(settings.store_url, timeout_seconds=timeout, max_bytes=largest)


def _argo_servers(settings: Settings) -> ArgoServers:
    all_of_them = {FIRST_SERVER: settings.argo, **settings.argo_servers}
    return ArgoServers({number: _argo_client(each) for number, each in all_of_them.items()})


def _argo_client(settings: ArgoSettings) -> ArgoClient:
    token = settings.token.get_secret_value() if settings.token is not None else settings.token_file
    return ArgoClient(
        settings.url,
        settings.namespace,
        token,
        verify=settings.verify,
        timeout_seconds=settings.timeout_seconds,
    )
