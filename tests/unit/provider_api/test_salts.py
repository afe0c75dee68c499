"""Who is told the salts of a passport: the owner of the dataset, of his own dataset's files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ocean.keys import address_of
from ocean.signing import salts_message, sign, start_message
from provider_api.calls.signed_text import remembered
from tests.support import provider_facts as facts
from tests.support.answers.places import belongs_to
from tests.support.provider_neighbours import CONSUMER_KEY, STRANGER_KEY, World

pytestmark = pytest.mark.unit

PATH = "/api/v1/salts"
OWNER_KEY = STRANGER_KEY
OWNER = address_of(OWNER_KEY)


@pytest.fixture
async def owned(tmp_path: Path) -> AsyncIterator[World]:
    """A world whose environments make passports, and whose first dataset belongs to an account with a key."""
    world = World(tmp_path)
    world.argo.has_record = True
    async with world.running() as running:
        yield running


async def asked(world: World, job: str, did: str, nonce: int, key: str = OWNER_KEY, **changes: Any) -> Any:
    owner = address_of(key)
    signature = sign(salts_message(owner, job, did, nonce), key)
    query = {"consumerAddress": owner, "jobId": job, "documentId": did, "nonce": nonce, "signature": signature}
    return await world.http.get(PATH, params=query | changes)


async def started(world: World) -> tuple[str, str]:
    answer = await world.start(world.start_body(5))
    job = str(answer.json()[0]["jobId"])
    return job, world.argo.spec(job, world.keys).inputs[0].did


async def test_the_owner_is_told_the_salts_that_the_pod_got(owned: World) -> None:
    job, did = await started(owned)
    belongs_to(owned, did, OWNER)
    answer = await asked(owned, job, did, 1)
    assert answer.status_code == 200, answer.text
    (asset,) = owned.argo.spec(job, owned.keys).inputs
    assert answer.json() == {
        "jobId": job,
        "documentId": did,
        "salts": [{"serviceId": asset.service_id, "salt": asset.salt}],
    }
    assert (await asked(owned, job, did, 1)).status_code == 400, "a nonce is good once"


async def test_nobody_else_is(owned: World) -> None:
    job, did = await started(owned)
    belongs_to(owned, did, OWNER)
    refused = {
        "the job's owner": await asked(owned, job, did, 50, CONSUMER_KEY),
        "an unknown job": await asked(owned, "0" * 32, did, 1),
        "a dataset that the job has not": await asked(owned, job, facts.did(77), 2),
    }
    assert {name: answer.status_code for name, answer in refused.items()} == dict.fromkeys(refused, 404)
    for answer in refused.values():
        assert answer.json()["error"].startswith("No job ")
    belongs_to(owned, did, owned.consumer.address)
    assert (await asked(owned, job, did, 3)).status_code == 404, "a former owner"
    other = await asked(owned, job, did, 4, signature=sign(start_message(OWNER, did, 4, job), OWNER_KEY))
    assert other.status_code == 400, "what was signed for another call"


async def test_jobs_without_a_passport_have_none(world: World) -> None:
    job, did = await started(world)
    belongs_to(world, did, OWNER)
    assert (await asked(world, job, did, 1)).status_code == 404


def test_its_text_is_no_other_calls() -> None:
    text = salts_message(OWNER, "0" * 32, facts.did(1), 17)
    assert remembered(text, "17").digits == 0
