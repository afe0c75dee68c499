"""The publishing program makes an asset of outputs: once, whatever dies, and beside others with the same key."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from ocean.addresses import checksum
from ocean.chain.development import DevelopmentChain, start_anvil
from ocean.chain.network import Network
from ocean.did import did_of
from provider_api.deploy.addresses import free_port
from results.object_names import asset_folder
from tests.support.assets import OUTPUTS, facts_of, made_by, make_job, summary_of
from tests.support.chain import consumer, nft_state
from tests.support.forks import Forked
from tests.support.rpc_proxy import rpc_proxy

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
POINTS = 60  # at least as many as a program passes


@pytest.fixture
async def network(development_chain: DevelopmentChain) -> AsyncIterator[Network]:
    opened = await Network.open(development_chain.url, development_chain.address_file)
    yield opened
    await opened.close()


@pytest.fixture
async def payer(network: Network) -> LocalAccount:
    return await with_ether(network)


async def with_ether(network: Network, ether: int = 100) -> LocalAccount:
    made: LocalAccount = Account.create()
    await network.rpc.call("anvil_setBalance", made.address, hex(ether * 10**18))
    return made


def start(environ: dict[str, str]) -> Forked:
    folder = Path(tempfile.mkdtemp(dir=Path(environ["C2D_DATA"]).parent))
    output, errors = folder / "output", folder / "errors"
    return Forked("pods.publishing", (), env=environ, cwd=ROOT, output=output, errors=errors, strict=True)


async def publish(environ: dict[str, str], seconds: float = 120) -> tuple[int, str]:
    """Exit code, and everything that was said."""
    process = start(environ)
    said = await asyncio.to_thread(process.communicate, timeout=seconds)
    return process.returncode, "".join(said)


def results_of(folder: Path) -> list[str]:
    manifest = json.loads(next((folder / "published").glob("00*/manifest.json")).read_text())
    assert manifest["complete"]
    return [file["filename"] for file in manifest["files"]]


def assets_in(folder: Path) -> list[Path]:
    return list((folder / "published").glob("asset-*/*"))


async def test_the_outputs_alone_are_copied_and_named_by_numbers(
    tmp_path: Path, development_chain: DevelopmentChain, network: Network, payer: LocalAccount
) -> None:
    environ = make_job(tmp_path, facts_of(development_chain), payer)
    (tmp_path / "data/logs/extra.txt").write_text("a log")
    code, said = await publish(environ)
    assert code == 0, said
    (nft,) = await made_by(network, payer)
    assert summary_of(tmp_path)["did"] == did_of(checksum(nft), network.chain_id)
    assert await network.nft_owner(nft) == consumer.address
    journal = json.loads((tmp_path / "data/publication/journal.json").read_text())
    (folder,) = assets_in(tmp_path)
    assert f"{folder.parent.name}/{folder.name}" == asset_folder(journal["token"])
    assert sorted(path.name for path in folder.iterdir()) == ["0", "1", "manifest.json"]
    assert [(folder / str(index)).read_bytes() for index in range(2)] == list(OUTPUTS.values())
    for secret in (journal["token"], bytes(payer.key).hex(), development_chain.url):
        assert secret not in said
    assert "publish.log" in results_of(tmp_path)


@pytest.mark.timeout(500)
async def test_killed_anywhere_it_makes_one_asset(
    tmp_path: Path, development_chain: DevelopmentChain, network: Network, payer: LocalAccount
) -> None:
    folders = []
    for number in range(1 + POINTS + POINTS // 2):
        folders.append(tmp_path / f"{number:03}")
        environ = make_job(folders[-1], facts_of(development_chain), payer)
        (folders[-1] / "environ.json").write_text(json.dumps(environ))
    command = [sys.executable, "-m", "tests.support.killed_publishing", *map(str, folders)]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=450, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    points = json.loads(done.stdout.splitlines()[-1])
    assert len([name for name in points if name == "after sending"]) == 5
    assert 30 < len(points) <= POINTS

    finished = [folder for folder in folders if (folder / "results.json").exists()]
    assert len(finished) > len(points)
    dids = [summary_of(folder)["did"] for folder in finished]
    nfts = await made_by(network, payer)
    assert sorted(dids) == sorted(did_of(checksum(nft), network.chain_id) for nft in nfts)
    assert all(len(assets_in(folder)) == 1 for folder in finished)
    for nft in nfts:
        state = await nft_state(network, nft)
        assert state is not None
        assert state.has_metadata


@pytest.mark.parametrize("block_seconds", [0, 1], ids=["mined at once", "mined each second"])
async def test_several_at_once_with_one_key_all_succeed(tmp_path: Path, block_seconds: int) -> None:
    chain = await start_anvil(tmp_path / "chain", free_port())
    network = await Network.open(chain.url, chain.address_file)
    try:
        payer = await with_ether(network)
        if block_seconds:
            await network.rpc.call("evm_setAutomine", False)
            await network.rpc.call("evm_setIntervalMining", block_seconds)
        folders = [tmp_path / str(number) for number in range(4)]
        facts = facts_of(chain, patience_seconds=90)
        outcomes = await asyncio.gather(*(publish(make_job(folder, facts, payer)) for folder in folders))
        assert [code for code, _ in outcomes] == [0] * len(folders), outcomes
        nfts = await made_by(network, payer)
        assert sorted(did_of(checksum(nft), network.chain_id) for nft in nfts) == sorted(
            summary_of(folder).get("did", summary_of(folder)) for folder in folders
        )
    finally:
        await network.close()
        await chain.stop()


async def test_several_at_once_with_one_key_and_all_of_them_killed(tmp_path: Path) -> None:
    """At random moments, while blocks come each second and each program takes nonces from the others."""
    chain = await start_anvil(tmp_path / "chain", free_port())
    network = await Network.open(chain.url, chain.address_file)
    chance = random.Random(4)  # noqa: S311  (moments, no secrets)
    try:
        payer = await with_ether(network)
        await network.rpc.call("evm_setAutomine", False)
        await network.rpc.call("evm_setIntervalMining", 1)

        async def until_done(folder: Path) -> None:
            environ = make_job(folder, facts_of(chain, patience_seconds=120), payer)
            for _ in range(3):
                with start(environ) as process:
                    await asyncio.sleep(chance.uniform(1, 6))
                    process.kill()
                    process.communicate()
            code, said = await publish(environ, 150)
            assert code == 0, said

        folders = [tmp_path / str(number) for number in range(4)]
        await asyncio.gather(*(until_done(folder) for folder in folders))
        nfts = await made_by(network, payer)
        assert sorted(did_of(checksum(nft), network.chain_id) for nft in nfts) == sorted(
            summary_of(folder).get("did", "") for folder in folders
        )
        assert [await network.nft_owner(nft) for nft in nfts] == [consumer.address] * len(folders)
    finally:
        await network.close()
        await chain.stop()


async def test_two_programs_of_one_job_make_one_asset(
    tmp_path: Path, development_chain: DevelopmentChain, network: Network, payer: LocalAccount
) -> None:
    """A pod that was given up as lost may still be running."""
    environ = make_job(tmp_path, facts_of(development_chain), payer)
    outcomes = await asyncio.gather(publish(environ), publish(environ))
    assert [code for code, _ in outcomes] == [0, 0], outcomes
    assert len(await made_by(network, payer)) == 1


# --- what does not work ----------------------------------------------------------------------------------------------


def refused(folder: Path, outcome: tuple[int, str], problem: str, text: str) -> None:
    """The results are complete, the consumer is told, and there is no asset."""
    code, said = outcome
    assert code == 0, said
    assert summary_of(folder)["not_published"] == problem
    assert "did" not in summary_of(folder)
    assert text in said
    assert text in next((folder / "published").glob("00*/adminlogs/publish.log")).read_text()
    assert "publish.log" in results_of(folder)


async def test_a_chain_that_stays_away(
    tmp_path: Path, development_chain: DevelopmentChain, payer: LocalAccount
) -> None:
    facts = facts_of(development_chain, rpc_url=f"http://127.0.0.1:{free_port()}/v2/api-key", patience_seconds=2)
    outcome = await publish(make_job(tmp_path, facts, payer))
    refused(tmp_path, outcome, "chain_away", "the node of chain 8996 is not available")
    assert "api-key" not in outcome[1]


async def test_the_pods_own_time_is_not_used_up(
    tmp_path: Path, development_chain: DevelopmentChain, payer: LocalAccount
) -> None:
    """Argo would end it, and the results would be lost with it."""
    facts = facts_of(development_chain, rpc_url=f"http://127.0.0.1:{free_port()}", patience_seconds=600)
    environ = make_job(tmp_path, facts, payer) | {"C2D_PUBLISHING_SECONDS": "62"}
    refused(tmp_path, await publish(environ, 60), "chain_away", "the node of chain 8996 is not available")


async def test_a_chain_that_comes_back(
    tmp_path: Path, development_chain: DevelopmentChain, network: Network, payer: LocalAccount
) -> None:
    async with rpc_proxy(development_chain.url) as proxy:
        proxy.answer = "<html>be right back</html>"
        environ = make_job(tmp_path, facts_of(development_chain, rpc_url=proxy.url), payer)
        publishing = asyncio.create_task(publish(environ))
        async with asyncio.timeout(60):
            while not proxy.methods:
                await asyncio.sleep(0.05)
        proxy.answer = None
        code, said = await publishing
    assert code == 0, said
    assert len(await made_by(network, payer)) == 1


async def test_an_account_without_ether(tmp_path: Path, development_chain: DevelopmentChain, network: Network) -> None:
    poor = await with_ether(network, 0)
    outcome = await publish(make_job(tmp_path, facts_of(development_chain), poor))
    refused(tmp_path, outcome, "out_of_gas", "not enough for the gas")
    assert await made_by(network, poor) == []


async def test_an_account_that_runs_dry_goes_on_when_it_is_filled(
    tmp_path: Path, development_chain: DevelopmentChain, network: Network, payer: LocalAccount
) -> None:
    environ = make_job(tmp_path, facts_of(development_chain), payer)
    await network.rpc.call("anvil_setBalance", payer.address, hex(3 * 10**15))
    first = await publish(environ)
    assert first[0] == 0
    if "did" not in summary_of(tmp_path):
        refused(tmp_path, first, "out_of_gas", "not enough for the gas")
    await network.rpc.call("anvil_setBalance", payer.address, hex(10**18))
    code, said = await publish(environ)
    assert code == 0, said
    (nft,) = await made_by(network, payer)
    assert summary_of(tmp_path)["did"] == did_of(checksum(nft), network.chain_id)


async def test_transactions_that_nobody_mines(tmp_path: Path) -> None:
    chain = await start_anvil(tmp_path / "chain", free_port())
    network = await Network.open(chain.url, chain.address_file)
    try:
        payer = await with_ether(network)
        await network.rpc.call("evm_setAutomine", False)
        environ = make_job(tmp_path, facts_of(chain, patience_seconds=3), payer)
        refused(tmp_path, await publish(environ), "unconfirmed", "a transaction is not mined after 3 s")
        # Mined later, it is the one that the next try finds.
        await network.rpc.call("evm_mine")
        await network.rpc.call("evm_setAutomine", True)
        code, said = await publish(environ)
        assert code == 0, said
        assert len(await made_by(network, payer)) == 1
        assert "did" in summary_of(tmp_path)
    finally:
        await network.close()
        await chain.stop()


async def test_an_owner_that_cannot_have_an_nft(
    tmp_path: Path, development_chain: DevelopmentChain, network: Network, payer: LocalAccount
) -> None:
    """A contract that knows no NFTs refuses them; so does nobody at all."""
    for number, owner in enumerate((network.factory, "0x" + "00" * 20, "not an address")):
        folder = tmp_path / str(number)
        outcome = await publish(make_job(folder, facts_of(development_chain), payer, owner=owner))
        refused(folder, outcome, "refused", "no asset is made of them")
    assert await made_by(network, payer) == []


WRONG: dict[str, Any] = {
    "another chain": {"chain_id": 1},
    "another chain's node": {"rpc_url": ""},
    "no key of a provider": {"provider_public_key": "0x04"},
    "unknown field": {"colour": "red"},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
async def test_a_secret_that_makes_no_sense(
    tmp_path: Path, development_chain: DevelopmentChain, payer: LocalAccount, changes: dict[str, Any]
) -> None:
    outcome = await publish(make_job(tmp_path, facts_of(development_chain, **changes), payer))
    refused(tmp_path, outcome, "misconfigured", "publication.json")
    assert bytes(payer.key).hex() not in outcome[1]


@pytest.mark.parametrize(("count", "problem"), [(0, "no_outputs"), (101, "too_many_outputs")])
async def test_numbers_of_outputs(
    tmp_path: Path, development_chain: DevelopmentChain, payer: LocalAccount, count: int, problem: str
) -> None:
    outputs = {f"{number:03}": b"x" for number in range(count)}
    outcome = await publish(make_job(tmp_path, facts_of(development_chain), payer, outputs))
    refused(tmp_path, outcome, problem, "no asset is made of them")
    assert assets_in(tmp_path) == []


@pytest.mark.parametrize("ended", ["Failed", "Error", "Running", "{{workflow.status}}"])
async def test_only_after_success(
    tmp_path: Path, development_chain: DevelopmentChain, network: Network, payer: LocalAccount, ended: str
) -> None:
    environ = make_job(tmp_path, facts_of(development_chain), payer) | {"C2D_COMPUTE_ENDED": ended}
    code, said = await publish(environ)
    assert (code, "the algorithm did not succeed" in said) == (0, True)
    assert not {"did", "not_published"} & summary_of(tmp_path).keys()
    assert await made_by(network, payer) == []


async def test_a_hundred_outputs_fit(
    tmp_path: Path, development_chain: DevelopmentChain, network: Network, payer: LocalAccount
) -> None:
    outputs = {"a folder/" + "long name " * 20 + f"{number:03}": b"x" for number in range(100)}
    code, said = await publish(make_job(tmp_path, facts_of(development_chain), payer, outputs))
    assert code == 0, said
    assert summary_of(tmp_path)["did"], said
