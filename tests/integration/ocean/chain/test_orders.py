"""Orders on the real contracts: the ways to buy that count, and attacks that Ocean Provider lets pass."""

from __future__ import annotations

import asyncio
import time

import pytest

from ocean.addresses import ZERO
from ocean.chain.order_rules import LONGEST_REUSE_CHAIN
from ocean.chain.ordering import reuse_order
from ocean.chain.orders import OrderInvalid, OrderRequest, verify_order
from ocean.chain.publishing import create_nft
from ocean.chain.transactions import TransactionFailed, send
from tests.support.chain import (
    PAID,
    Asset,
    Chain,
    consumer,
    environment,
    mined_at,
    order_reused_log,
    order_started_log,
    provider,
    provider_fee_log,
    stranger,
)

pytestmark = pytest.mark.integration

FEE = 5 * 10**18


async def refusal(chain: Chain, request: OrderRequest, **options: float) -> str:
    with pytest.raises(OrderInvalid) as caught:
        await verify_order(chain.network, request, **options)
    return caught.value.reason


class TestPurchases:
    async def test_order_with_a_fee_says_who_paid_what_for_how_long(self, chain: Chain) -> None:
        asset = await chain.publish()
        quote = chain.quote(asset, amount=FEE)
        before = await chain.network.balance(chain.network.ocean, provider.address)
        tx = await chain.order(asset, quote)
        order = await verify_order(chain.network, chain.request(asset, tx))
        assert (order.tx_hash, order.start_tx_hash) == (tx, tx)
        assert (order.consumer, order.payer) == (environment.address, consumer.address)
        assert (order.amount, order.fee_amount, order.fee_token) == (10**18, FEE, chain.network.ocean)
        assert (order.valid_until, order.environment) == (quote.valid_until, "free")
        assert order.timestamp == order.block_timestamp == await mined_at(chain.network, tx)
        assert await chain.network.balance(chain.network.ocean, provider.address) == before + FEE

    async def test_one_round_trip_verifies_an_order(self, chain: Chain) -> None:
        asset = await chain.publish()
        tx = await chain.order(asset)
        before = chain.network.rpc.round_trips
        await verify_order(chain.network, chain.request(asset, tx))
        assert chain.network.rpc.round_trips - before == 1

    @pytest.mark.parametrize("spell", [str.upper, lambda tx: tx[2:], lambda tx: "0X" + tx[2:].upper()])
    async def test_spelling_of_the_hash_is_normalised(self, chain: Chain, spell: object) -> None:
        asset = await chain.publish()
        tx = await chain.order(asset)
        order = await verify_order(chain.network, chain.request(asset, spell(tx)))  # type: ignore[operator]
        assert order.tx_hash == tx

    async def test_enterprise_datatokens_are_ordered_alike(self, chain: Chain) -> None:
        asset = await chain.publish(template=2)
        tx = await chain.order(asset)
        assert (await verify_order(chain.network, chain.request(asset, tx))).payer == consumer.address

    async def test_bundle_through_the_factory_counts_for_who_signed_it(self, chain: Chain) -> None:
        asset = await chain.publish()
        tx = await chain.order_bundle(asset, chain.quote(asset))
        assert (await verify_order(chain.network, chain.request(asset, tx))).payer == consumer.address
        assert await refusal(chain, chain.request(asset, tx, sender=stranger.address)) == "sender_mismatch"

    async def test_reuse_renews_the_fee_of_a_purchase(self, chain: Chain) -> None:
        asset = await chain.publish()
        start = await chain.order(asset)
        quote = chain.quote(asset, amount=FEE, valid_until=int(time.time()) + 7200)
        first = await reuse_order(chain.network, consumer, asset.datatoken, start, quote)
        order = await verify_order(chain.network, chain.request(asset, first))
        assert (order.tx_hash, order.start_tx_hash) == (first, start)
        assert (order.fee_amount, order.valid_until) == (FEE, quote.valid_until)
        second = await reuse_order(chain.network, consumer, asset.datatoken, first, chain.quote(asset))
        assert (await verify_order(chain.network, chain.request(asset, second))).start_tx_hash == start

    async def test_unknown_transaction_is_answered_at_once(self, chain: Chain) -> None:
        asset = await chain.publish()
        before = chain.network.rpc.round_trips
        assert await refusal(chain, chain.request(asset, "0x" + "11" * 32)) == "order_not_found"
        assert chain.network.rpc.round_trips - before == 1

    async def test_reverted_transaction_is_no_order(self, chain: Chain) -> None:
        asset = await chain.publish()
        values = (environment.address, 0, chain.quote(asset).tuple(), (ZERO, ZERO, 0))
        order = chain.network.function("ERC20Template", asset.datatoken, "startOrder", *values)
        with pytest.raises(TransactionFailed):
            await send(chain.network, consumer, order)
        unlocked = await order.transact({"from": consumer.address, "gas": 300_000})
        tx = unlocked.to_0x_hex()
        while await chain.network.receipt(tx) is None:
            await asyncio.sleep(0.005)
        assert await refusal(chain, chain.request(asset, tx)) == "transaction_failed"


