"""Metrics, health and log lines of a whole service: what is told, and that nothing secret is."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ocean.client import Consumer
from provider_api.deploy.addresses import free_port
from provider_api.deploy.file_server import FileServer
from tests.support.chain import consumer
from tests.support.service import FREE, Buyer, Service
from tests.support.stages import until
from tests.support.starts import Caller, job_of, raw

pytestmark = pytest.mark.integration

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def inward() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, files: FileServer, inward: str) -> Iterator[Service]:
    settings = {
        "C2D_METRICS__PORT": inward.rpartition(":")[2],
        "C2D_LOG__REQUESTS": "true",
        "C2D_LOG__JSON_LINES": "true",
    }
    folder = tmp_path_factory.mktemp("metrics")
    with Service(folder, allow_private=[files.address], settings=settings) as running:
        yield running


@pytest.fixture
async def caller(service: Service) -> AsyncIterator[Caller]:
    async with Caller.open(service, consumer) as one:
        yield one


async def scraped(inward: str) -> tuple[str, Samples]:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{inward}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return answer.text, {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, frozenset(labels.items())), 0.0)


def lines(service: Service) -> list[dict[str, object]]:
    return [json.loads(line) for line in (service.folder.logs / "api.log").read_text().splitlines() if line[0] == "{"]


async def test_a_job_is_seen_and_nothing_secret(
    service: Service, caller: Caller, inward: str, files: FileServer
) -> None:
    network = await service.network()
    _, before = await scraped(inward)
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{service.url}/nowhere/0x{'ab' * 20}")).status_code == 404
    async with Consumer(service.url, consumer) as client:
        dataset = await Buyer(service, network, client).publish(
            files.urls["rain.csv"], compute={"allowRawAlgorithm": True}
        )
    order = await caller.buy(dataset)
    request = await caller.fresh([order], raw("echo hello"))
    job_id = job_of(await caller.send(request))["jobId"]
    assert job_of(await caller.send(request))["jobId"] == job_id
    refused = await caller.send(await caller.fresh([order | {"transferTxId": "0x" + "17" * 32}], raw()))
    assert refused.status_code == 400
    await caller.finished(job_id)
    result = await caller.result(job_id, 0)
    await network.close()

    text, after = await scraped(inward)
    for outcome, rule, more in (("started", "", 1), ("repeated", "", 1), ("refused", "order_invalid", 1)):
        labels = {"outcome": outcome, "rule": rule}
        assert value(after, "c2d_starts_total", **labels) - value(before, "c2d_starts_total", **labels) == more, outcome
    compute = "/api/services/compute"
    assert value(after, "c2d_requests_total", method="POST", route=compute, status="200") == 2
    assert value(after, "c2d_requests_total", method="GET", route="none", status="404") >= 1
    assert value(after, "c2d_response_bytes_total", route="/api/services/computeResult") == len(result.content)
    assert value(after, "c2d_neighbour_call_seconds_count", neighbour="argo", operation="submit") == 1
    assert value(after, "c2d_neighbour_call_seconds_count", neighbour="chain 8996", operation="verify_order") >= 2
    assert value(after, "c2d_places", environment=FREE) == 4
    assert ("c2d_unfinished_jobs", frozenset({("environment", FREE)})) in after
    assert value(after, "c2d_argo_watch_alive", server="00") == 1
    asked = {
        answer: value(after, "c2d_argo_statuses_total", server="00", answer=answer) for answer in ("known", "asked")
    }
    assert sum(asked.values()) >= value(after, "c2d_requests_total", method="GET", route=compute, status="200")
    assert value(after, "c2d_loop_last_success_timestamp_seconds", loop="environments") > 1_700_000_000
    for secret in (job_id, caller.address, dataset.id, order["transferTxId"], request["signature"], "ab" * 20):
        assert secret.lower().removeprefix("0x") not in text.lower()

    told = [line for line in lines(service) if line["event"] == "request"]
    mine = [line for line in told if line.get("job_id") == job_id]
    assert {(line["method"], line["route"], line["status"]) for line in mine} >= {
        ("POST", compute, 200),
        ("GET", compute, 200),
        ("GET", "/api/services/computeResult", 200),
    }
    submitted = next(line for line in lines(service) if line["event"] == "job_submitted")
    assert submitted["request_id"] in {line["request_id"] for line in mine}
    assert all(re.fullmatch("[0-9a-f]{16}", str(line["request_id"])) for line in told)
    assert not [line for line in told if request["signature"] in json.dumps(line) or "0xabab" in json.dumps(line)]


async def test_health_with_a_part_away(service: Service, inward: str) -> None:
    async with httpx.AsyncClient(trust_env=False, base_url=inward) as http:

        async def ready() -> int:
            return (await http.get("/readyz")).status_code

        async def is_ready() -> bool:
            return await ready() == 200

        async def is_not() -> bool:
            return await ready() == 503

        assert await is_ready()
        await service.stop_part("argo")
        try:
            await until(is_not, "it is told", 20)
            assert (await http.get("/healthz")).json() == {"status": "ok"}
            assert (await http.get("/readyz")).json()["checks"]["argo"] == "unavailable"
            _, samples = await scraped(inward)
            failed = [key for key in samples if key[0] == "c2d_neighbour_call_failures_total"]
            assert any(dict(labels)["error"] == "ArgoUnavailable" for _, labels in failed)
        finally:
            await service.start_part("argo")
        await until(is_ready, "it is back", 20)
        assert (await http.get("/")).status_code == 404
    async with httpx.AsyncClient(trust_env=False, base_url=service.url) as http:
        for path in ("/metrics", "/healthz", "/readyz"):
            assert (await http.get(path)).status_code == 404, "not where consumers come in"
