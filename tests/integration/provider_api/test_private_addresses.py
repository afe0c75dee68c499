"""Private addresses are open to the files of the publishers they are for, and to nobody and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pods.configuration.downloads import plan_inputs
from tests.support import provider_facts as facts
from tests.support.file_shop import Shop
from tests.support.http_server import Reply, Request

pytestmark = pytest.mark.integration

OTHER = "0x" + "cd" * 20
RAIN = b"day,mm\n1,3\n"


def answer(request: Request) -> Reply:
    path, _, target = request.target.partition("?to=")
    if path == "/moved":
        return Reply(302, b"", {"location": target})
    return Reply(200, RAIN)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with Shop.open(tmp_path, answer, bound=(f"{{address}}/public@{facts.PUBLISHER}",)) as opened:
        yield opened


def private(shop: Shop, path: str = "/public/rain.csv") -> dict[str, Any]:
    return {"type": "url", "url": f"http://127.0.0.1:{shop.server.port}{path}", "method": "GET"}


def nft(owner: str, writer: str | None = None) -> dict[str, Any]:
    return {
        "nft": {"address": facts.NFT, "state": 0, "owner": owner},
        "event": {"from": owner if writer is None else writer},
    }


async def is_reached(shop: Shop, did: str, nonce: int) -> bool:
    """By a stranger's look and by a paid download alike; otherwise there is not even a connection."""
    before = len(shop.server.requests)
    (entry,) = (await shop.info(did, checksum=True)).json()
    delivered = await shop.download(did, nonce)
    assert entry["valid"] == (delivered.status_code == 200), delivered.text
    assert (len(shop.server.requests) > before) == entry["valid"]
    if not entry["valid"]:
        assert "address" in delivered.text
        assert "127.0.0.1" not in delivered.text
    return bool(entry["valid"])


async def test_for_whom_and_where(shop: Shop) -> None:
    cases: list[tuple[dict[str, Any], str, bool]] = [
        (nft(facts.PUBLISHER), "/public/rain.csv", True),
        (nft(facts.PUBLISHER.upper().replace("X", "x")), "/public/rain.csv", True),
        (nft(facts.PUBLISHER), "/secret", False),
        (nft(facts.PUBLISHER), "/public/%2e%2e/secret", False),
        (nft(OTHER), "/public/rain.csv", False),
        (nft(facts.PUBLISHER, writer=OTHER), "/public/rain.csv", False),
        (nft(facts.PUBLISHER), "/public/rain.csv", True),
    ]
    for number, (document, path, reached) in enumerate(cases, start=1):
        did = shop.publish(private(shop, path), number=number, **document)
        assert await is_reached(shop, did, number) is reached, (document, path)
    connections = shop.server.connections
    stranger = shop.publish(private(shop), number=50, **nft(OTHER))
    assert not await is_reached(shop, stranger, 50)
    assert shop.server.connections == connections, "not on somebody else's open connection either"


async def test_never_for_what_a_stranger_sends(shop: Shop) -> None:
    (entry,) = (await shop.info(**private(shop))).json()
    assert entry["valid"] is False
    shop.world.publish()
    container = {"entrypoint": facts.ENTRYPOINT, "image": "python", "tag": "3.12", "checksum": facts.CHECKSUM}
    raw = {"meta": {"url": private(shop)["url"], "container": container, "language": "python", "version": "1"}}
    started = await shop.world.start(shop.world.start_body(5, algorithm=raw))
    assert (started.status_code, started.json()) == (400, {"error": {"algorithm": "file_unavailable"}})
    assert shop.server.connections == 0


@pytest.mark.parametrize(("owner", "reached"), [(facts.PUBLISHER, True), (OTHER, False)])
async def test_redirects_are_judged_for_the_same_publisher(shop: Shop, owner: str, reached: bool) -> None:
    moved = shop.file(f"/moved?to={private(shop)['url']}")
    (entry,) = (await shop.info(shop.publish(moved, **nft(owner)))).json()
    assert entry["valid"] is reached
    assert len(shop.server.requests) == (2 if reached else 1)


async def test_a_job_is_told_of_its_own_publishers(tmp_path: Path) -> None:
    entries = (f"files.internal:80/public@{facts.PUBLISHER}", f"other.internal:80@{OTHER}", "all.internal:443@*")
    async with Shop.open(tmp_path, answer, {"ipfs_gateway": "http://{address}"}, bound=entries) as shop:
        shop.world.publish()
        (job,) = (await shop.world.start(shop.world.start_body(5))).json()
        spec = shop.world.argo.spec(job["jobId"], shop.world.keys)
        own, everybody, gateway = sorted(spec.allow_private, key=lambda text: ("files" not in text, "all" not in text))
        assert own == entries[0].lower()
        assert everybody == entries[2]
        assert gateway == f"127.0.0.1:{shop.server.port}/ipfs"
        ((planned,),) = [asset.downloads for asset in plan_inputs(spec)]
        assert planned.publisher == facts.PUBLISHER.lower()
