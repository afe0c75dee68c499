"""Reading the chain into the index: data NFTs of the factory, their metadata events, datatokens and the number of their
orders, range by range.

One log query per range asks for all topics at any address: emitters are checked here, because a query by address
would have to name every NFT. What a node takes at once is learnt (`pacing`), and ranges are asked for side by side.

A node is often several nodes that lag differently, one for each call. So the newest blocks are read again at each look:
what one answer lacked, the next one adds. Nothing is forgotten because a node does not know it: a head below what is
known is a node that is behind. Only where a node gives another hash for a number than before, and gives it twice, the
chain has changed: then the index goes back to the newest block that both still share.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from ocean.addresses import canonical
from ocean.chain.answers import Header, head_number, header
from ocean.chain.contracts import event
from ocean.chain.errors import AnswerMalformed, ChainUnavailable, NodeBusy, NodeRefused
from ocean.chain.index_store import TAIL, IndexStore, MetadataEvent
from ocean.chain.logs import Log, logs_between
from ocean.chain.market_events import TOPICS as MARKET_TOPICS
from ocean.chain.market_events import MarketReader
from ocean.chain.metadata import PackedDocument
from ocean.chain.network import Network
from ocean.chain.pacing import RangeLimit
from ocean.chain.refusals import Meaning, limit_named, meaning
from ocean.chain.rpc import NodeSlow
from ocean.did import did_of

FIRST_RANGE = 10_000
LARGEST_RANGE = 100_000
RANGES_AT_ONCE = 4

_NFT_CREATED = event("ERC721Factory", "NFTCreated")
_METADATA_CREATED = event("ERC721Template", "MetadataCreated")
_METADATA_UPDATED = event("ERC721Template", "MetadataUpdated")
_TOKEN_CREATED = event("ERC721Factory", "TokenCreated")
_ORDER_STARTED = event("ERC20Template", "OrderStarted")
_KINDS = (_NFT_CREATED, _METADATA_CREATED, _METADATA_UPDATED, _TOKEN_CREATED, _ORDER_STARTED)
_OWN_TOPICS = frozenset(kind.topic for kind in _KINDS)
_TOPICS = [*dict.fromkeys((*(kind.topic for kind in _KINDS), *MARKET_TOPICS))]


@dataclass(frozen=True, slots=True)
class _Range:
    """Blocks `first` to `last` and what a node says of them. `end`: the last block's header; None: not asked for."""

    first: int
    last: int
    logs: Sequence[Log]
    end: Header | None


