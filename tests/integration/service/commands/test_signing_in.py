"""Accounts of keystores: signed in once, then without a password; and no key or password anywhere that lasts."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from pathlib import Path

import pytest
from eth_account import Account

from client.profiles import Profiles
from ocean.chain.development import account
from ocean.client import Consumer, ConsumerError
from tests.support.commands import ALICE, BOB, Commands
from tests.support.markers import files_below, find_markers, marker
from tests.support.service import Service

pytestmark = pytest.mark.integration


@pytest.fixture
def password() -> str:
    return marker("password")


@pytest.fixture
def keystore(tmp_path: Path, password: str) -> Path:
    path = tmp_path / "bob.json"
    path.write_text(json.dumps(Account.encrypt(bytes(account(BOB).key), password, kdf="pbkdf2", iterations=2)))
    return path


@pytest.fixture
def password_file(tmp_path: Path, password: str) -> Path:
    path = tmp_path / "password.txt"
    path.write_text(f"{password}\n")
    return path


def test_signed_in_once(
    c2d: Commands, service: Service, keystore: Path, password: str, password_file: Path, dataset: str, adds_up: Path
) -> None:
    Profiles().set("ada", provider=service.url)
    said = [c2d("login", "-p", "ada", "--keystore", str(keystore), typed=f"{password}\n")]
    assert c2d("whoami", "-p", "ada", "--json").json["address"] == account(BOB).address
    theirs = c2d("publish-algorithm", str(adds_up), "-p", "ada", "--password-file", str(password_file)).line
    c2d("trust", dataset, theirs)
    job = c2d("run", dataset, theirs, "-p", "ada", "--password-file", str(password_file), "-d").line
    later = (("watch", job), ("results", job), ("jobs",), ("logs", job), ("rm", job))
    said += [c2d(*words, "-p", "ada") for words in later]  # none of them asks for a password
    key = bytes(account(BOB).key).hex()
    printed = [("printed", (done.out + done.err).encode()) for done in said]
    kept = list(files_below(c2d.home))
    assert len(kept) >= 2
    assert find_markers({"password": password, "key": key}, [*kept, *printed]) == []


async def _is_taken(url: str, token: str) -> bool:
    async with Consumer(url, None, address=account(BOB).address, token=token) as consumer:
        try:
            await consumer.stop("0" * 32)
        except ConsumerError as exc:
            return exc.status not in (400, 401)
    return True


def test_signed_out(c2d: Commands, service: Service, keystore: Path, password_file: Path) -> None:
    Profiles().set("ada", provider=service.url)
    login = ("login", "-p", "ada", "--keystore", str(keystore), "--password-file", str(password_file))
    c2d(*login)
    place = c2d.home / "state" / "compute-to-data" / "tokens" / "ada.json"
    token = json.loads(place.read_text())["token"]
    assert service.call(_is_taken(service.url, token))
    done = c2d("logout", "-p", "ada", "--json")
    assert done.json == {"signedOut": True, "takenOutOfUse": False}
    assert "stays good at the provider" in done.err
    assert not place.exists()
    c2d(*login)
    token = json.loads(place.read_text())["token"]
    assert c2d("logout", "-p", "ada", "--password-file", str(password_file), "--json").json["takenOutOfUse"]
    assert not service.call(_is_taken(service.url, token))
    assert c2d("logout", "-p", "ada", "--json").json == {"signedOut": False, "takenOutOfUse": False}


def test_a_wrong_password(c2d: Commands, service: Service, keystore: Path, tmp_path: Path) -> None:
    Profiles().set("ada", provider=service.url)
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("not this one\n")
    done = c2d("login", "-p", "ada", "--keystore", str(keystore), "--password-file", str(wrong), code=2)
    assert "the password is wrong" in done.err
    assert "not this one" not in done.err


async def _token(url: str) -> str:
    async with Consumer(url, account(ALICE)) as consumer:
        return await consumer.create_token(int(time.time()) + 600)


def test_a_token_that_was_made_elsewhere(c2d: Commands, service: Service, dataset: str, algorithm: str) -> None:
    """As with a wallet on the provider's pages: it is asked for, and works without a key."""
    job = c2d("run", dataset, algorithm, "-d").line
    Profiles().set("pasted", provider=service.url)
    c2d("jobs", "-p", "pasted", code=4)
    token = asyncio.run(_token(service.url))
    done = c2d("login", "-p", "pasted", "--token", typed=f"{token}\n")
    assert token not in done.out + done.err
    assert c2d("whoami", "-p", "pasted", "--json").json["address"] == account(ALICE).address
    c2d("watch", job, "-p", "pasted")
    c2d("results", job, "-p", "pasted", "-o", "again")
    assert "names no keystore" in c2d("run", dataset, algorithm, "-p", "pasted", code=None).err


@pytest.mark.parametrize("typed", ["", "no token", "a.b.c", "e30.e30.e30"])
def test_what_is_no_token(c2d: Commands, service: Service, typed: str) -> None:
    Profiles().set("pasted", provider=service.url)
    done = c2d("login", "-p", "pasted", "--token", typed=f"{typed}\n", code=None)
    assert done.code == 2
    assert not (c2d.home / "state" / "compute-to-data" / "tokens" / "pasted.json").exists()


def test_a_token_that_the_provider_does_not_take(c2d: Commands, service: Service) -> None:
    said = base64.urlsafe_b64encode(json.dumps({"exp": 2**31, "address": account(ALICE).address}).encode()).decode()
    Profiles().set("pasted", provider=service.url)
    done = c2d("login", "-p", "pasted", "--token", typed=f"e30.{said.rstrip('=')}.c2ln\n", code=4)
    assert "does not take this token" in done.err
    c2d("login", "-p", "pasted", "--token", "--keystore", "x", code=2)
