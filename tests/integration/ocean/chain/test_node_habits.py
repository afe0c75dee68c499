"""The index behind nodes as they are: odd blocks, restarts, lagging answers, limits of every form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ocean.chain import pacing, rpc
from ocean.chain.errors import ChainUnavailable, NodeBusy
from ocean.chain.index import MetadataIndex
from ocean.chain.network import Network
from ocean.chain.orders import verify_order
from ocean.chain.publishing import set_metadata
from ocean.chain.transactions import send
from tests.support.chain import PROVIDER_URL, Chain, consumer, nft_state, provider, publisher, stranger
from tests.support.habits import ABSENT, NEEDLESS, Node, node_with_habits
from tests.support.node_texts import BATCHES, RANGES, RATES, RESULTS

pytestmark = pytest.mark.integration


@asynccontextmanager
async def through(chain: Chain, node: Node, path: Path | None = None) -> AsyncIterator[tuple[Network, MetadataIndex]]:
    network = await Network.open(node.url, chain.network.addresses, timeout_seconds=30)
    index = MetadataIndex(network, provider, path)
    try:
        yield network, index
    finally:
        await index.close()
        await network.close()


async def mine(chain: Chain, blocks: int) -> None:
    await chain.network.rpc.call("anvil_mine", hex(blocks))


# --- Fields that nobody needs ----------------------------------------------------------------------------------------


async def test_blocks_with_long_extra_data(chain: Chain) -> None:
    asset = await chain.publish()
    order = await chain.order(asset)
    async with node_with_habits(chain.url) as node:
        node.long_extra_data = True
        async with through(chain, node) as (network, index):
            assert (await index.resolve(asset.ddo.id)).id == asset.ddo.id
            assert (await verify_order(network, chain.request(asset, order))).payer == consumer.address


@pytest.mark.parametrize("absence", ["missing", *ABSENT])
async def test_fields_that_nobody_needs_are_not_missed(chain: Chain, absence: str) -> None:
    """Each alone, and all together; blocks, receipts and logs."""
    asset = await chain.publish()
    order = await chain.order(asset)
    async with node_with_habits(chain.url) as node:
        node.absence = absence
        lacking = [{method: names} for method, names in NEEDLESS.items()]
        for absent in [*lacking, NEEDLESS]:
            node.absent = absent
            async with through(chain, node) as (network, index):
                assert (await index.resolve(asset.ddo.id)).id == asset.ddo.id
                assert (await verify_order(network, chain.request(asset, order))).payer == consumer.address


@pytest.mark.parametrize(
    ("method", "field", "absence"),
    [
        (method, field, absence)
        for method, field in (
            ("eth_getBlockByNumber", "hash"),
            ("eth_getBlockByNumber", "number"),
            ("eth_getLogs", "data"),
            ("eth_getLogs", "topics"),
            ("eth_getLogs", "address"),
        )
        for absence in ("missing", "null", "garbled")
        if (field, absence) != ("topics", "null")  # null stands for no topics
    ],
)
async def test_fields_that_are_needed_are_not_guessed(chain: Chain, method: str, field: str, absence: str) -> None:
    """The node is not available then; what it said is not half believed, and all is well once it answers rightly."""
    asset = await chain.publish()
    async with node_with_habits(chain.url) as node, through(chain, node) as (_, index):
        node.absent, node.absence = {method: (field,)}, absence
        with pytest.raises(ChainUnavailable):
            await index.resolve(asset.ddo.id)
        node.reset()
        assert (await index.resolve(asset.ddo.id)).id == asset.ddo.id


# --- Nodes that know less than before --------------------------------------------------------------------------------


async def test_a_node_that_restarts_makes_nobody_forget(chain: Chain, tmp_path: Path) -> None:
    asset = await chain.publish()
    async with node_with_habits(chain.url) as node:
        async with through(chain, node, tmp_path / "index.db") as (_, index):
            await index.sync()
            known, scanned = index.dids(), index.scanned
            node.restarted = True
            for _ in range(3):
                await index.sync()
                assert (index.dids(), index.scanned) == (known, scanned)
        async with through(chain, node, tmp_path / "index.db") as (_, index):
            await index.sync()
            assert index.dids() == known
            node.restarted = False
            node.calls.clear()
            assert (await index.resolve(asset.ddo.id)).id == asset.ddo.id
            blocks = [int(call["params"][0]["fromBlock"], 16) for call in node.calls if call["method"] == "eth_getLogs"]
            assert min(blocks) >= scanned - 64, "the chain is not read from its start again"


async def test_a_node_far_behind_says_nothing_of_what_there_is(chain: Chain) -> None:
    asset = await chain.publish()
    await mine(chain, 100)
    async with node_with_habits(chain.url) as node, through(chain, node) as (_, index):
        await index.sync()
        node.restarted = True
        for did in (asset.ddo.id, "did:op:" + "0" * 64):
            with pytest.raises(ChainUnavailable):
                await index.resolve(did)
        node.restarted = False
        assert (await index.resolve(asset.ddo.id)).id == asset.ddo.id


async def test_blocks_that_are_null_are_no_reorganisation(chain: Chain) -> None:
    asset = await chain.publish()
    async with node_with_habits(chain.url) as node, through(chain, node) as (_, index):
        await index.sync()
        node.forgets = 1.0
        await mine(chain, 3)
        with pytest.raises(ChainUnavailable):
            await index.sync()
        assert asset.ddo.id in index.dids()


@pytest.mark.parametrize("batch", [None, 1])
@pytest.mark.parametrize("lag", [1, 4, 40])
async def test_logs_of_a_node_that_lags_are_read_again(
    chain: Chain, tmp_path: Path, lag: int, batch: int | None
) -> None:
    """The head comes from one node and the logs from another, in one batch or not."""
    old = await chain.publish()
    path = tmp_path / "index.db"
    async with node_with_habits(chain.url) as node:
        node.most_calls = batch
        node.log_lag = lag
        async with through(chain, node, path) as (_, index):
            await index.sync()
            new = await chain.publish()
            await index.sync()
            assert lag == 1 or new.ddo.id not in index.dids(), "the premise"
            node.log_lag = 0
            assert (await index.resolve(new.ddo.id)).id == new.ddo.id
            node.log_lag = lag
            newest = await chain.publish()
            await index.sync()
        await mine(chain, 10)
        node.log_lag = 0
        async with through(chain, node, path) as (_, index):  # a restart
            await index.sync()
            assert {old.ddo.id, new.ddo.id, newest.ddo.id} <= set(index.dids())


async def test_an_update_that_one_answer_lacks_is_seen_in_the_next(chain: Chain) -> None:
    asset = await chain.publish()
    async with node_with_habits(chain.url) as node, through(chain, node) as (_, index):
        await index.sync()
        node.log_lag = 3
        document = asset.ddo.document() | {"credentials": {"deny": [{"type": "address", "values": [stranger.address]}]}}
        await set_metadata(chain.network, publisher, asset.nft, document, provider_url=PROVIDER_URL)
        await index.sync()
        node.log_lag = 0
        await index.sync()
        assert (await index.resolve(asset.ddo.id)).credentials["deny"]


async def test_a_deep_reorganisation_costs_about_as_much_as_it_is_deep(chain: Chain) -> None:
    kept = await chain.publish(name="kept")
    await mine(chain, 300)
    async with node_with_habits(chain.url) as node, through(chain, node) as (_, index):
        await index.sync()
        snapshot = await chain.snapshot()
        for _ in range(6):
            await mine(chain, 20)
            await index.sync()
        lost = await chain.publish(name="lost")
        assert (await index.resolve(lost.ddo.id)).id == lost.ddo.id
        await chain.revert(snapshot)
        await mine(chain, 130)
        replaced = await chain.publish(name="in its place")
        node.calls.clear()
        found = await index.resolve(replaced.ddo.id)
        assert found.metadata is not None
        assert found.metadata.name == "in its place"
        assert (await index.resolve(kept.ddo.id)).id == kept.ddo.id
        read = [call["params"][0] for call in node.calls if call["method"] == "eth_getLogs"]
        head = await chain.network.head()
        assert head - min(int(query["fromBlock"], 16) for query in read) <= 2 * 140 + 64


async def test_another_hash_that_is_not_said_twice_changes_nothing(chain: Chain) -> None:
    asset = await chain.publish()
    async with node_with_habits(chain.url) as node, through(chain, node) as (_, index):
        await index.sync()
        for number in (0, None):  # block 0, and whichever is asked for first
            node.false_hashes = (number, 1)
            with pytest.raises(ChainUnavailable):
                await index.sync()
            assert asset.ddo.id in index.dids()
            await index.sync()
            assert (await index.resolve(asset.ddo.id)).id == asset.ddo.id


@pytest.mark.parametrize("place", ["block 0", "a last block without content", "a last block with content"])
async def test_a_false_hash_at_the_first_look_takes_nothing_away_later(chain: Chain, place: str) -> None:
    """Whatever was remembered of it, and whenever the node goes away at the next look."""
    asset = await chain.publish()
    if place == "a last block without content":
        await chain.network.rpc.call("anvil_mine", hex(140))
    head = await chain.network.head()
    for answers in range(8):
        async with node_with_habits(chain.url) as node, through(chain, node) as (_, index):
            node.false_hashes = (0 if place == "block 0" else head, 1)
            with suppress(ChainUnavailable):
                await index.sync()
            known = set(index.dids())
            node.answers_left = answers
            with suppress(ChainUnavailable):
                await index.sync()
            assert known <= set(index.dids())
            node.answers_left = None
            await index.sync()
            assert asset.ddo.id in index.dids()


async def test_orders_are_counted_once_however_often_they_are_read(chain: Chain) -> None:
    asset = await chain.publish()
    async with node_with_habits(chain.url) as node, through(chain, node) as (_, index):
        for lag in (0, 2, 0, 5, 0):
            await chain.order(asset)
            node.log_lag = lag
            await index.sync()
        for _ in range(3):
            await index.sync()
        assert (await index.resolve(asset.ddo.id)).document()["stats"]["orders"] == 5


# --- Batches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", BATCHES)
@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_limits_of_batches_in_every_form(chain: Chain, form: str, limit: int) -> None:
    asset = await chain.publish()
    async with node_with_habits(chain.url) as node:
        node.most_calls, node.batch_form = limit, form
        async with through(chain, node) as (network, index):
            assert (await index.resolve(asset.ddo.id)).id == asset.ddo.id
            assert network.rpc.batch_size <= limit
            refused = node.refused
            for _ in range(5):
                await network.read_nft(asset.nft)
            assert node.refused == refused, "the lesson is remembered"


async def test_larger_batches_are_tried_again_after_a_while(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing.BatchLimit, "FIRST_SECONDS", 0.2)
    asset = await chain.publish()
    async with node_with_habits(chain.url) as node, through(chain, node) as (network, _):
        node.most_calls = 1
        await network.read_nft(asset.nft)
        node.most_calls = None
        async with asyncio.timeout(60):
            while network.rpc.batch_size < rpc.MAX_BATCH:
                await network.read(
                    *[network.function("ERC721Template", asset.nft, "name") for _ in range(rpc.MAX_BATCH)]
                )
                await asyncio.sleep(0.05)
        before = node.round_trips
        await network.read_nft(asset.nft)
        assert node.round_trips - before == 1


async def test_answers_in_another_order(chain: Chain) -> None:
    asset = await chain.publish()
    order = await chain.order(asset)
    async with node_with_habits(chain.url) as node:
        node.shuffles = True
        async with through(chain, node) as (network, index):
            for _ in range(5):
                assert (await index.resolve(asset.ddo.id)).id == asset.ddo.id
                assert (await verify_order(network, chain.request(asset, order))).payer == consumer.address
            assert network.rpc.batch_size == rpc.MAX_BATCH


@pytest.mark.parametrize("page", [(502, "<html>Bad Gateway</html>"), (200, "<html>Sign in</html>"), (500, "")])
async def test_a_node_in_trouble_teaches_nothing(chain: Chain, page: tuple[int, str]) -> None:
    asset = await chain.publish()
    async with node_with_habits(chain.url) as node, through(chain, node) as (network, index):
        node.page = page
        for _ in range(3):
            with pytest.raises(ChainUnavailable):
                await network.read_nft(asset.nft)
            with pytest.raises(ChainUnavailable):
                await index.sync()
        assert node.round_trips <= 2 * 6 + 1
        node.page = None
        assert network.rpc.batch_size == rpc.MAX_BATCH
        assert (await index.resolve(asset.ddo.id)).id == asset.ddo.id


# --- Rates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", RATES)
async def test_a_limit_of_rate_is_waited_for_and_teaches_nothing(chain: Chain, form: str) -> None:
    asset = await chain.publish()
    async with node_with_habits(chain.url) as node, through(chain, node) as (network, index):
        node.rate_form, node.rate_refusals, node.retry_after = form, 1, 1
        if form == "infura daily":
            node.retry_after = None
        before, began = node.round_trips, asyncio.get_running_loop().time()
        assert (await network.read_nft(asset.nft)).owner == publisher.address
        assert asyncio.get_running_loop().time() - began >= (0.4 if node.retry_after is None else 0.9)
        assert node.round_trips - before == 2
        assert network.rpc.batch_size == rpc.MAX_BATCH
        node.rate_refusals = 1
        assert (await index.resolve(asset.ddo.id)).id == asset.ddo.id
        queries = [call["params"][0] for call in node.calls if call["method"] == "eth_getLogs"]
        assert len({(query["fromBlock"], query["toBlock"]) for query in queries}) <= 2, "no range was cut"


async def test_a_long_wait_is_kept_without_a_word_to_the_node(chain: Chain) -> None:
    asset = await chain.publish()
    async with node_with_habits(chain.url) as node, through(chain, node) as (network, _):
        node.rate_refusals, node.retry_after = 1, 30
        before = node.round_trips
        for _ in range(5):
            with pytest.raises(NodeBusy):
                await network.read_nft(asset.nft)
        assert node.round_trips - before == 1


async def test_the_words_of_a_contract_are_not_the_nodes(chain: Chain) -> None:
    """Whoever deploys a contract that reverts with "rate limit" must not make others wait, nor a batch smaller."""
    async with node_with_habits(chain.url) as node, through(chain, node) as (network, _):
        for words in ("too many requests, retry in 30s", "batch too large", "block range is too large"):
            code = network.web3.eth.contract(abi=[], bytecode=reverting_with(words))
            receipt = await send(chain.network, stranger, code.constructor())
            assert receipt.contract_address is not None
            before = node.round_trips
            assert await nft_state(network, receipt.contract_address) is None
            assert node.round_trips - before == 1
        assert network.rpc.batch_size == rpc.MAX_BATCH


# --- Ranges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", RANGES)
async def test_limits_of_ranges_in_every_form(chain: Chain, form: str) -> None:
    asset = await chain.publish()
    async with node_with_habits(chain.url) as node:
        node.longest_range, node.range_form = 7, form
        async with through(chain, node) as (_, index):
            assert (await index.resolve(asset.ddo.id)).id == asset.ddo.id


@pytest.mark.parametrize("form", RESULTS)
async def test_limits_of_results(chain: Chain, form: str) -> None:
    asset = await chain.publish()
    async with node_with_habits(chain.url) as node:
        node.most_results, node.result_form = 3, form
        async with through(chain, node) as (_, index):
            assert (await index.resolve(asset.ddo.id)).id == asset.ddo.id


class LongChain(Node):
    """A chain of any length without a log of ours."""

    def __init__(self, blocks: int) -> None:
        super().__init__("")
        self.blocks = blocks

    async def _ask(self, method: str, params: Sequence[Any]) -> Any:
        if method == "eth_blockNumber":
            return hex(self.blocks)
        if method == "eth_getLogs":
            return []
        number = int(params[0], 16)
        return {"number": hex(number), "hash": f"0x{number + 1:064x}"}

    async def _forward(self, call: Any) -> Any:
        assert call["method"] == "eth_chainId"
        return {"jsonrpc": "2.0", "id": call["id"], "result": "0x2324"}


@pytest.mark.parametrize("form", ["geth-like", "oasis", "wordless"])
@pytest.mark.parametrize("batch", [None, 1])
async def test_a_ceiling_of_ranges_is_remembered(chain: Chain, form: str, batch: int | None) -> None:
    long = LongChain(100_000)
    long.longest_range, long.range_form, long.most_calls = 100, form, batch
    async with node_with_habits("", long) as node, through(chain, node) as (_, index):
        await index.sync()
        assert index.scanned == 100_000
        assert 100_000 / node.count("eth_getLogs") >= 95


async def test_a_ceiling_that_is_lifted_is_noticed(chain: Chain) -> None:
    long = LongChain(40_000)
    long.longest_range, long.range_form = 100, "oasis"
    async with node_with_habits("", long) as node, through(chain, node) as (_, index):
        await index.sync()
        long.longest_range, long.blocks = None, 3_000_000
        node.calls.clear()
        await index.sync()
        assert node.count("eth_getLogs") < 500


async def test_a_scan_goes_on_where_it_was_killed(chain: Chain, tmp_path: Path) -> None:
    long = LongChain(30_000)
    long.longest_range, long.range_form = 100, "oasis"
    async with node_with_habits("", long) as node:
        reached = -1
        for _ in range(3):
            async with through(chain, node, tmp_path / "index.db") as (_, index):
                assert index.scanned >= reached
                node.calls.clear()
                task = asyncio.create_task(index.sync())
                while node.count("eth_getLogs") < 60:
                    await asyncio.sleep(0.005)
                task.cancel()
            async with through(chain, node, tmp_path / "index.db") as (_, index):
                assert index.scanned > reached + 4000, "what was read was kept"
                reached = index.scanned
        async with through(chain, node, tmp_path / "index.db") as (_, index):
            node.calls.clear()
            await index.sync()
            assert index.scanned == 30_000
            first = min(
                int(call["params"][0]["fromBlock"], 16) for call in node.calls if call["method"] == "eth_getLogs"
            )
            assert first >= reached - 64


def reverting_with(words: str) -> bytes:
    """Creation code of a contract that reverts each call with Error(words)."""
    data = words.encode()
    answer = (
        bytes.fromhex("08c379a0")
        + (32).to_bytes(32)
        + len(data).to_bytes(32)
        + data.ljust(-(-len(data) // 32) * 32, b"\0")
    )
    size = bytes([len(answer)])
    body = b"\x60" + size + b"\x60\x0c\x60\x00\x39\x60" + size + b"\x60\x00\xfd" + answer
    length = bytes([len(body)])
    return b"\x60" + length + b"\x60\x0c\x60\x00\x39\x60" + length + b"\x60\x00\xf3" + body