class ChainScan:
    """Brings a store up to the head. Not for use by two tasks at a time."""

    def __init__(self, network: Network, store: IndexStore) -> None:
        self._network = network
        self._store = store
        self._limit = RangeLimit(FIRST_RANGE, LARGEST_RANGE)
        self._market = MarketReader(network.addresses)

    async def catch_up(self) -> int:
        """Scan to the head and answer its number. Raises ChainUnavailable; what was scanned until then is kept."""
        head, next_block = await self._position()
        while next_block <= head:
            ranges = self._ranges(next_block, head)
            reads = (self._read(first, last, whole=last == ranges[-1][1]) for first, last in ranges)
            answers = await asyncio.gather(*reads, return_exceptions=True)
            for (first, last), answer in zip(ranges, answers, strict=True):
                if isinstance(answer, BaseException):
                    await self._learn(first, last, answer)  # raises what is no lesson
                    break
                self._limit.accepted(last - first + 1)
                await self._drop_replaced(answer)
                self._keep(answer)
                next_block = last + 1
        return head

    def _ranges(self, first: int, head: int) -> list[tuple[int, int]]:
        size, count = self._limit.size, RANGES_AT_ONCE if self._limit.steady else 1
        starts = range(first, min(head + 1, first + size * count), size)
        return [(start, min(start + size - 1, head)) for start in starts]

    async def _read(self, first: int, last: int, *, whole: bool) -> _Range:
        """With the last block's header, which shows that the node knows these blocks. Where it would cost a request of
        its own, only with the last of several ranges (`whole`)."""
        question = logs_between(first, last, _TOPICS)
        if not whole and self._network.rpc.batch_size == 1:
            return _Range(first, last, await self._network.ask(question), None)
        logs, end = await self._network.read(question, header(last))
        if end is None:
            raise ChainUnavailable(self._network.chain_id, "the node does not know its own head")
        if any(log.block_number == last and log.block_hash not in (None, end.hash) for log in logs):
            raise ChainUnavailable(self._network.chain_id, "the node contradicts itself about a block's hash")
        return _Range(first, last, logs, end)

    async def _learn(self, first: int, last: int, failure: BaseException) -> None:
        """What a failed query teaches. Raises the failure if that is nothing about the number of blocks."""
        blocks = last - first + 1
        if isinstance(failure, NodeSlow):
            self._limit.too_much(blocks)  # it may have been too much to answer in time
        if not isinstance(failure, NodeRefused) or isinstance(failure, NodeBusy) or blocks == 1:
            raise failure
        found = meaning(failure.code, failure.reason)
        if found is Meaning.RESULTS:
            self._limit.too_much(blocks)
            return
        if found in (Meaning.RATE, Meaning.NOT_THERE):
            raise failure
        if found is not Meaning.RANGE:
            await self._network.ask(logs_between(first, first, _TOPICS))  # raises if the range is not what is wrong
        self._limit.refused(blocks, limit_named(failure.reason, blocks))

    # --- where to go on ----------------------------------------------------------------------------------------------

    async def _position(self) -> tuple[int, int]:
        """(head, first block to read), after comparing what was scanned before with this chain."""
        checkpoints = self._store.checkpoints()
        newest = checkpoints[0][0] if checkpoints else 0
        head, genesis, block = await self._network.read(head_number(), header(0), header(newest))
        if genesis is not None and await self._is_another_chain(genesis):
            self._store.begin(self._network.chain_id, genesis.hash)
            checkpoints = []
        elif genesis is None and not self._store.known_chain(self._network.chain_id):
            raise ChainUnavailable(self._network.chain_id, "the node knows no block 0")  # others keep recent ones only
        known = [checkpoint for checkpoint in checkpoints if checkpoint[0] <= head]
        if known and known[0][0] != newest:  # the node is behind
            block = await self._network.ask(header(known[0][0]))
        if known and block is not None and block.hash != known[0][1]:
            checkpoints = await self._shared(known)
            self._store.roll_back(checkpoints[0][0] if checkpoints else -1)
        start = self._network.start_block
        scanned = min(checkpoints[0][0], head) if checkpoints else start - 1
        return head, max(start, scanned - TAIL + 1) if checkpoints else start

    async def _is_another_chain(self, genesis: Header) -> bool:
        """Raises ChainUnavailable if the node says once this and once that, also at the first look: a false block 0
        would be another chain's at the next one, which forgets everything."""
        chain_id = self._network.chain_id
        if self._store.belongs_to(chain_id, genesis.hash):
            return False
        if await self._network.ask(header(0)) != genesis:
            raise ChainUnavailable(chain_id, "the node contradicts itself about block 0")
        return True

    async def _shared(self, checkpoints: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """The checkpoints that this chain has too, after its newest one was found to have another hash.

        Raises ChainUnavailable if the node does not say so again, or does not know older blocks.
        """
        questions = [header(number) for number, _ in checkpoints]
        blocks = await self._network.read(*questions)
        again = await self._network.ask(questions[0])
        if blocks[0] is None or blocks[0] != again or again.hash == checkpoints[0][1]:
            raise ChainUnavailable(self._network.chain_id, "the node contradicts itself about its blocks")
        for position, block in enumerate(blocks):
            if block is not None and block.hash == checkpoints[position][1]:
                return checkpoints[position:]
        if None in blocks:
            raise ChainUnavailable(self._network.chain_id, "the node does not know blocks that it knew")
        return []

    # --- what was read -----------------------------------------------------------------------------------------------

    async def _drop_replaced(self, found: _Range) -> None:
        """Forget blocks with logs of ours that the chain has replaced since they were read.

        An answer without them proves nothing, since the node may be behind: only another hash does."""
        said = {log.block_number: log.block_hash for log in found.logs}
        if found.end is not None:
            said[found.last] = found.end.hash
        known = self._store.blocks_with_content(found.first, found.last)
        doubtful = {number: known_hash for number, known_hash in known if said.get(number) != known_hash}
        blocks = await self._network.read(*map(header, doubtful)) if doubtful else []
        for (number, known_hash), block in zip(doubtful.items(), blocks, strict=True):
            if block is not None and block.hash != known_hash:
                self._store.forget(number)

    def _keep(self, found: _Range) -> None:
        """Add what is new; foreign contracts emit events of these names too. Raises ChainUnavailable for a log that the
        factory or an NFT of it cannot have emitted like that."""
        factory = canonical(self._network.factory)
        nfts: list[tuple[str, str, int]] = []
        events: list[MetadataEvent] = []
        datatokens: list[tuple[str, int]] = []
        orders: list[tuple[str, int]] = []
        for log in found.logs:
            kind = log.topics[0]
            is_bare = kind in _OWN_TOPICS and (not log.data or len(log.topics) == 1)
            if is_bare and (log.address == factory or self._store.is_nft(log.address)):
                raise ChainUnavailable(self._network.chain_id, "a log lacks its data")
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
                continue  # a contract of somebody else with the same topic, or texts that are none
        end = found.end
        blocks = {log.block_number: log.block_hash for log in found.logs if log.block_hash is not None}
        # The newest of all with content is kept too: should the hash of the last block be false, nothing lies above.
        recent = [(number, said) for number, said in blocks.items() if number > min(found.last - TAIL, max(blocks) - 1)]
        scanned = None if end is None else (end.number, end.hash)
        fresh = (log for log in found.logs if not self._store.market.has(log.block_number, log.index, log.tx_hash))
        market = [said for log in fresh if (said := self._market.read(log)) is not None]
        self._store.add(nfts, events, scanned, datatokens=datatokens, orders=orders, blocks=recent, market=market)


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