class TestAttacks:
    async def test_forged_datatoken_of_the_attacker(self, chain: Chain) -> None:
        """A real order of the attacker's own datatoken, carrying our free quote for the victim's asset."""
        victim, own = await chain.publish(), await chain.attackers_asset()
        tx = await chain.order_of_own_token(own, chain.quote(victim))
        request = chain.request(victim, tx, sender=stranger.address)
        assert await refusal(chain, request) == "no_order"

    async def test_invented_logs_buy_no_paid_environment(self, chain: Chain) -> None:
        victim = await chain.publish()
        quote = chain.quote(victim, environment=PAID, amount=25 * 10**18)
        tx = await chain.forged_order(victim, quote, payer=stranger.address)
        receipt = await chain.network.receipt(tx)
        assert receipt is not None
        assert len(receipt.logs) == 2, "the forgery itself must work, or this test shows nothing"
        request = chain.request(victim, tx, sender=stranger.address, environment=PAID)
        assert await refusal(chain, request) == "no_order"

    async def test_attackers_datatoken_named_in_place_of_the_assets(self, chain: Chain) -> None:
        """Even a document that names a foreign datatoken does not help: the asset's NFT did not make it."""
        victim, own = await chain.publish(), await chain.attackers_asset()
        tx = await chain.order_of_own_token(own, chain.quote(own))
        request = chain.request(victim, tx, sender=stranger.address, datatoken=own.datatoken)
        assert await refusal(chain, request) == "not_deployed"

    async def test_nft_that_is_not_of_the_factory(self, chain: Chain) -> None:
        asset = await chain.publish()
        tx = await chain.order(asset)
        assert await refusal(chain, chain.request(asset, tx, nft=asset.datatoken)) == "not_of_factory"
        assert await refusal(chain, chain.request(asset, tx, nft=stranger.address)) == "not_of_factory"

    async def test_reuse_of_an_order_of_another_asset(self, chain: Chain) -> None:
        cheap, victim = await chain.publish(), await chain.publish()
        other = await chain.order(cheap)
        tx = await reuse_order(chain.network, consumer, victim.datatoken, other, chain.quote(victim))
        assert await refusal(chain, chain.request(victim, tx)) == "reuse_of_other_order"

    async def test_reuse_of_an_invented_order(self, chain: Chain) -> None:
        victim = await chain.publish()
        quote = chain.quote(victim)
        made_up = await reuse_order(chain.network, consumer, victim.datatoken, "0x" + "22" * 32, quote)
        assert await refusal(chain, chain.request(victim, made_up)) == "reuse_of_other_order"
        forged = await chain.forged_order(victim, quote)
        on_forged = await reuse_order(chain.network, consumer, victim.datatoken, forged, quote)
        assert await refusal(chain, chain.request(victim, on_forged)) == "reuse_of_other_order"

    async def test_invented_reuse_of_a_real_order(self, chain: Chain) -> None:
        victim = await chain.publish()
        real, quote = await chain.order(victim), chain.quote(victim)
        logs = [order_reused_log(real, consumer.address, int(time.time())), provider_fee_log(quote)]
        assert await refusal(chain, chain.request(victim, await chain.forge_logs(logs))) == "no_order"

    async def test_reuse_of_somebody_elses_order(self, chain: Chain) -> None:
        asset = await chain.publish()
        bought = await chain.order(asset)
        tx = await reuse_order(chain.network, stranger, asset.datatoken, bought, chain.quote(asset))
        assert await refusal(chain, chain.request(asset, tx, sender=stranger.address)) == "reuse_by_stranger"
        # nor can a stranger renew it against the buyer's will
        assert await refusal(chain, chain.request(asset, tx)) == "reuse_by_stranger"

    async def test_reuse_does_not_renew_the_time_limit(self, chain: Chain) -> None:
        asset = await chain.publish(timeout=1)
        request = chain.request(asset, await chain.order(asset))
        order = await verify_order(chain.network, request, now=0)
        await chain.reach(order.timestamp + 2)
        tx = await reuse_order(chain.network, consumer, asset.datatoken, order.tx_hash, chain.quote(asset))
        renewed = await verify_order(chain.network, chain.request(asset, tx), now=0)
        assert renewed.block_timestamp > renewed.timestamp + 1, "the reuse must be later, or this test shows nothing"
        just_after = renewed.block_timestamp + 0.5
        assert await refusal(chain, chain.request(asset, tx), now=just_after) == "order_expired"

    async def test_endless_chain_of_reuses(self, chain: Chain) -> None:
        asset = await chain.publish()
        tx = start = await chain.order(asset)
        for _ in range(LONGEST_REUSE_CHAIN):
            tx = await reuse_order(chain.network, consumer, asset.datatoken, tx, chain.quote(asset))
        assert (await verify_order(chain.network, chain.request(asset, tx))).start_tx_hash == start
        tx = await reuse_order(chain.network, consumer, asset.datatoken, tx, chain.quote(asset))
        assert await refusal(chain, chain.request(asset, tx)) == "reuse_chain_too_long"

    async def test_algorithm_orders_obey_environment_and_expiry(self, chain: Chain) -> None:
        algorithm = await chain.publish(type="algorithm", service="access")
        old = chain.quote(algorithm, environment=PAID, amount=FEE, valid_until=int(time.time()) - 100_000)
        tx = await chain.order(algorithm, old)
        assert await refusal(chain, chain.request(algorithm, tx, environment=PAID)) == "fee_expired"
        elsewhere = await chain.order(algorithm, chain.quote(algorithm, environment=PAID))
        assert await refusal(chain, chain.request(algorithm, elsewhere)) == "environment_mismatch"

    async def test_order_of_somebody_else(self, chain: Chain) -> None:
        """The quote of one consumer may be used by another, for his own order only."""
        asset = await chain.publish()
        quote = chain.quote(asset)
        mine = await chain.order(asset, quote)
        his = await chain.order(asset, quote, key=stranger)
        assert await refusal(chain, chain.request(asset, mine, sender=stranger.address)) == "sender_mismatch"
        assert (await verify_order(chain.network, chain.request(asset, his, sender=stranger.address))).tx_hash == his

    async def test_fee_to_oneself_or_to_nobody(self, chain: Chain) -> None:
        asset = await chain.publish()
        own = await chain.order(asset, chain.quote(asset, key=stranger))
        assert await refusal(chain, chain.request(asset, own)) == "foreign_fee"
        quote = chain.quote(asset)
        unsigned = type(quote)(quote.provider_data, ZERO, quote.fee_token, 0, quote.valid_until, 0, quote.r, quote.s)
        nobody = await chain.order(asset, unsigned)
        assert await refusal(chain, chain.request(asset, nobody)) == "foreign_fee"

    async def test_fee_in_another_token(self, chain: Chain) -> None:
        asset = await chain.publish()
        tx = await chain.order(asset, chain.quote(asset, fee_token=chain.network.addresses["MockUSDC"]))
        assert await refusal(chain, chain.request(asset, tx)) == "fee_token_mismatch"

    @pytest.mark.parametrize("change", [{"service_id": "other"}, {"datatoken": environment.address}])
    async def test_quote_for_something_else(self, chain: Chain, change: dict[str, str]) -> None:
        asset = await chain.publish()
        tx = await chain.order(asset, chain.quote(asset, **change))
        assert await refusal(chain, chain.request(asset, tx)) == "quote_mismatch"

    async def test_order_of_another_service(self, chain: Chain) -> None:
        asset = await chain.publish()
        tx = await chain.order(asset, service_index=1)
        assert await refusal(chain, chain.request(asset, tx)) == "service_mismatch"

    async def test_order_that_the_environment_could_not_download_with(self, chain: Chain) -> None:
        asset = await chain.publish()
        tx = await chain.order(asset, to=consumer.address)
        assert await refusal(chain, chain.request(asset, tx)) == "consumer_mismatch"

    async def test_real_log_pairs_do_not_mix_with_forged_ones(self, chain: Chain) -> None:
        """A forged purchase in front of nothing: only the datatoken's own logs are paired."""
        asset = Asset((await chain.publish()).ddo)
        logs = [order_started_log(environment.address, stranger.address, 0, int(time.time()))]
        assert await refusal(chain, chain.request(asset, await chain.forge_logs(logs))) == "no_order"

    async def test_nft_without_this_datatoken(self, chain: Chain) -> None:
        asset = await chain.publish()
        nft, _ = await create_nft(chain.network, stranger, "empty")
        tx = await chain.order(asset)
        assert await refusal(chain, chain.request(asset, tx, nft=nft)) == "not_deployed"


async def test_grace_after_the_fee_has_ended(chain: Chain) -> None:
    asset = await chain.publish()
    now = time.time()
    quote = chain.quote(asset, valid_until=int(now) + 600)
    request = chain.request(asset, await chain.order(asset, quote))
    assert not (await verify_order(chain.network, request, now=quote.valid_until + 60)).fee_expired
    assert await refusal(chain, request, now=quote.valid_until + 200) == "fee_expired"
    lenient = chain.request(asset, request.tx_hash, lenient=True)
    assert (await verify_order(chain.network, lenient, now=quote.valid_until + 200)).fee_expired
