"""The chains this service works on: each a node, an index of assets, and the token its fees are paid in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import structlog

from ocean.addresses import ZERO, canonical, checksum
from ocean.chain.decryption import Publication, read_publication
from ocean.chain.errors import AnswerMalformed, ChainUnavailable
from ocean.chain.index import AssetNotFound, MetadataIndex
from ocean.chain.index_health import IndexHealth
from ocean.chain.market_view import MarketView
from ocean.chain.network import Network
from ocean.chain.order_wait import OrderDesk
from ocean.chain.orders import Order, OrderRequest
from ocean.chain.remote_decryption import through
from ocean.chain.store import MetadataStore
from ocean.chain.views import read_view
from ocean.chain.wallets import signed_by_contract
from ocean.ddo import DDO
from ocean.files.requests import ViewCall
from ocean.kit.patience import ask_patiently
from ocean.outgoing import OutgoingGuard
from provider_api.keys import ProviderKeys
from provider_api.settings import ChainSettings

log = structlog.get_logger(__name__)

TELL_SECONDS = 10.0  # between two lines about a node that is waited for
OPEN_SECONDS = 30.0  # how long a node may take to come up when the service starts


class Chain(Protocol):
    """What the service asks of one chain. Every question may raise ChainUnavailable."""

    @property
    def chain_id(self) -> int: ...

    @property
    def name(self) -> str:
        """The network's name in error texts."""

    @property
    def fee_token(self) -> str:
        """Checksum address; the zero address where fees are not taken."""

    async def resolve(self, did: str) -> DDO | None: ...

    async def verify_order(self, request: OrderRequest, now: float) -> Order:
        """Raises OrderInvalid, OrderPending."""

    async def fee_decimals(self) -> int: ...

    async def head(self) -> int: ...

    @property
    def scanned(self) -> int:
        """The newest block whose assets are known; a resolution goes to the head anyhow."""

    @property
    def index_health(self) -> IndexHealth:
        """Whether the index keeps up with the chain."""

    async def view(self, call: ViewCall) -> Any:
        """Raises ViewFailed, UserdataInvalid."""

    async def publication(self, nft: str, tx: str | None) -> Publication: ...

    async def listing(self) -> Mapping[str, Any]:
        """Every asset's DID, oldest first, with a value that changes when an event changes what is known of it."""

    async def market(self) -> tuple[MarketView, int]:
        """What its events say of datatokens, and the block that this holds for: its head when it was asked."""

    async def signed_by_contract(self, address: str, digest: bytes, signature: bytes) -> bool | None:
        """Whether a contract wallet takes this for its signature; None: there is no contract at the address."""


@dataclass(frozen=True, slots=True)
class OceanChain:
    """A chain with Ocean's contracts, behind a node."""

    network: Network
    index: MetadataIndex
    fee_token: str
    desk: OrderDesk

    @property
    def chain_id(self) -> int:
        return self.network.chain_id

    @property
    def name(self) -> str:
        return self.network.name

    @property
    def scanned(self) -> int:
        return self.index.scanned

    @property
    def index_health(self) -> IndexHealth:
        return self.index.health

    async def resolve(self, did: str) -> DDO | None:
        try:
            return await self.index.resolve(did)
        except AssetNotFound as exc:
            log.info("asset_not_found", did=did, chain_id=self.chain_id, reason=exc.reason)
            return None

    async def verify_order(self, request: OrderRequest, now: float) -> Order:
        return await self.desk.verify(request, now)

    async def fee_decimals(self) -> int:
        if self.fee_token == ZERO:
            return 18
        try:
            return await self.network.token_decimals(self.fee_token)
        except AnswerMalformed as exc:
            raise ChainUnavailable(self.chain_id, "the fee token is not a token") from exc

    async def head(self) -> int:
        return await self.network.head()

    async def view(self, call: ViewCall) -> Any:
        return await read_view(self.network, call)

    async def publication(self, nft: str, tx: str | None) -> Publication:
        return await read_publication(self.network, nft, tx)

    async def listing(self) -> Mapping[str, Any]:
        await self.index.look()
        return self.index.listing()

    async def market(self) -> tuple[MarketView, int]:
        return self.index.markets, await self.index.look()

    async def signed_by_contract(self, address: str, digest: bytes, signature: bytes) -> bool | None:
        return await signed_by_contract(self.network, address, digest, signature)


