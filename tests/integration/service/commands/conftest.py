"""The running service as commands of a user of the same machine find it."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.profiles import LOCAL, Profiles
from contract.local_service import LocalService, announce
from provider_api.deploy.shelf import Shelf
from tests.support.commands import ADDS_UP, ALICE, BOB, Commands
from tests.support.service import Service


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: Service, shelf: Shelf) -> Path:
    """A user's home and folder, in which the service has told about itself."""
    place = tmp_path / "home"
    place.mkdir()
    monkeypatch.setenv("HOME", str(place))
    for name, part in (("STATE", "state"), ("CONFIG", "config")):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(place / part))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    addresses = str(service.machine.address_file)
    announce(LocalService(service.url, service.chain_url, addresses, str(shelf.folder), shelf.url))
    return place


@pytest.fixture
def c2d(home: Path, service: Service) -> Commands:
    """Commands as Alice, whose account is the profile's; the profile `bob` is Bob's."""
    for name, number in ((LOCAL, ALICE), ("bob", BOB)):
        Profiles().set(name, provider=service.url, account=f"development:{number}")
    return Commands(home)


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.txt"
    path.write_text("1\n2\n39\n")
    return path


@pytest.fixture
def adds_up(tmp_path: Path) -> Path:
    path = tmp_path / "adds_up.py"
    path.write_text(ADDS_UP)
    return path


@pytest.fixture
def dataset(c2d: Commands, numbers: Path) -> str:
    """The DID of Alice's numbers, for nothing."""
    return c2d("publish", str(numbers)).line


@pytest.fixture
def algorithm(c2d: Commands, adds_up: Path) -> str:
    """The DID of Alice's algorithm that adds numbers up."""
    return c2d("publish-algorithm", str(adds_up)).line
