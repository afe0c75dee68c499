"""Whatever a chain node does in a sequence of habits: no asset is forgotten, no order wrongly accepted, what is sent is
sent once, and trouble ends with its cause.

Twenty sequences in each run; `make soak` goes through two hundred. Hypothesis shrinks and shows a sequence that fails.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocean.chain.contracts import event
from ocean.chain.development import DevelopmentChain, account
from ocean.chain.errors import ChainUnavailable
from ocean.chain.index import AssetNotFound, MetadataIndex
from ocean.chain.logs import Log, logs_between
from ocean.chain.network import Network
from ocean.chain.order_wait import OrderDesk
from ocean.chain.orders import OrderInvalid
from ocean.chain.publishing import nft_for, set_metadata
from ocean.chain.resumable import Resumable
from ocean.chain.transactions import TransactionUnconfirmed
from tests.support.chain import PROVIDER_URL, Asset, Chain, consumer, provider, publisher
from tests.support.habits import ABSENT, NEEDLESS, Node, node_with_habits
from tests.support.lanes import SOAK, size
from tests.support.node_texts import BATCHES, RANGES, RATES, RESULTS
from tests.support.signed_notes import Memory

pytestmark = pytest.mark.integration

SEQUENCES = size(test=20, soak=200)
RECOVERY_SECONDS = 120.0  # a limit for slow machines: it takes as long as a node last asked to wait
PAYER = account(7)
NOT_SHOWN = {"order_not_found", "not_confirmed", "not_of_factory", "not_deployed"}
_NFT_CREATED = event("ERC721Factory", "NFTCreated")

Habit = tuple[str, dict[str, Any]]


def habit(name: str, **choices: st.SearchStrategy[Any]) -> st.SearchStrategy[Habit]:
    return st.tuples(st.just(name), st.fixed_dictionaries(choices))


HABITS = st.one_of(
    habit("several nodes", lags=st.lists(st.integers(0, 8), min_size=1, max_size=4)),
    habit("logs lag", log_lag=st.integers(1, 50)),
    habit("restarts", restarted=st.just(True)),
    habit("is up again", restarted=st.just(False)),
    habit("forgets", forgets=st.sampled_from([0.1, 0.5, 1.0])),
    habit("ranges", longest_range=st.integers(1, 30), range_form=st.sampled_from(sorted(RANGES))),
    habit("results", most_results=st.integers(1, 6), result_form=st.sampled_from(sorted(RESULTS))),
    habit("batches", most_calls=st.integers(1, 4), batch_form=st.sampled_from(sorted(BATCHES))),
    habit(
        "rates",
        rate_refusals=st.integers(1, 3),
        rate_form=st.sampled_from(sorted(RATES)),
        retry_after=st.sampled_from([None, 1]),
    ),
    habit(
        "leaves away",
        absent=st.sets(st.sampled_from(sorted(NEEDLESS)), min_size=1).map(
            lambda names: {n: NEEDLESS[n] for n in names}
        ),
        absence=st.sampled_from(["missing", *ABSENT]),
    ),
    habit("long extra data", long_extra_data=st.just(True)),
    habit("shuffles", shuffles=st.just(True)),
    habit(
        "is away", page=st.sampled_from([(502, "<html>Bad Gateway</html>"), (200, "<html>Sign in</html>"), (500, "")])
    ),
    habit("hangs", hangs=st.just(True)),
    habit("lies once", false_hashes=st.just((None, 1))),
    habit("is old", legacy=st.just(True)),
)
# A chapter: the node takes on habits, something happens on the chain, ours looks at it; and so on with the habits kept,
# but for those that let nothing through.
ANSWERS: Habit = ("answers again", {"hangs": False, "page": None})
HAPPENS = st.sampled_from(["publish", "publish", "update", "order", "order", "forge", "mine", "reorganise", "send"])
OURS = st.sampled_from(["look", "look", "use", "restart ours"])
CHAPTER = st.tuples(st.lists(HABITS, min_size=1, max_size=2), HAPPENS, OURS)
SEQUENCE = st.lists(CHAPTER, min_size=2, max_size=4).map(
    lambda chapters: [step for habits, happens, ours in chapters for step in (*habits, happens, ours, ANSWERS)]
)


class Story:
    """One sequence: what is true of the chain, and ours behind the node, which must not say anything else."""

    def __init__(self, chain: Chain, node: Node, path: Path) -> None:
        self.chain, self.node, self.path = chain, node, path
        self.names: dict[str, str] = {}  # of the newest document, by DID
        self.assets: list[Asset] = []
        self.good: list[tuple[Asset, str]] = []
        self.forged: list[tuple[Asset, str]] = []
        self.known: set[str] = set()  # DIDs that ours has shown once
        self.lost: set[str] = set()  # those that a reorganisation took away
        self.sent: list[Memory] = []

    async def open(self) -> None:
        addresses = self.chain.network.addresses | {"startBlock": self.start}
        self.network = await Network.open(self.chain.url, addresses, timeout_seconds=3.0)
        self.network.rpc.url = self.node.url  # whatever the node does at the moment
        self.index = MetadataIndex(self.network, provider, self.path)
        self.desk = OrderDesk(self.network, 0.2, lambda: self.index.scanned, self.index.is_nft)

    async def close(self) -> None:
        await self.desk.close()
        await self.index.close()
        await self.network.close()

    async def begin(self) -> None:
        self.start = await self.chain.network.head() + 1
        self.nonce = int(await self.chain.network.rpc.call("eth_getTransactionCount", PAYER.address, "latest"), 16)
        await self.publish()
        await self.open()

    # --- what happens on the chain, and what ours does ----------------------------------------------------------------

    async def publish(self) -> None:
        asset = await self.chain.publish(name=f"asset {len(self.assets)}")
        self.assets.append(asset)
        self.lost.discard(asset.ddo.id)  # the same account makes the same addresses again
        self.names[asset.ddo.id] = f"asset {len(self.assets) - 1}"

    async def update(self) -> None:
        asset = self.assets[-1]
        document = asset.ddo.document()
        document["metadata"] = document["metadata"] | {"name": f"update {time.monotonic_ns()}"}
        await set_metadata(self.chain.network, publisher, asset.nft, document, provider_url=PROVIDER_URL)
        self.names[asset.ddo.id] = document["metadata"]["name"]

    async def order(self) -> None:
        self.good.append((self.assets[-1], await self.chain.order(self.assets[-1])))

    async def forge(self) -> None:
        asset = self.assets[-1]
        self.forged.append((asset, await self.chain.forged_order(asset, self.chain.quote(asset))))

    async def mine(self) -> None:
        await self.chain.network.rpc.call("anvil_mine", hex(7))

    async def reorganise(self) -> None:
        """An asset that ours may have seen is not of the chain any more."""
        snapshot = await self.chain.snapshot()
        asset = await self.chain.publish(name="lost")
        await self.look()
        await self.chain.revert(snapshot)
        await self.mine()
        self.known.discard(asset.ddo.id)
        self.lost.add(asset.ddo.id)

    async def restart_ours(self) -> None:
        await self.close()
        await self.open()

    async def look(self) -> None:
        with suppress(ChainUnavailable):
            await self.index.sync()

    async def send(self) -> None:
        self.sent.append(Memory())
        with suppress(ChainUnavailable, TransactionUnconfirmed):
            await self.finish_sending(len(self.sent) - 1, 0.3)

    async def finish_sending(self, place: int, patience_seconds: float) -> None:
        steps = Resumable(
            self.network,
            PAYER,
            self.sent[place],
            mark=place.to_bytes(2),
            confirmations=1,
            patience_seconds=patience_seconds,
        )
        await steps.perform("nft", nft_for(self.network, "mine", "M", owner=PAYER.address, maker=PAYER.address))

    async def use(self) -> None:
        """Resolve and verify; in trouble that may fail, but never say what is not so."""
        for asset in self.assets:
            try:
                found = await self.index.resolve(asset.ddo.id)
            except (ChainUnavailable, AssetNotFound):
                continue
            assert found.id == asset.ddo.id
            self.known.add(found.id)
        for asset, tx in self.good:
            with suppress(ChainUnavailable):
                await self.verify(asset, tx)
        await self.require_no_forgery()

    async def verify(self, asset: Asset, tx: str) -> None:
        """Raises ChainUnavailable while the node does not show the order; any other refusal of it fails the test."""
        try:
            order = await self.desk.verify(self.chain.request(asset, tx, patient=True), time.time())
        except OrderInvalid as exc:
            if exc.reason in NOT_SHOWN:
                raise ChainUnavailable(8996, exc.reason) from exc
            raise
        assert (order.tx_hash, order.payer) == (tx, consumer.address)

    async def require_no_forgery(self) -> None:
        for asset, tx in self.forged:
            with pytest.raises((OrderInvalid, ChainUnavailable)):
                await self.desk.verify(self.chain.request(asset, tx), time.time())

    # --- what must hold ----------------------------------------------------------------------------------------------

    def require_nothing_forgotten(self) -> None:
        self.known |= set(self.index.dids()) - self.lost
        assert self.known <= set(self.index.dids())

    async def require_recovery(self) -> None:
        """Without its habits the node serves as ever."""
        self.node.reset()
        deadline = time.monotonic() + RECOVERY_SECONDS
        for asset in self.assets:
            await until(deadline, lambda asset=asset: self.is_newest(asset))  # type: ignore[misc]
        for asset, tx in self.good:
            await until(deadline, lambda asset=asset, tx=tx: self.verify(asset, tx))  # type: ignore[misc]
        await self.require_no_forgery()
        for did in self.lost:
            with pytest.raises(AssetNotFound):
                await self.index.resolve(did)
        for place in range(len(self.sent)):
            await self.finish_sending(place, RECOVERY_SECONDS)
        query = logs_between(self.start, await self.chain.network.head(), [_NFT_CREATED.topic])
        logs: list[Log] = await self.chain.network.ask(query)
        made = [log for log in logs if _NFT_CREATED.decode(log)["creator"] == PAYER.address.lower()]
        assert len(made) == len(self.sent), "each was sent once"

    async def is_newest(self, asset: Asset) -> None:
        await self.index.sync()
        found = await self.index.resolve(asset.ddo.id)
        assert found.metadata is not None
        assert found.metadata.name == self.names[asset.ddo.id]
        orders = sum(ordered is asset for ordered, _ in self.good)
        assert found.document()["stats"]["orders"] == orders


async def until(deadline: float, attempt: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            return await attempt()
        except (ChainUnavailable, AssetNotFound, AssertionError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


async def tell(development: DevelopmentChain, sequence: list[Habit | str]) -> None:
    network = await Network.open(development.url, development.address_file)
    try:
        with tempfile.TemporaryDirectory() as folder:
            async with node_with_habits(development.url) as node:
                chain = Chain(development.url, str(development.address_file), network)
                story = Story(chain, node, Path(folder) / "index.db")
                await story.begin()
                try:
                    for step in sequence:
                        if isinstance(step, str):
                            await getattr(story, step.replace(" ", "_"))()
                        else:
                            for name, value in step[1].items():
                                setattr(node, name, value)
                        story.require_nothing_forgotten()
                    await story.require_recovery()
                finally:
                    await story.close()
    finally:
        await network.close()


@pytest.mark.timeout(size(test=900, soak=7200))
@settings(
    max_examples=SEQUENCES,
    deadline=None,
    derandomize=not SOAK,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(sequence=SEQUENCE)
def test_sequences_of_habits(development_chain: DevelopmentChain, sequence: list[Habit | str]) -> None:
    try:
        asyncio.run(tell(development_chain, sequence))
    except BaseException as failure:
        failure.add_note(f"after the sequence {sequence!r}")
        raise