class Chains:
    """All chains by id."""

    def __init__(self, chains: Mapping[int, Chain]) -> None:
        self._chains = dict(chains)

    def ids(self) -> list[int]:
        return list(self._chains)

    def index_health(self) -> dict[int, IndexHealth]:
        """By the chain's id."""
        return {chain.chain_id: chain.index_health for chain in self._chains.values()}

    def all(self) -> list[Chain]:
        return list(self._chains.values())

    def of(self, chain_id: int) -> Chain:
        """The chain of an asset that was resolved here. Raises KeyError for any other one."""
        return self._chains[chain_id]

    def find(self, chain_id: int) -> Chain | None:
        return self._chains.get(chain_id)

    async def resolve(self, did: str) -> tuple[Chain, DDO] | None:
        """The asset and its chain: a DID does not say which, so all are asked, and the first that knows it ends the
        question: others may be slow. Raises ChainUnavailable only if no chain knows the asset and one could not be
        asked."""
        asked = {asyncio.ensure_future(chain.resolve(did)): chain for chain in self.all()}
        failure: BaseException | None = None
        waiting = set(asked)
        try:
            while waiting:
                answered, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for answer in answered:
                    if (error := answer.exception()) is not None:
                        failure = error
                    elif (ddo := answer.result()) is not None:
                        return asked[answer], ddo
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        if failure is not None:
            raise failure
        return None


async def open_chain(
    settings: ChainSettings,
    keys: ProviderKeys,
    data_folder: Path,
    addresses: Path,
    stack: AsyncExitStack,
    *,
    guard: OutgoingGuard | None = None,
    store: MetadataStore | None = None,
) -> OceanChain:
    """Open one chain; the stack closes it. Waits for a node that is just starting.

    guard: through it other providers are asked to open documents that were encrypted for them; None: nobody is asked.
    store: a metadata store to ask about assets too.

    Raises ChainUnavailable, ocean.chain.network.NetworkMisconfigured.
    """

    async def attempt() -> Network:
        return await Network.open(
            settings.url, settings.address_file or addresses, settings.chain_id, confirmations=settings.confirmations
        )

    network = await _patiently(attempt, urlsplit(settings.url).hostname or "?")
    stack.push_async_callback(network.close)
    key, remembered = keys.private_key, data_folder / f"assets-{network.chain_id}.sqlite"
    remote = None if guard is None else through(guard, key, network.chain_id)
    index = MetadataIndex(network, key, remembered, remote_decryption=remote, store=store)
    stack.push_async_callback(index.close)
    fee_token = checksum(settings.fee_token) if settings.fee_token else network.ocean
    desk = OrderDesk(network, settings.order_wait_seconds, lambda: index.scanned, index.is_nft)
    stack.push_async_callback(desk.close)
    return OceanChain(network, index, ZERO if canonical(fee_token) == ZERO else fee_token, desk)


async def _patiently(attempt: Callable[[], Awaitable[Network]], host: str) -> Network:
    """`host` is all that is told of the node's address, which may carry a key."""

    def tell(trouble: ChainUnavailable, left: float) -> None:
        log.warning("chain_awaited", node=host, reason=trouble.reason, seconds_left=round(left))

    end = time.monotonic() + OPEN_SECONDS
    return await ask_patiently(
        attempt, ChainUnavailable, end=end, pause_seconds=0.3, tell=tell, tell_seconds=TELL_SECONDS
    )
