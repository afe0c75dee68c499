"""Results of jobs that wait for the owner of their dataset, in a world in memory."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
from eth_account import Account

from contract.manifest import summary_of
from ocean.keys import address_of
from records.decision import Decision, statement_of
from records.envelope import sign_payload
from tests.support import provider_facts as facts
from tests.support.answers.places import belongs_to, says_rules
from tests.support.passports import PROVISIONED
from tests.support.provider_neighbours import STRANGER_KEY, World
from tests.support.stored_results import store_files

OWNER_KEY: Final = STRANGER_KEY
OWNER: Final = address_of(OWNER_KEY)
PEER: Final = Account.from_key("0x" + "11" * 32)  # another provider, which this service serves
DID: Final = facts.did(0)
PROGRAM: Final = "a7" * 32  # the digest of the algorithm of these jobs
FILES: Final = (
    ("configure.log", b"ours", "configrationLog"),
    ("secret.csv", b"a,b\n", "output"),
    ("algorithm.log", b"secret", "algorithmLog"),
)
PATH: Final = "/api/v1/releases"


async def held(world: World, nonce: int = 5, program: str = PROGRAM, **rules: Any) -> str:
    """A job whose results are in the store and wait. `rules`: further ones of the dataset."""
    body = world.start_body(nonce)
    says_rules(world, DID, {"approval": "owner", "approvalSeconds": 600, **rules})
    belongs_to(world, DID, OWNER)
    answer = await world.start(body)
    assert answer.status_code == 200, answer.text
    job = str(answer.json()[0]["jobId"])
    manifest = store_files(
        world.settings.data_folder / "results",
        job,
        FILES,
        created=int(time.time()),
        provisioned=PROVISIONED.model_copy(update={"program": program}),
    )
    world.argo.finish(job, results=summary_of(manifest, manifest.encoded()).encoded())
    return job


def digest(world: World, job: str) -> str:
    return hashlib.sha256((world.settings.data_folder / "results" / job / "manifest.json").read_bytes()).hexdigest()


def older(world: World, job: str, seconds: float) -> None:
    """The job ended so long ago."""
    ended = datetime.now(UTC) - timedelta(seconds=seconds)
    world.argo.workflows[job] = replace(world.argo.workflows[job], finished_at=ended, created_at=ended)


async def status(world: World, job: str) -> Any:
    query = {"consumerAddress": world.consumer.address, "jobId": job}
    return (await world.http.get("/api/services/compute", params=query)).json()[0]


def decided(world: World, job: str, *, released: bool = True, key: str = OWNER_KEY, **changes: Any) -> bytes:
    values = {
        "job_id": job,
        "manifest_digest": digest(world, job),
        "did": DID,
        "account": address_of(key),
        "released": released,
        "at": int(time.time()),
    }
    return sign_payload(statement_of(Decision(**(values | changes))).encoded(), key).encoded()


async def put(world: World, job: str, content: bytes) -> httpx.Response:
    return await world.http.put(f"{PATH}/{job}", content=content)
