"""What `c2d serve` says when it cannot start, or waits: one line with what, where and until when."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from provider_api.cli.startup_errors import explain
from provider_api.deploy import waiting
from provider_api.deploy.addresses import free_port, port_is_free
from provider_api.deploy.lock import FolderInUse, FolderLock
from provider_api.deploy.machine import CHAIN_PORT, Machine
from provider_api.settings import load_settings
from provider_api.storage.database import Database, StorageUnavailable

pytestmark = pytest.mark.integration

PASSWORD = "a-password-of-a-test"
HOLDER = """
import sys, time, pathlib
from provider_api.deploy.lock import FolderLock
FolderLock(pathlib.Path(sys.argv[1])).take()
print("taken", flush=True)
time.sleep(600)
"""


def test_a_second_one_on_the_same_data_is_told_so(tmp_path: Path) -> None:
    """Before anything is started, by whatever port it was asked to listen; the lock ends with a kill."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"taken\n"
        with pytest.raises(FolderInUse) as used:
            Machine(tmp_path, environment={})
        said = explain(used.value)
        assert (str(tmp_path) in said, f"process {holder.pid}" in said, "--data" in said) == (True, True, True)
        command = [str(Path(sys.executable).parent / "c2d"), "serve", "--data", str(tmp_path)]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("C2D_")}
        done = subprocess.run(command, env=clean, capture_output=True, text=True, check=False, timeout=240)
        assert (done.returncode, done.stdout.strip()) == (1, f"✘ {said}")
        assert done.stderr == ""
        holder.kill()
    FolderLock(tmp_path).take()


def test_a_folder_that_is_not_there_is_free(tmp_path: Path) -> None:
    FolderLock(tmp_path / "new").require_free()
    assert not (tmp_path / "new").exists()


async def test_neighbours_without_connection_are_named_without_secrets() -> None:
    closed = free_port()
    settings = load_settings(
        {
            "C2D_CHAINS": f'[{{"url": "http://127.0.0.1:{closed}/v3/{PASSWORD}"}}]',
            "C2D_ARGO__URL": f"https://127.0.0.1:{closed}",
            "C2D_STORAGE__URL": f"postgresql+asyncpg://user:{PASSWORD}@127.0.0.1:{closed}/name",
        }
    )
    assert await waiting.absent(settings) == [
        f"{what} at 127.0.0.1:{closed}" for what in ("the chain's node", "Argo Server", "the database")
    ]
    told: list[str] = []
    known = asyncio.Event()

    def tell(line: str) -> None:
        told.append(line)
        known.set()

    async with waiting.telling(settings, 60, tell), asyncio.timeout(60):
        await known.wait()
    assert f"127.0.0.1:{closed}" in told[0]
    assert "at most 60 s" in told[0]
    assert PASSWORD not in told[0]


async def test_neighbours_that_listen_are_not_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        settings = load_settings({"C2D_CHAINS": f'[{{"url": "http://127.0.0.1:{port}"}}]'})
        assert await waiting.absent(settings) == []
    assert await waiting.absent(load_settings({})) == []


async def test_a_database_that_does_not_answer_is_named_without_password() -> None:
    closed = free_port()
    database = Database(f"postgresql+asyncpg://user:{PASSWORD}@127.0.0.1:{closed}/name")
    with pytest.raises(StorageUnavailable) as away:
        await database.open(0)
    await database.close()
    assert f"the database at 127.0.0.1:{closed}/name does not answer" in str(away.value)
    assert PASSWORD not in str(away.value)


def test_another_port_of_the_chain_is_told_and_kept(tmp_path: Path) -> None:
    environment = {"C2D_SERVER__PORT": str(free_port())}
    with contextlib.ExitStack() as stack:
        if port_is_free("127.0.0.1", CHAIN_PORT):  # else somebody else has it
            stack.enter_context(socket.create_server(("127.0.0.1", CHAIN_PORT)))
        first = Machine(tmp_path, fixed_ports=True, environment=environment)
    port = first.chain_url.rpartition(":")[2]
    assert port != str(CHAIN_PORT)
    again = Machine(tmp_path, fixed_ports=True, environment=environment)
    assert again.chain_url == first.chain_url
    for machine in (first, again):
        assert any(str(CHAIN_PORT) in remark and port in remark for remark in machine.remarks)
