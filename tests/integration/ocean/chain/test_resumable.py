"""A transaction that is written down first is made once: after kills, lost nonces, risen fees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from ocean.chain import resumable
from ocean.chain.contracts import event
from ocean.chain.development import start_anvil
from ocean.chain.logs import Log
from ocean.chain.network import Network
from ocean.chain.publishing import created_nft, nft_for
from ocean.chain.resumable import OutOfGas, Resumable, Signed
from ocean.chain.transactions import Call, TransactionFailed, TransactionUnconfirmed
from provider_api.deploy.addresses import free_port
from tests.support.chain import consumer

pytestmark = pytest.mark.integration


@dataclass
class Notes:
    """In memory. `dies` is raised instead of returning from the next write."""

    kept: dict[str, tuple[Signed, ...]] = field(default_factory=dict)
    dies: bool = False

    def find(self, step: str) -> tuple[Signed, ...]:
        return self.kept.get(step, ())

    def write(self, step: str, transactions: tuple[Signed, ...]) -> None:
        self.kept[step] = transactions
        if self.dies:
            raise KeyboardInterrupt


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    """A chain of its own: its blocks and fees are changed here."""
    chain = await start_anvil(tmp_path / "chain", free_port())
    opened = await Network.open(chain.url, chain.address_file)
    yield opened
    await opened.close()
    await chain.stop()


@pytest.fixture
async def payer(network: Network) -> LocalAccount:
    made: LocalAccount = Account.create()
    await network.rpc.call("anvil_setBalance", made.address, hex(10**21))
    return made


def steps(network: Network, payer: LocalAccount, notes: Notes, *, patience: float = 20, **more: object) -> Resumable:
    given = {"mark": b"m" * 32, "confirmations": 1} | more
    return Resumable(network, payer, notes, patience_seconds=patience, **given)  # type: ignore[arg-type]


def making(network: Network, payer: LocalAccount) -> Call:
    return nft_for(network, "n", "N", owner=consumer.address, maker=payer.address)


async def made(network: Network, payer: LocalAccount) -> int:
    created = event("ERC721Factory", "NFTCreated")
    logs = await network.web3.eth.get_logs({"address": network.factory, "fromBlock": 0, "topics": [created.topic]})  # type: ignore[arg-type,typeddict-item]
    return sum(created.decode(Log.of(log))["creator"] == payer.address.lower() for log in logs)


async def test_done_twice_it_is_made_once(network: Network, payer: LocalAccount) -> None:
    notes = Notes()
    first = await steps(network, payer, notes).perform("nft", making(network, payer))
    again = await steps(network, payer, notes).perform("nft", making(network, payer))
    assert created_nft(again) == created_nft(first)
    assert await made(network, payer) == 1


async def test_written_and_never_sent(network: Network, payer: LocalAccount) -> None:
    notes = Notes(dies=True)
    with pytest.raises(KeyboardInterrupt):
        await steps(network, payer, notes).perform("nft", making(network, payer))
    assert await made(network, payer) == 0
    notes.dies = False
    (before,) = notes.find("nft")
    await steps(network, payer, notes).perform("nft", making(network, payer))
    assert notes.find("nft") == (before,)
    assert await made(network, payer) == 1


async def test_a_nonce_that_another_one_took(network: Network, payer: LocalAccount) -> None:
    notes, other = Notes(dies=True), Notes()
    with pytest.raises(KeyboardInterrupt):
        await steps(network, payer, notes).perform("nft", making(network, payer))
    await steps(network, payer, other, mark=b"o" * 32).perform("nft", making(network, payer))
    notes.dies = False
    (before,) = notes.find("nft")
    assert other.find("nft")[0].nonce == before.nonce
    await steps(network, payer, notes).perform("nft", making(network, payer))
    assert notes.find("nft")[0].nonce == before.nonce + 1
    assert await made(network, payer) == 2
    assert await network.receipt(before.tx_hash) is None


async def test_without_marks_two_would_sign_the_same(network: Network, payer: LocalAccount) -> None:
    """What the mark is for."""
    hashes = []
    for mark in (b"a" * 32, b"a" * 32, b"b" * 32):
        notes = Notes(dies=True)
        with pytest.raises(KeyboardInterrupt):
            await steps(network, payer, notes, mark=mark).perform("nft", making(network, payer))
        hashes.append(notes.find("nft")[0].tx_hash)
    assert hashes[0] == hashes[1] != hashes[2]


async def test_it_bids_higher_when_the_base_fee_has_risen(
    network: Network, payer: LocalAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumable, "RESEND_SECONDS", 0.3)
    await network.rpc.call("evm_setAutomine", False)
    notes = Notes()
    working = asyncio.create_task(steps(network, payer, notes).perform("nft", making(network, payer)))
    async with asyncio.timeout(60):
        while await network.web3.eth.get_transaction_count(payer.address, "pending") == 0:
            await asyncio.sleep(0.02)
    (cheap,) = notes.find("nft")
    await network.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(cheap.fee * 20))
    await network.rpc.call("evm_mine")
    assert await network.receipt(cheap.tx_hash) is None
    async with asyncio.timeout(60):
        while len(notes.find("nft")) == 1:
            await asyncio.sleep(0.02)
    async with asyncio.timeout(60):
        while not working.done():
            await asyncio.sleep(0.3)
            await network.rpc.call("evm_mine")
    receipt = await working
    assert receipt.tx_hash in [signed.tx_hash for signed in notes.find("nft")[1:]]
    assert {signed.nonce for signed in notes.find("nft")} == {cheap.nonce}
    assert await made(network, payer) == 1
    # And whoever finds these notes later takes the one that was mined.
    await network.rpc.call("evm_setAutomine", True)
    assert (await steps(network, payer, notes).perform("nft", making(network, payer))).tx_hash == receipt.tx_hash


async def test_the_cheap_one_may_be_mined_after_all(network: Network, payer: LocalAccount) -> None:
    """Killed after the higher bid was written down and before it was sent."""
    notes = Notes()
    await steps(network, payer, notes).perform("nft", making(network, payer))
    (mined,) = notes.find("nft")
    never = Signed(mined.raw, "0x" + "77" * 32, mined.nonce, mined.fee * 2)
    notes.write("nft", (mined, never))
    found = await steps(network, payer, notes).perform("nft", making(network, payer))
    assert found.tx_hash == mined.tx_hash
    assert await made(network, payer) == 1


async def test_confirmations_are_waited_for(network: Network, payer: LocalAccount) -> None:
    notes = Notes()
    working = asyncio.create_task(
        steps(network, payer, notes, confirmations=3).perform("nft", making(network, payer)),
    )
    async with asyncio.timeout(60):
        while await made(network, payer) == 0:
            await asyncio.sleep(0.02)
    for _ in range(2):
        await asyncio.sleep(0.1)
        assert not working.done()
        await network.rpc.call("evm_mine")
    await working


async def test_what_a_contract_refuses_is_not_sent(network: Network, payer: LocalAccount) -> None:
    refused = nft_for(network, "n", "N", owner="0x" + "00" * 20, maker=payer.address)
    notes = Notes()
    with pytest.raises(TransactionFailed):
        await steps(network, payer, notes).perform("nft", refused)
    assert notes.find("nft") == ()


async def test_no_ether(network: Network) -> None:
    poor: LocalAccount = Account.create()
    with pytest.raises(OutOfGas):
        await steps(network, poor, Notes()).perform("nft", making(network, poor))


async def test_patience_ends(network: Network, payer: LocalAccount) -> None:
    await network.rpc.call("evm_setAutomine", False)
    with pytest.raises(TransactionUnconfirmed):
        await steps(network, payer, Notes(), patience=0.5).perform("nft", making(network, payer))
