"""The development chain's process: restarts, kills, a state that cannot be read, a parent that dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ocean.chain.anvil import AnvilFailed, find_anvil
from ocean.chain.development import DevelopmentChain, account, start_anvil
from ocean.chain.network import Network
from ocean.chain.orders import verify_order
from provider_api.deploy.addresses import free_port
from tests.support.chain import ONE, Chain

pytestmark = pytest.mark.integration


async def opened(running: DevelopmentChain) -> Chain:
    return Chain(
        running.url, str(running.address_file), await Network.open(running.url, running.address_file, chain_id=8996)
    )


async def kept(folder: Path, tx_hash: str) -> None:
    """Until the state that survives a kill has this transaction: it is written each second and kept a second later."""
    state = folder / "chain.json"
    async with asyncio.timeout(60):
        while not (state.exists() and tx_hash in state.read_text()):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
async def test_orders_survive_a_restart(tmp_path: Path, killed: bool) -> None:
    port = free_port()
    first = await start_anvil(tmp_path, port)
    chain = await opened(first)
    asset = await chain.publish()
    request = chain.request(asset, await chain.order(asset))
    order = await verify_order(chain.network, request)
    if killed:
        await kept(tmp_path, request.tx_hash)
        await asyncio.to_thread(first.process.kill)
    else:
        await first.stop()
    second = await start_anvil(tmp_path, port)
    assert second.addresses == first.addresses
    assert await verify_order(chain.network, request) == order, "the open network goes on with the new process"
    await second.stop()
    await chain.network.close()


async def test_a_kill_while_it_writes_its_state(tmp_path: Path) -> None:
    """anvil's file is then half a state; the one of a second before counts."""
    port = free_port()
    first = await start_anvil(tmp_path, port)
    chain = await opened(first)
    asset = await chain.publish()
    request = chain.request(asset, await chain.order(asset))
    await kept(tmp_path, request.tx_hash)
    os.kill(first.process.pid, signal.SIGKILL)
    await asyncio.to_thread(first.process._process.wait)
    dump = tmp_path / "chain.json.dump"
    dump.write_bytes(dump.read_bytes()[:-1000])
    second = await start_anvil(tmp_path, port)
    assert await verify_order(chain.network, request)
    assert not (tmp_path / "chain.json.unreadable").exists()
    await second.stop()
    await chain.network.close()


async def test_accounts_have_money(tmp_path: Path) -> None:
    running = await start_anvil(tmp_path, free_port())
    chain = await opened(running)
    for index in (0, 9):
        assert await chain.network.balance(chain.network.ocean, account(index).address) >= 10_000 * ONE
        assert await chain.network.balance(running.addresses["MockUSDC"], account(index).address) >= 10_000 * 10**6
    await chain.network.close()
    await running.stop()


async def test_lost_or_broken_state_begins_a_fresh_chain(tmp_path: Path) -> None:
    port = free_port()
    first = await start_anvil(tmp_path, port)
    await first.stop()
    (tmp_path / "chain.json").write_text('{"block":')
    second = await start_anvil(tmp_path, port)
    assert (tmp_path / "chain.json.unreadable").exists()
    chain = await opened(second)
    assert await chain.publish()
    await second.stop()
    (tmp_path / "chain.json").unlink()  # the address file alone is no chain
    third = await start_anvil(tmp_path, port)
    assert await chain.publish()
    await third.stop()
    await chain.network.close()


async def test_port_in_use(tmp_path: Path) -> None:
    running = await start_anvil(tmp_path / "one", free_port())
    with pytest.raises(AnvilFailed, match="in use"):
        await start_anvil(tmp_path / "two", running.process.port)
    await running.stop()


async def test_binary_that_ends_at_once(tmp_path: Path) -> None:
    with pytest.raises(AnvilFailed):
        await start_anvil(tmp_path, free_port(), binary="/bin/false")
    assert find_anvil("/x/y") == Path("/x/y")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the child with its parent")
def test_anvil_dies_with_a_killed_parent(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys, time, pathlib\n"
        "from ocean.chain.development import start_anvil\n"
        "chain = asyncio.run(start_anvil(pathlib.Path(sys.argv[1]), int(sys.argv[2])))\n"
        "print(chain.process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path), str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 60
    while _alive(child):
        assert time.monotonic() < deadline, "anvil outlived its parent"
        time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
