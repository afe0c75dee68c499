"""An operator's policies through HTTP, each with its setting on and off: a start, a request for quotes, a use of files.

The chain and Argo are in memory, because each setting needs a service of its own; the file server is real.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract.job_spec import Algorithm
from ocean import ecies
from ocean.ddo import DDO
from ocean.file_lists import encode_files
from ocean.files import UrlFile
from ocean.keys import public_bytes
from ocean.trust import files_checksum
from provider_api.settings import OutgoingSettings, PolicySettings
from tests.support import provider_facts as facts
from tests.support.http_server import HttpServer, Reply, Request, ranged
from tests.support.provider_neighbours import FREE, PROVIDER_KEY, World

pytestmark = pytest.mark.integration

CODE = b"print('hello')"
KEY = public_bytes(PROVIDER_KEY)


@dataclass
class Market:
    """A service with these policies, one dataset and one published algorithm whose file is really there."""

    world: World
    files: HttpServer
    dataset: str = ""
    algorithm: str = ""

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, *, port: int = 0, **policy: Any) -> AsyncIterator[Market]:
        """`port`: of one more file server."""
        async with HttpServer(ranged(CODE)) as files:
            allowed = (f"127.0.0.1:{files.port}@*", f"127.0.0.1:{port or files.port}@*")
            outgoing = OutgoingSettings(allow_private=allowed)
            world = World(folder, policy=PolicySettings(**policy), outgoing=outgoing)
            async with world.running():
                market = cls(world, files)
                market.dataset = market.publish(facts.document(facts.did(1)))
                market.algorithm = market.publish(facts.document(facts.ALGORITHM_DID, "algorithm"))
                yield market

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.files.port}/secret"

    def publish(self, source: dict[str, Any]) -> str:
        files = encode_files([UrlFile(self.url)], facts.TOKEN, facts.NFT, KEY)
        source["services"][0]["files"] = files
        self.world.chain.assets[source["id"]] = DDO.parse(source)
        return str(source["id"])

    def change(self, did: str, spoil: Callable[[dict[str, Any]], Any]) -> None:
        """Another document for the asset."""
        source = self.world.chain.assets[did].document()
        spoil(source)
        self.world.chain.assets[did] = DDO.parse(source)

    def refile(self, did: str, url: str) -> None:
        """Another address for the asset's file."""
        files = encode_files([UrlFile(url)], facts.TOKEN, facts.NFT, KEY)
        self.change(did, lambda d: d["services"][0].update(files=files))

    def reference(self, did: str, **more: Any) -> dict[str, Any]:
        return {"documentId": did, "serviceId": "svc", "transferTxId": self.world.order(), **more}

    def body(self, dataset: dict[str, Any], algorithm: dict[str, Any], nonce: int) -> dict[str, Any]:
        return self.world.start_body(nonce, dataset=dataset, algorithm=algorithm)

    async def answers(
        self, *, nonce: int = 5, dataset: dict[str, Any] | None = None, algorithm: dict[str, Any] | None = None
    ) -> tuple[httpx.Response, httpx.Response]:
        """(initializeCompute's, then the start's)"""
        dataset = self.reference(self.dataset) | (dataset or {})
        published = self.reference(self.algorithm) | (algorithm or {})
        quotes = {
            "datasets": [dataset],
            "algorithm": published,
            "compute": {"env": FREE, "validUntil": int(time.time()) + 600},
            "consumerAddress": self.world.consumer.address,
        }
        quoted = await self.world.http.post("/api/services/initializeCompute", json=quotes)
        return quoted, await self.world.start(self.body(dataset, published, nonce))


def require_accepted(answers: tuple[httpx.Response, ...]) -> None:
    assert [answer.status_code for answer in answers] == [200] * len(answers), [answer.text for answer in answers]


def require_refused(answers: tuple[httpx.Response, ...], error: dict[str, str]) -> None:
    assert [(answer.status_code, answer.json()) for answer in answers] == [(400, {"error": error})] * len(answers)


def denied(did: str) -> str:
    return f"Error: Access to asset {did} was denied with code: ConsumableCodes.ASSET_DISABLED."


async def test_a_good_job(tmp_path: Path) -> None:
    """What all others differ from."""
    async with Market.open(tmp_path) as market:
        require_accepted(await market.answers())


# --- purgatory -------------------------------------------------------------------------------------------------------


def in_purgatory(document: dict[str, Any]) -> None:
    document["purgatory"] = {"state": True, "reason": "stolen"}


@pytest.mark.parametrize("respected", [True, False])
async def test_dataset_in_purgatory(tmp_path: Path, respected: bool) -> None:
    async with Market.open(tmp_path, respect_purgatory=respected) as market:
        market.change(market.dataset, in_purgatory)
        answers = await market.answers()
        if respected:
            require_refused(answers, {"dataset": denied(market.dataset)})
        else:
            require_accepted(answers)


