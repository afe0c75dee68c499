"""Published clients against the shared service, and against a second one that tolerates their missing nonces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clients import CLIENT_PUBLISHER, DRIVERS, PYTHON_CONSUMER, Client, ocean_py
from tests.support.file_sources import FileSources
from tests.support.path_prefix import PathPrefix
from tests.support.service import Service


@pytest.fixture(scope="session")
def tolerant(tmp_path_factory: pytest.TempPathFactory, sources: FileSources) -> Iterator[Service]:
    """A second service: missing nonces are tolerated, and there are gateways."""
    settings = {
        "C2D_POLICY__TOLERATE_MISSING_NONCE": "true",
        "C2D_OUTGOING__IPFS_GATEWAY": sources.url,
        "C2D_OUTGOING__ARWEAVE_GATEWAY": f"{sources.url}/arweave",
    }
    folder = tmp_path_factory.mktemp("tolerant")
    with Service(folder, allow_private=[sources.address], settings=settings) as running:
        yield running


@pytest.fixture(scope="session")
def prefixed(service: Service) -> Iterator[PathPrefix]:
    """The shared service behind a path."""
    with PathPrefix(service.url) as proxy:
        yield proxy


def connect_ocean_py(service: Service, url: str, log: Path) -> Iterator[Client]:
    """ocean.py with us as provider and as metadata store at that address."""
    with Client([*ocean_py(), str(DRIVERS / "oceanpy" / "driver.py")], log) as client:
        seen = client(
            "connect",
            rpc=service.chain_url,
            address_file=str(service.machine.address_file),
            provider=url,
            metadata=url,
            publisher="0x" + bytes(CLIENT_PUBLISHER.key).hex(),
            consumer="0x" + bytes(PYTHON_CONSUMER.key).hex(),
        )
        assert seen["valid"] is True
        assert seen["endpoints"] == 16
        yield client


@pytest.fixture(scope="session")
def oceanpy(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    yield from connect_ocean_py(service, service.url, tmp_path_factory.mktemp("oceanpy") / "log")


@pytest.fixture(scope="session")
def oceanpy_prefixed(
    service: Service, prefixed: PathPrefix, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    yield from connect_ocean_py(service, prefixed.url, tmp_path_factory.mktemp("oceanpy_prefixed") / "log")
