"""Reading the chain into the index: data NFTs of the factory, their metadata events, datatokens and the number of their
orders, range by range.

One log query per range asks for the topics at any address: emitters are checked here, because a query by address
would have to name every NFT. A node that refuses a range gets half of it. Where the chain changed behind us (a
reorganisation, or another chain at the same address) the index goes back to the newest block that both still share.
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_typing import HexStr
from web3.types import BlockData, FilterParams

from ocean.addresses import canonical
from ocean.chain.contracts import event
from ocean.chain.errors import AnswerMalformed, ChainUnavailable, NodeRefused
from ocean.chain.index_store import IndexStore, MetadataEvent
from ocean.chain.logs import Log
from ocean.chain.market_events import TOPICS as MARKET_TOPICS
from ocean.chain.market_events import MarketReader
from ocean.chain.metadata import PackedDocument
from ocean.chain.network import Network
from ocean.did import did_of

FIRST_RANGE = 10_000
LARGEST_RANGE = 100_000

_NFT_CREATED = event("ERC721Factory", "NFTCreated")
_METADATA_CREATED = event("ERC721Template", "MetadataCreated")
_METADATA_UPDATED = event("ERC721Template", "MetadataUpdated")
_TOKEN_CREATED = event("ERC721Factory", "TokenCreated")
_ORDER_STARTED = event("ERC20Template", "OrderStarted")
_KINDS = (_NFT_CREATED, _METADATA_CREATED, _METADATA_UPDATED, _TOKEN_CREATED, _ORDER_STARTED)
_TOPICS = [[HexStr(topic) for topic in dict.fromkeys((*(kind.topic for kind in _KINDS), *MARKET_TOPICS))]]


class ChainScan:
    """Brings a store up to the head. Not for use by two tasks at a time."""

    def __init__(self, network: Network, store: IndexStore) -> None:
        self._network = network
        self._store = store
        self._range = FIRST_RANGE
        self._market = MarketReader(network.addresses)

    async def catch_up(self) -> int:
        """Scan to the head and answer its number. Raises ChainUnavailable; what was scanned until then is kept."""
        head, next_block = await self._position()
        while next_block <= head:
            last = min(next_block + self._range - 1, head)
            try:
                logs, block_hash = await self._logs(next_block, last)
            except NodeRefused:
                if last == next_block:
                    raise
                self._range = max(1, (last - next_block + 1) // 2)
                continue
            except ChainUnavailable:
                self._range = max(1, self._range // 2)  # it may have been too much to answer in time
                raise
            self._keep(logs, (last, block_hash))
            self._range = min(self._range * 2, LARGEST_RANGE)
            next_block = last + 1
        return head

    async def _position(self) -> tuple[int, int]:
        """(head, first block to scan), after comparing what was scanned before with this chain."""
        eth, start = self._network.web3.eth, self._network.start_block
        checkpoints = self._store.checkpoints()
        newest = checkpoints[0][0] if checkpoints else 0
        head, genesis, block = await self._network.read(eth.block_number, eth.get_block(0), eth.get_block(newest))
        genesis_hash = _hash_of(genesis)
        if genesis_hash is None:
            raise ChainUnavailable(self._network.chain_id, "the node knows no block 0")
        if not self._store.belongs_to(self._network.chain_id, genesis_hash):
            self._store.begin(self._network.chain_id, genesis_hash)
            checkpoints = []
        if checkpoints and _hash_of(block) != checkpoints[0][1]:
            checkpoints = await self._shared(checkpoints[1:])
            self._store.roll_back(checkpoints[0][0] if checkpoints else -1)
        return head, checkpoints[0][0] + 1 if checkpoints else start

    async def _shared(self, checkpoints: list[tuple[int, str]]) -> list[tuple[int, str]]:
        eth = self._network.web3.eth
        blocks = await self._network.read(*(eth.get_block(number) for number, _ in checkpoints))
        for position, block in enumerate(blocks):
            if _hash_of(block) == checkpoints[position][1]:
                return checkpoints[position:]
        return []

    async def _logs(self, first: int, last: int) -> tuple[list[Log], str]:
        eth = self._network.web3.eth
        query: FilterParams = {"fromBlock": first, "toBlock": last, "topics": _TOPICS}
        logs, block = await self._network.read(eth.get_logs(query), eth.get_block(last))
        block_hash = _hash_of(block)
        if block_hash is None:
            raise ChainUnavailable(self._network.chain_id, "a block vanished while it was read")
        try:
            return [Log.of(item) for item in logs], block_hash
        except (AttributeError, KeyError, TypeError) as exc:
            raise ChainUnavailable(self._network.chain_id, "logs could not be read") from exc

    def _keep(self, logs: Sequence[Log], scanned: tuple[int, str]) -> None:
        factory = canonical(self._network.factory)
        nfts: list[tuple[str, str, int]] = []
        events: list[MetadataEvent] = []
        datatokens: list[tuple[str, int]] = []
        orders: list[tuple[str, int]] = []
        for log in logs:
            kind = log.topics[0]
            try:
                if kind == _ORDER_STARTED.topic:
                    orders.append((log.address, log.block_number))
                elif kind in (_METADATA_CREATED.topic, _METADATA_UPDATED.topic):
                    events.append(_metadata_event(log))
                elif log.address != factory:
                    continue
                elif kind == _TOKEN_CREATED.topic:
                    datatokens.append((_TOKEN_CREATED.decode(log)["newTokenAddress"], log.block_number))
                elif kind == _NFT_CREATED.topic:
                    address = _NFT_CREATED.decode(log)["newTokenAddress"]
                    nfts.append((did_of(address, self._network.chain_id), address, log.block_number))
            except AnswerMalformed:
                continue  # a contract of somebody else with the same topic
        market = [found for log in logs if (found := self._market.read(log)) is not None]
        self._store.add(nfts, events, scanned, datatokens=datatokens, orders=orders, market=market)


def _metadata_event(log: Log) -> MetadataEvent:
    created = log.topics[0] == _METADATA_CREATED.topic
    values = (_METADATA_CREATED if created else _METADATA_UPDATED).decode(log)
    return MetadataEvent(
        address=log.address,
        block=log.block_number,
        log_index=log.index,
        tx=log.tx_hash,
        sender=values["createdBy" if created else "updatedBy"],
        decryptor_url=values["decryptorUrl"],
        document=PackedDocument(values["flags"], values["data"], values["metaDataHash"]),
        timestamp=min(values["timestamp"], 2**62),
    )


def _hash_of(block: BlockData | None) -> str | None:
    return None if block is None else block["hash"].to_0x_hex()
