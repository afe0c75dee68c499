"""A stranger who does his worst: `python -m tests.support.stranger URL DID SERVICE COUNT SECONDS`.

On many connections at once he asks every kind of unsigned question, those that cost most first: about a published file
that is large, about addresses that do not answer, about raw algorithms that lie anywhere, with large bodies, forged
signatures. He ends after COUNT requests or SECONDS, whatever is first, and prints what was answered: {"statuses":
{"200": 1, …}, "seconds": …}. His address is another one than that of the tests.
"""

from __future__ import annotations

import asyncio
import collections
import itertools
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import httpx

CONNECTIONS: Final = 100
OWN_ADDRESS: Final = "127.0.0.2"
ADDRESS: Final = "0x" + "7e" * 20
_LARGE: Final = "x" * 300_000


@dataclass
class Outcome:
    statuses: dict[str, int] = field(default_factory=dict)  # "0": no answer
    seconds: float = 0.0


def questions(did: str, service: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path, what httpx takes), for ever."""
    raw = {"meta": {"url": "http://203.0.113.9/algorithm", "container": {"image": "python", "entrypoint": "x"}}}
    asked = {
        "datasets": [{"documentId": did, "serviceId": service}],
        "algorithm": {"documentId": did, "serviceId": service},
        "compute": {"env": "ocean-compute", "validUntil": int(time.time()) + 600},
        "environment": "ocean-compute",
        "consumerAddress": ADDRESS,
    }
    start = {
        **asked,
        "dataset": asked["datasets"][0] | {"transferTxId": "0x1"},
        "nonce": "1",
        "signature": "0x" + "1" * 130,
    }
    for number in itertools.count():
        yield "POST", "/api/services/fileinfo", {"json": {"did": did, "serviceId": service, "checksum": True}}
        yield "POST", "/api/services/fileinfo", {"json": {"type": "url", "url": f"http://198.51.100.{number % 250}/"}}
        yield "POST", "/api/v1/why-not", {"json": {**asked, "algorithm": raw}}
        yield "POST", "/api/services/initializeCompute", {"json": {**asked, "algorithm": raw, "more": _LARGE}}
        yield "POST", "/api/services/initializeCompute", {"json": asked}
        yield "GET", f"/api/aquarius/assets/ddo/did:op:{number:064x}", {}
        yield "GET", "/api/services/compute", {"params": {"consumerAddress": ADDRESS}}
        yield "POST", "/api/services/compute", {"json": start}
        yield "POST", "/api/services/encrypt?chainId=8996", {"content": _LARGE}


async def ask(url: str, did: str, service: str, count: int, seconds: float) -> Outcome:
    found: collections.Counter[str] = collections.Counter()
    asking, began = itertools.islice(questions(did, service), count), time.monotonic()
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    transport = httpx.AsyncHTTPTransport(local_address=OWN_ADDRESS, limits=limits)
    async with httpx.AsyncClient(base_url=url, transport=transport, timeout=240) as client:

        async def lane() -> None:
            for method, path, given in asking:
                if time.monotonic() - began > seconds:
                    return
                try:
                    found[str((await client.request(method, path, **given)).status_code)] += 1
                except httpx.TransportError:
                    found["0"] += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(lane())
    return Outcome(dict(found), time.monotonic() - began)


def main(words: list[str]) -> None:
    url, did, service, count, seconds = words
    print(json.dumps(asdict(asyncio.run(ask(url, did, service, int(count), float(seconds))))))


if __name__ == "__main__":
    main(sys.argv[1:])
