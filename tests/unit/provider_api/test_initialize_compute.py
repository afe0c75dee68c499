"""initializeCompute says before anybody pays what a start would refuse anyway: too large a job, too many jobs."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import provider_facts as facts
from tests.support.provider_neighbours import FREE, World

pytestmark = pytest.mark.unit


async def ask(world: World, meta: dict[str, Any]) -> httpx.Response:
    body = {
        "datasets": [{"documentId": world.publish(), "serviceId": "svc"}],
        "algorithm": {"meta": meta},
        "compute": {"env": FREE, "validUntil": int(time.time()) + 600},
        "consumerAddress": world.consumer.address,
    }
    return await world.http.post("/api/services/initializeCompute", json=body)


async def test_a_job_that_is_too_large(world: World) -> None:
    meta = dict(facts.raw().meta or {})
    assert (await ask(world, meta)).status_code == 200
    answer = await ask(world, {**meta, "rawcode": secrets.token_hex(80_000)})
    assert answer.status_code == 400
    assert answer.json()["error"]["algorithm"].startswith("job_too_large: ")


async def test_a_full_queue(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.argo.max_queued = 0  # beside two that run
    async with world.running():
        meta = dict(facts.raw().meta or {})
        for nonce in (5, 6):
            assert (await ask(world, meta)).status_code == 200
            assert (await world.start(world.start_body(nonce))).status_code == 200
        answer = await ask(world, meta)
        assert (answer.status_code, answer.json()) == (400, {"error": {"environment": "queue_full"}})
        assert (await world.start(world.start_body(7))).json() == answer.json(), "the start says the same"
        world.argo.finish(next(iter(world.argo.workflows)))
        assert (await ask(world, meta)).status_code == 200, "there is room again, and that is known at once"


async def test_without_argo_nobody_knows_whether_there_is_room(world: World) -> None:
    meta = dict(facts.raw().meta or {})
    assert (await ask(world, meta)).status_code == 200, "the environments are known now"
    world.argo.away = True
    answer = await ask(world, meta)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
