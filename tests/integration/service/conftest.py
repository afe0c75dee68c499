"""One running service for the tests of this folder, its file server, and a fresh buyer for each test."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ocean.chain.development import account
from ocean.ddo import DDO
from provider_api.deploy.file_server import FileServer
from provider_api.deploy.shelf import Shelf
from tests.support.chain import Chain, publisher, stranger
from tests.support.data_owner import DataOwner
from tests.support.file_sources import SOURCES, FileSources
from tests.support.service import Buyer, Service
from tests.support.starts import Caller

ALGORITHM = """
import json, os, pathlib
inputs = sorted(str(p.relative_to(os.environ["INPUTS"])) for p in pathlib.Path(os.environ["INPUTS"]).rglob("*"))
total = sum(len(p.read_bytes()) for p in pathlib.Path(os.environ["INPUTS"]).rglob("*") if p.is_file())
pathlib.Path(os.environ["OUTPUTS"], "seen.json").write_text(json.dumps({"inputs": inputs, "bytes": total}))
print("saw", len(inputs), "entries")
"""


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    """`.urls`: "rain.csv", "wind.csv", "algorithm.py", each under a secret path; `.address` is allowed to jobs."""
    folder = tmp_path_factory.mktemp("files")
    contents = {"rain.csv": "day,mm\n1,3\n2,0\n", "wind.csv": "day,kmh\n1,20\n2,8\n", "algorithm.py": ALGORITHM}
    paths: dict[str, Path] = {}
    for name, text in contents.items():
        paths[name] = folder / name
        paths[name].write_text(text)
    with FileServer(paths) as server:
        yield server


@pytest.fixture(scope="session")
def owner() -> Iterator[DataOwner]:
    """A data owner who does as a test says; jobs may download from there too."""
    with DataOwner() as server:
        yield server


@pytest.fixture(scope="session")
def sources() -> Iterator[FileSources]:
    """Every kind of source a publisher may name, with two datasets and an algorithm that tells what it was given."""
    with FileSources(SOURCES) as server:
        yield server


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Where `c2d publish` puts files of this machine."""
    with Shelf(tmp_path_factory.mktemp("shelf")) as running:
        yield running


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory, files: FileServer, owner: DataOwner, sources: FileSources, shelf: Shelf
) -> Iterator[Service]:
    """The whole service, shared by the tests; those that break parts of it wait until it is whole again."""
    private = [files.address, owner.address, sources.address, shelf.address]
    known = {"C2D_OPERATOR__PROVIDERS": json.dumps({"somebody": [publisher.address]})}
    with Service(tmp_path_factory.mktemp("service"), allow_private=private, settings=known) as running:
        yield running


@pytest.fixture
async def buyer(service: Service) -> AsyncIterator[Buyer]:
    async with Buyer.open(service) as opened:
        yield opened


@pytest.fixture
async def caller(service: Service) -> AsyncIterator[Caller]:
    """A consumer over plain HTTP, with an account that `buyer` does not use."""
    async with Caller.open(service, account(6)) as opened:
        yield opened


@pytest.fixture(scope="session")
def open_dataset(service: Service, files: FileServer) -> DDO:
    """A dataset that any algorithm may use, also a raw one."""

    async def publish() -> DDO:
        async with Buyer.open(service) as opened:
            return await opened.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})

    return service.call(publish())


@pytest.fixture
async def attacker(service: Service) -> AsyncIterator[Caller]:
    """Somebody who owns an account and nothing else."""
    async with Caller.open(service, stranger) as opened:
        yield opened


@pytest.fixture
def tricks(service: Service, attacker: Caller) -> Chain:
    """What an attacker can do on the chain."""
    return Chain(service.chain_url, str(service.machine.address_file), attacker.network)
