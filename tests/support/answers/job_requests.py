"""What quotes, reasons and starts ask for: datasets, algorithms, and the whole of a request."""

from __future__ import annotations

import time
from typing import Any, Final

from ocean.files import UrlFile
from ocean.signing import sign, start_message
from tests.support import provider_facts as facts
from tests.support.answers.accounts import ME, STRANGER
from tests.support.answers.places import publish
from tests.support.provider_neighbours import CONSUMER_KEY, FREE, World

START: Final = "POST /api/services/compute"
QUOTE: Final = "POST /api/services/initializeCompute"
WHY_NOT: Final = "POST /api/v1/why-not"
CONTAINER: Final = "POST /api/services/validateContainer"
NOWHERE: Final = "did:op:" + "9" * 64
RAW: Final[dict[str, Any]] = dict(facts.raw().meta or {})
ALGORITHM: Final = 40


def reference(number: int = 1, order: str = "", **changes: Any) -> dict[str, Any]:
    found = {"documentId": facts.did(number), "serviceId": "svc"} | ({"transferTxId": order} if order else {})
    return found | changes


def start(nonce: Any, order: str, key: str = CONSUMER_KEY, **changes: Any) -> dict[str, Any]:
    """A signed start of a raw algorithm on the first dataset."""
    body = {
        "dataset": reference(order=order), "environment": FREE, "algorithm": {"meta": RAW}, "consumerAddress": ME,
        "nonce": nonce,
    } | changes  # fmt: skip
    did = body["dataset"].get("documentId") if isinstance(body["dataset"], dict) else ""
    message = start_message(body["consumerAddress"], did if isinstance(did, str) else "", str(nonce))
    return {"signature": sign(message, key)} | body


def quote(seconds: Any = 600, **changes: Any) -> dict[str, Any]:
    """`seconds` from now until the job shall end, or anything else as it is."""
    until = int(time.time()) + seconds if isinstance(seconds, int) else seconds
    body = {
        "datasets": [reference()], "algorithm": {"meta": RAW}, "compute": {"env": FREE, "validUntil": until},
        "consumerAddress": ME,
    }  # fmt: skip
    return body | changes


def assets(world: World, url: str) -> None:
    """Datasets and algorithms, each with one thing that rules look at."""
    open_to_all = {"allowRawAlgorithm": True}
    publish(world, 1, compute=open_to_all)
    publish(world, 2)
    trusted = {"did": facts.did(ALGORITHM), "filesChecksum": "0" * 64, "containerSectionChecksum": "0" * 64}
    publish(world, 3, compute={"publisherTrustedAlgorithms": [trusted]})
    publish(world, 4, service={"type": "access"})
    publish(world, 5, compute=open_to_all, nft={"address": facts.NFT, "state": 1})
    publish(
        world, 6, compute=open_to_all, credentials={"allow": [{"type": "address", "values": [STRANGER]}], "deny": []}
    )
    publish(world, 7, compute=open_to_all, service={"serviceEndpoint": "http://other.example"})
    publish(world, 8, compute={"publisherTrustedAlgorithmPublishers": ["0x" + "2" * 40]})
    wanted = [{"name": "year", "type": "number", "required": True}]
    publish(world, 9, compute=open_to_all, service={"consumerParameters": wanted})
    publish(world, ALGORITHM, "algorithm", [UrlFile(f"{url}/files/algorithm.py")])
    publish(world, ALGORITHM + 1, "algorithm", [UrlFile(f"{url}/files/gone.py")])


def algorithms() -> dict[str, Any]:
    """Algorithms that are none, or that cannot be had."""
    container = RAW["container"]
    return {
        "no algorithm": {},
        "an algorithm that is a text": "algorithm",
        "two algorithms": {"meta": RAW, "documentId": facts.did(ALGORITHM), "serviceId": "svc"},
        "an algorithm that is a dataset": reference(2),
        "an algorithm that is nowhere": {"documentId": NOWHERE, "serviceId": "svc"},
        "an algorithm whose file is gone": reference(ALGORITHM + 1),
        "an algorithm without its service": {"documentId": facts.did(ALGORITHM)},
        "an algorithm that is not trusted": reference(ALGORITHM),
        "code that is no text": {"meta": RAW | {"rawcode": 5}},
        "no code": {"meta": {"container": container}},
        "meta that is no JSON": {"meta": "{"},
        "meta as text": {"meta": '{"rawcode": "x"}'},
        "no container": {"meta": {"rawcode": "x"}},
        "a container without a digest": {"meta": RAW | {"container": container | {"checksum": "latest"}}},
        "an image with a tag": {"meta": RAW | {"container": container | {"image": "python:3"}}},
    }
