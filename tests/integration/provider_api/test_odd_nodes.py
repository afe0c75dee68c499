"""The service behind a chain node with the habits of public ones: late orders, readiness, starts in trouble."""

# ruff: noqa: F811 - fixtures of another module are parameters here

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx
import pytest

from ocean.chain.network import Network
from ocean.client import Consumer
from tests.integration.provider_api.test_on_chain import Running, consumer, service  # noqa: F401  (fixtures)
from tests.support import chain as actors
from tests.support.chain import Chain
from tests.support.habits import NEEDLESS, Node, node_with_habits
from tests.support.provider_neighbours import FREE

pytestmark = pytest.mark.integration
SECONDS = 60.0  # a limit for slow machines
START = "/api/services/compute"


@pytest.fixture
async def node(development_chain: Any) -> AsyncIterator[Node]:
    async with node_with_habits(development_chain.url) as made:
        yield made


@pytest.fixture
async def chain(development_chain: Any, node: Node) -> AsyncIterator[Chain]:
    """The service's node has habits; publishers and consumers have another one."""
    network = await Network.open(development_chain.url, development_chain.address_file)
    yield Chain(node.url, str(development_chain.address_file), network)
    await network.close()


@pytest.fixture
async def http(service: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=service.url, trust_env=False, timeout=SECONDS) as client:
        yield client


async def ordered(service: Running, consumer: Consumer) -> dict[str, Any]:
    """The body of a start whose orders are good."""
    dataset, algorithm = await service.publish(), await service.publish_algorithm()
    datasets, program = await service.order(consumer, actors.consumer, FREE, [dataset, algorithm])
    return await consumer.start_request(FREE, datasets, program)


async def test_an_order_that_the_node_learns_of_during_the_start(
    service: Running,
    consumer: Consumer,
    node: Node,
    http: httpx.AsyncClient,
) -> None:
    request = await ordered(service, consumer)
    node.hides_receipts = True
    before = node.count("eth_getTransactionReceipt")
    start = asyncio.create_task(http.post(START, json=request))
    while node.count("eth_getTransactionReceipt") < before + 3:
        await asyncio.sleep(0.02)
    node.reset()
    assert (await start).status_code == 200


async def test_an_order_that_stays_unconfirmed_may_be_asked_again(
    service: Running,
    consumer: Consumer,
    node: Node,
    http: httpx.AsyncClient,
) -> None:
    request = await ordered(service, consumer)
    node.hides_receipts = True
    answer = await http.post(START, json=request)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    text = "The order's transaction is not confirmed yet. Repeat the same request."
    assert answer.json() == {"context": None, "error": text}
    node.reset()
    again = await http.post(START, json=request)
    assert again.status_code == 200, "the same signature"
    assert len(service.argo.workflows) == 1


async def test_an_index_that_cannot_be_read_is_not_ready(
    service: Running,
    node: Node,
    http: httpx.AsyncClient,
) -> None:
    assert (await http.get("/health/ready")).status_code == 200
    node.longest_range = 0
    unknown = "/api/aquarius/assets/ddo/did:op:" + "0" * 64
    deadline = time.monotonic() + SECONDS
    while (answer := await http.get("/health/ready")).status_code == 200:
        assert time.monotonic() < deadline
        await http.get(unknown)
        await asyncio.sleep(0.1)
    cause = "assets are not up to date: the node refuses: too many blocks in one log query"
    assert answer.json()["checks"]["chain 8996"] == cause
    node.reset()
    while (await http.get("/health/ready")).status_code != 200:
        assert time.monotonic() < deadline
        await http.get(unknown)
        await asyncio.sleep(0.1)


SEQUENCES: dict[str, Sequence[Mapping[str, Any]]] = {
    "several nodes, one restarts": (
        {"lags": (0, 3, 1), "shuffles": True},
        {"restarted": True},
        {"restarted": False, "log_lag": 5},
    ),
    "limits": (
        {"longest_range": 5, "range_form": "oasis", "most_calls": 2, "batch_form": "list with one error"},
        {"rate_refusals": 3, "rate_form": "quicknode", "most_calls": 1, "batch_form": "hangs up"},
        {"most_results": 2, "rate_refusals": 2, "rate_form": "plain", "retry_after": 1},
    ),
    "odd and forgetful": (
        {"long_extra_data": True, "absent": NEEDLESS, "absence": "garbled"},
        {"forgets": 0.5, "absence": "null"},
        {"page": (502, "<html>Bad Gateway</html>")},
    ),
}


@pytest.mark.parametrize("sequence", SEQUENCES.values(), ids=SEQUENCES)
async def test_starts_through_sequences_of_habits(
    service: Running,
    consumer: Consumer,
    node: Node,
    http: httpx.AsyncClient,
    sequence: Sequence[Mapping[str, Any]],
) -> None:
    """A start that is repeated until it is answered is one job; a forged order starts none, whatever the node says."""
    request = await ordered(service, consumer)
    dataset = await service.publish(compute={"allowRawAlgorithm": True})
    forged = {"documentId": dataset.ddo.id, "serviceId": dataset.service_id}
    forged["transferTxId"] = await service.chain.forged_order(dataset, service.chain.quote(dataset))
    for habits in sequence:
        for name, value in habits.items():
            setattr(node, name, value)
        theft = await consumer.start_request(FREE, [forged], request["algorithm"])
        for body in (theft, request):
            answer = await http.post(START, json=body)
            assert answer.status_code in ({400, 503} if body is theft else {200, 503}), answer.text
    node.reset()
    deadline = time.monotonic() + SECONDS
    while (answer := await http.post(START, json=request)).status_code != 200:
        assert (answer.status_code, time.monotonic() < deadline) == (503, True), answer.text
        await asyncio.sleep(0.2)
    (job,) = answer.json()
    assert len(service.argo.workflows) == 1
    service.argo.finish(job["jobId"])