@pytest.mark.parametrize("respected", [True, False])
async def test_algorithm_in_purgatory(tmp_path: Path, respected: bool) -> None:
    async with Market.open(tmp_path, respect_purgatory=respected) as market:
        market.change(market.algorithm, in_purgatory)
        answers = await market.answers()
        if respected:
            require_refused(answers, {"algorithm.credentials": denied(market.algorithm)})
        else:
            require_accepted(answers)


# --- trust -----------------------------------------------------------------------------------------------------------


def trusting(**compute: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["services"][0]["compute"].update(compute)


async def test_empty_lists_may_mean_nobody(tmp_path: Path) -> None:
    async with Market.open(tmp_path, trusted_lists_empty="deny") as market:
        require_refused(await market.answers(), {"dataset": "not_trusted_algo"})
        market.change(market.dataset, trusting(publisherTrustedAlgorithms=[{"did": market.algorithm}]))
        require_accepted(await market.answers(nonce=6))
        market.change(
            market.dataset, trusting(publisherTrustedAlgorithms=[], publisherTrustedAlgorithmPublishers=["*"])
        )
        require_accepted(await market.answers(nonce=7))


async def test_empty_lists_do_not_concern_raw_algorithms(tmp_path: Path) -> None:
    async with Market.open(tmp_path, trusted_lists_empty="deny") as market:
        market.change(market.dataset, trusting(allowRawAlgorithm=True))
        body = market.body(market.reference(market.dataset), {"meta": dict(facts.raw().meta or {})}, 5)
        require_accepted((await market.world.start(body),))


async def test_entries_must_carry_checksums(tmp_path: Path) -> None:
    async with Market.open(tmp_path, require_checksums=True) as market:
        market.change(market.dataset, trusting(publisherTrustedAlgorithms=[{"did": market.algorithm}]))
        require_refused(await market.answers(), {"dataset": "algorithm_file_checksum_mismatch"})


# --- files that are not bound to their asset -------------------------------------------------------------------------


@pytest.mark.parametrize("allowed", [True, False])
async def test_unbound_files(tmp_path: Path, allowed: bool) -> None:
    """A document of version 4.0.0: whoever sees its files can publish them again with rules of his own."""
    async with Market.open(tmp_path, allow_unbound_files=allowed) as market:
        listed = json.dumps([UrlFile(market.url).to_json()]).encode()
        files = "0x" + ecies.encrypt(KEY, listed).hex()
        market.change(market.dataset, lambda d: (d.update(version="4.0.0"), d["services"][0].update(files=files)))
        answers = await market.answers()
        if allowed:
            require_accepted(answers)
        else:
            require_refused(answers, {"dataset.serviceId": "compute_services_not_in_same_provider"})


@pytest.mark.parametrize("allowed", [True, False])
async def test_bound_files_in_a_copied_document(tmp_path: Path, allowed: bool) -> None:
    """The attack: files of one asset in the document of another. Never accepted, whatever the document's version."""
    async with Market.open(tmp_path, allow_unbound_files=allowed) as market:
        other = "0x" + "12" * 20
        files = encode_files([UrlFile(market.url)], other, other, KEY)
        for nonce, version in enumerate(("4.1.0", "4.0.0"), start=5):
            market.change(
                market.dataset, lambda d, v=version: (d.update(version=v), d["services"][0].update(files=files))
            )  # type: ignore[misc]
            require_refused(
                await market.answers(nonce=nonce), {"dataset.serviceId": "compute_services_not_in_same_provider"}
            )


# --- consumer parameters ---------------------------------------------------------------------------------------------

YEAR = [{"name": "year", "type": "number", "required": True}]
PARAMETERS: dict[str, tuple[Any, str | None]] = {
    "missing": (None, "missing:year"),
    "null": ({"year": None}, "missing:year"),
    "empty": ({"year": ""}, "missing:year"),
    "wrong type": ({"year": "MMXX"}, "invalid:year (a number)"),
    "right": ({"year": 2020}, None),
    "right, from a form": ({"year": " 2020 "}, None),
    "right, as text": ('{"year": 2020}', None),
    "and one more": ({"year": 2020, "other": [1]}, None),
}


@pytest.mark.parametrize("case", PARAMETERS)
async def test_parameters_of_a_dataset(tmp_path: Path, case: str) -> None:
    """Asked for at the start; quotes can be had without them."""
    given, code = PARAMETERS[case]
    async with Market.open(tmp_path) as market:
        market.change(market.dataset, lambda d: d["services"][0].update(consumerParameters=YEAR))
        quoted, started = await market.answers(dataset={"userdata": given})
        require_accepted((quoted,))
        if code is None:
            require_accepted((started,))
        else:
            require_refused((started,), {"dataset.userdata": code})


@pytest.mark.parametrize("case", PARAMETERS)
@pytest.mark.parametrize("field", ["userdata", "algouserdata"])
async def test_parameters_of_an_algorithms_service(tmp_path: Path, case: str, field: str) -> None:
    """Ocean Provider reads `algouserdata` only, and drops what it has read."""
    given, code = PARAMETERS[case]
    async with Market.open(tmp_path) as market:
        market.change(market.algorithm, lambda d: d["services"][0].update(consumerParameters=YEAR))
        quoted, started = await market.answers(algorithm={field: given})
        require_accepted((quoted,))
        if code is None:
            require_accepted((started,))
        else:
            require_refused((started,), {"algorithm.userdata": code})


@pytest.mark.parametrize("case", PARAMETERS)
async def test_parameters_of_an_algorithm(tmp_path: Path, case: str) -> None:
    given, code = PARAMETERS[case]
    async with Market.open(tmp_path) as market:
        market.change(market.algorithm, lambda d: d["metadata"]["algorithm"].update(consumerParameters=YEAR))
        quoted, started = await market.answers(algorithm={"algocustomdata": given})
        require_accepted((quoted,))
        if code is None:
            require_accepted((started,))
            (job,) = started.json()
            spec = market.world.argo.spec(job["jobId"], market.world.keys)
            assert spec.algorithm.custom_data["year"] == 2020
        else:
            require_refused((started,), {"algorithm.algocustomdata": code})


Change = Callable[[dict[str, Any]], Any]
ASKS: dict[str, tuple[str, Change]] = {
    "dataset.userdata": ("dataset", lambda d: d["services"][0].update(consumerParameters=YEAR)),
    "algorithm.userdata": ("algorithm", lambda d: d["services"][0].update(consumerParameters=YEAR)),
    "algorithm.algocustomdata": (
        "algorithm",
        lambda d: d["metadata"]["algorithm"].update(consumerParameters=YEAR),
    ),
}


async def before_buying(market: Market, **algorithm: Any) -> list[httpx.Response]:
    """(initializeCompute's answer, why-not's), as clients ask that send parameters with the start only."""
    body = {
        "datasets": [{"documentId": market.dataset, "serviceId": "svc"}],
        "algorithm": {"documentId": market.algorithm, "serviceId": "svc", **algorithm},
        "compute": {"env": FREE, "validUntil": int(time.time()) + 600},
        "consumerAddress": market.world.consumer.address,
    }
    paths = ("/api/services/initializeCompute", "/api/v1/why-not")
    return [await market.world.http.post(path, json=body) for path in paths]


@pytest.mark.parametrize("place", ASKS)
async def test_questions_before_the_start_need_no_parameters_and_tell_what_it_needs(tmp_path: Path, place: str) -> None:
    asset, change = ASKS[place]
    async with Market.open(tmp_path) as market:
        market.change(getattr(market, asset), change)
        quoted, asked = answers = await before_buying(market)
        require_accepted(tuple(answers))
        assert asked.json()["reasons"] == []
        needs = [{"place": place, "code": "missing:year", "expected": "year: a number"}]
        assert [answer.json()["startNeeds"] for answer in answers] == [needs, needs]
        assert list(quoted.json()) == ["algorithm", "datasets", "startNeeds"]
        _, started = await market.answers()
        require_refused((started,), {place: "missing:year"})


@pytest.mark.parametrize("place", ASKS)
async def test_a_default_satisfies_what_is_required(tmp_path: Path, place: str) -> None:
    """Whoever was not told of a parameter before paying is not refused for it afterwards."""
    asset, change = ASKS[place]
    async with Market.open(tmp_path) as market:
        market.change(getattr(market, asset), change)
        with_default = json.loads(json.dumps(market.world.chain.assets[getattr(market, asset)].document()).replace(
            '"required": true', '"required": true, "default": "2020"'
        ))  # fmt: skip
        market.world.chain.assets[getattr(market, asset)] = DDO.parse(with_default)
        for answer in await before_buying(market):
            assert (answer.status_code, "startNeeds" in answer.json()) == (200, False)
        quoted, started = await market.answers()
        require_accepted((quoted, started))
        (job,) = started.json()
        spec = market.world.argo.spec(job["jobId"], market.world.keys)
        found = {
            "dataset.userdata": spec.inputs[0].files[0],
            "algorithm.userdata": spec.algorithm.files[0],
            "algorithm.algocustomdata": spec.algorithm,
        }[place]
        given = found.custom_data if isinstance(found, Algorithm) else getattr(found, "userdata", None)
        assert given == {"year": 2020}


async def test_an_algorithm_whose_file_needs_parameters_is_quoted_without_them(tmp_path: Path) -> None:
    """Its source refuses whoever does not name a year; nobody can say yet what will be hashed."""

    def only_with_year(request: Request) -> Reply:
        return Reply(200, CODE) if "year=" in request.target else Reply(404)

    async with HttpServer(only_with_year) as server, Market.open(tmp_path, port=server.port) as market:
        market.change(market.algorithm, ASKS["algorithm.userdata"][1])
        market.refile(market.algorithm, f"http://127.0.0.1:{server.port}/secret")
        trusted = {"did": market.algorithm, "filesChecksum": files_checksum([hashlib.sha256(CODE).hexdigest()])}
        market.change(
            market.dataset, lambda d: d["services"][0]["compute"].update(publisherTrustedAlgorithms=[trusted])
        )
        require_accepted(tuple(await before_buying(market)))
        _, started = await market.answers(algorithm={"userdata": {"year": "2020"}})
        require_accepted((started,))
