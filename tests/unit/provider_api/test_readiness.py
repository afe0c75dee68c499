"""What readiness and metrics tell of an index that stays behind."""

from __future__ import annotations

import asyncio

import pytest

from ocean.chain.errors import ChainUnavailable, NodeRefused
from ocean.chain.index_health import FAR_BEHIND, PATIENT_ROUNDS, IndexHealth
from provider_api.chains.chains import Chains
from provider_api.chains.readiness import Readiness, chain_question
from provider_api.telemetry.metrics import Metrics
from tests.support.provider_neighbours import MemoryChain

pytestmark = pytest.mark.unit


def test_an_index_is_in_trouble_after_some_bad_rounds_only() -> None:
    health = IndexHealth()
    for _ in range(PATIENT_ROUNDS - 1):
        health.failed(ChainUnavailable(1, "no answer"))
    assert health.trouble == ""
    health.failed(ChainUnavailable(1, "no answer"))
    assert health.trouble == "no answer"
    health.succeeded(behind=1)
    assert (health.trouble, health.failures, health.caught_up_at > 0) == ("", 0, True)


def test_a_node_that_stays_far_behind_is_trouble() -> None:
    health = IndexHealth()
    for _ in range(PATIENT_ROUNDS):
        health.succeeded(behind=FAR_BEHIND + 1)
    assert "behind" in health.trouble


def test_a_nodes_own_words_are_not_told() -> None:
    health = IndexHealth()
    for _ in range(PATIENT_ROUNDS):
        health.failed(NodeRefused(1, 429, "project abc123 has too many requests"))
    assert health.trouble == "the node refuses: too many requests"


def test_metrics_of_an_index() -> None:
    metrics, chain = Metrics(), MemoryChain()
    metrics.watch_indexes(Chains({8996: chain}).index_health)
    chain.index_health.failed(ChainUnavailable(8996))
    assert 'c2d_chain_index_failed_rounds{chain="8996"} 1.0' in metrics.text().decode()
    chain.index_health.succeeded(behind=0)
    text = metrics.text().decode()
    assert 'c2d_chain_index_failed_rounds{chain="8996"} 0.0' in text
    assert 'c2d_chain_index_last_success_timestamp_seconds{chain="8996"} 1.' in text


async def test_who_leaves_does_not_end_the_look_of_the_others() -> None:
    chain, going = MemoryChain(), asyncio.Event()

    async def slow() -> None:
        await going.wait()

    readiness = Readiness({"chain 8996": chain_question(chain), "slow": slow})
    first, second = (asyncio.create_task(readiness.checks()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    going.set()
    assert await second == {"chain 8996": "ok", "slow": "ok"}
    assert chain.heads == 1
    await readiness.close()
