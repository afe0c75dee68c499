"""One API process of several on one database: `replica:command` with the words FOLDER PORT URL [trouble].

A real uvicorn with the real application and storage. The chain is in its own memory: all of them know the same dataset
and the same orders. Argo takes a name once for all of them. So what they share is the database, and Argo's names.

With trouble, Argo and the database are slow at random, and Argo fails in every way: before a submission, after it, with
a submission that comes later than its client waits for, which a real client would not let happen.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from sqlalchemy import Connection

from argo.client.errors import ArgoUnavailable, WorkflowExists, WorkflowFinished, WorkflowNotFound
from argo.client.records import NewWorkflow, Workflow
from provider_api.__main__ import KEEP_ALIVE_SECONDS
from provider_api.deploy.addresses import free_port
from provider_api.settings import ArgoSettings, LimitSettings, StorageSettings
from provider_api.storage.database import Database
from tests.support.clients import ROOT
from tests.support.forks import Forked
from tests.support.provider_neighbours import MemoryArgo, World, just_created, labelled

ORDERS = 400  # `transaction(1)` and so on
DATASETS = 3
LEASE_SECONDS = 3.0  # with trouble
_CHANCE = random.Random()  # noqa: S311
_START_SECONDS = 200  # three at once on a busy machine


class SharedArgo(MemoryArgo):
    """Workflows lie in a folder that several processes have; a name is taken by whoever makes its file first."""

    def __init__(self, folder: Path) -> None:
        super().__init__(max_queued=1000)
        self._folder = folder
        folder.mkdir(exist_ok=True)

    async def submit(self, new: NewWorkflow) -> Workflow:
        name = new.name
        workflow = replace(just_created(new), arguments={})
        complete = self._folder / f".{name}-{os.getpid()}"
        complete.write_bytes(pickle.dumps(workflow))
        try:
            os.link(complete, self._folder / name)
        except FileExistsError:
            raise WorkflowExists(name) from None
        finally:
            complete.unlink()
        with (self._folder / "submitted").open("a") as record:
            record.write(name + "\n")
        return workflow

    async def get(self, name: str) -> Workflow:
        try:
            return self._read(self._folder / name)
        except FileNotFoundError:
            raise WorkflowNotFound(name) from None

    async def list(
        self,
        labels: Mapping[str, str],
        *,
        limit: int | None = 100,
        unfinished_only: bool = False,
        skip_unreachable: bool = False,
    ) -> list[Workflow]:
        found = []
        for path in self._folder.glob("[0-9a-f]*"):
            with suppress(FileNotFoundError):
                found.append(self._read(path))
        return [one for one in found if all(labelled(one, key, value) for key, value in labels.items())][:limit]

    async def terminate(self, name: str) -> None:
        workflow = await self.get(name)
        if workflow.finished:
            raise WorkflowFinished(name)
        finish(self._folder.parent, name, "Failed")

    async def delete(self, name: str) -> None:
        try:
            (self._folder / name).unlink()
        except FileNotFoundError:
            raise WorkflowNotFound(name) from None
        with (self._folder / "withdrawn").open("a") as record:
            record.write(name + "\n")

    def _read(self, path: Path) -> Workflow:
        workflow: Workflow = pickle.loads(path.read_bytes())  # noqa: S301  (our own)
        return workflow


class TroubledArgo(SharedArgo):
    """Slow at random, and at random away, lost or late."""

    async def submit(self, new: NewWorkflow) -> Workflow:
        await asyncio.sleep(_CHANCE.uniform(0, 0.2))
        match _CHANCE.random():
            case chance if chance < 0.08:
                raise ArgoUnavailable("away", definite=True)
            case chance if chance < 0.16:
                raise ArgoUnavailable("lost on the way", definite=False)
            case chance if chance < 0.24:
                await super().submit(new)
                raise ArgoUnavailable("its answer was lost", definite=False)
            case chance if chance < 0.32:
                await asyncio.sleep(LEASE_SECONDS * _CHANCE.uniform(0.8, 1.6))
        return await super().submit(new)

    async def get(self, name: str) -> Workflow:
        await asyncio.sleep(_CHANCE.uniform(0, 0.05))
        if _CHANCE.random() < 0.03:
            raise ArgoUnavailable("away", definite=True)
        return await super().get(name)


def make_database_slow() -> None:
    """Transactions of this process end late at random, with what they have locked."""
    write = Database.write

    async def slow(database: Database, work: Callable[[Connection], Any]) -> Any:
        def lingering(connection: Connection) -> Any:
            done = work(connection)
            if _CHANCE.random() < 0.1:
                time.sleep(_CHANCE.uniform(0, 0.2))
            return done

        return await write(database, lingering)

    Database.write = slow  # type: ignore[method-assign]


def unfinished(folder: Path) -> set[str]:
    """Names of the workflows that run."""
    found = set()
    for path in (folder / "argo").glob("[0-9a-f]*"):
        with suppress(FileNotFoundError):
            if len(path.name) == 32 and not pickle.loads(path.read_bytes()).finished:  # noqa: S301
                found.add(path.name)
    return found


def finish(folder: Path, name: str, phase: str = "Succeeded") -> None:
    """End a workflow, if it is there."""
    path = folder / "argo" / name
    with suppress(FileNotFoundError):
        workflow: Workflow = pickle.loads(path.read_bytes())  # noqa: S301
        complete = folder / "argo" / f".{name}-{os.getpid()}-{phase}"
        complete.write_bytes(pickle.dumps(replace(workflow, phase=phase, finished_at=datetime.now(UTC))))
        os.replace(complete, path)


def recorded(folder: Path, what: str) -> list[str]:
    """Names of all workflows that were `submitted` or `withdrawn`, as often as they were."""
    path = folder / "argo" / what
    return path.read_text().split() if path.exists() else []


def main(folder: str, port: str, url: str, trouble: str = "") -> None:
    settings: dict[str, Any] = {"storage": StorageSettings(url=url)}  # type: ignore[arg-type]
    if trouble:
        settings["limits"] = LimitSettings(claim_lease_seconds=LEASE_SECONDS)
        settings["argo"] = ArgoSettings(timeout_seconds=LEASE_SECONDS / 2)
        make_database_slow()
    world = World(Path(folder), **settings)
    world.argo = (TroubledArgo if trouble else SharedArgo)(Path(folder).parent / "argo")
    for number in range(DATASETS):
        world.publish(number)
    for _ in range(ORDERS):
        world.order()
    uvicorn.run(
        world.app,
        host="127.0.0.1",
        port=int(port),
        access_log=False,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=world.settings.server.shutdown_seconds,
    )


class Replicas:
    """Several processes on one database, which may be empty."""

    def __init__(self, folder: Path, url: str, count: int, trouble: bool) -> None:
        self._folder, self._url, self._trouble = folder, url, ["trouble"] if trouble else []
        self._ports = [free_port() for _ in range(count)]
        self.addresses = [f"http://127.0.0.1:{port}" for port in self._ports]
        self._processes = [self._start(number) for number in range(count)]  # at the same moment
        for number in range(count):
            _wait(self.addresses[number], self._processes[number])

    def restart(self, number: int) -> int:
        """As an orchestrator does it: asked to end, waited for, started again. Its exit code."""
        code = self._end(number)
        self._processes[number] = self._start(number)
        _wait(self.addresses[number], self._processes[number])
        return code

    def end(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(_START_SECONDS)

    def _end(self, number: int) -> int:
        self._processes[number].terminate()
        return self._processes[number].wait(_START_SECONDS)

    def _start(self, number: int) -> Forked:
        place, port = str(self._folder / str(number)), str(self._ports[number])
        log = self._folder / f"replica-{number}.log"
        words = (place, port, self._url, *self._trouble)
        return Forked("tests.support.replica:command", words, env=os.environ, cwd=ROOT, output=log, errors=log)


@contextmanager
def replicas(folder: Path, url: str, count: int = 3, *, trouble: bool = False) -> Iterator[Replicas]:
    running = Replicas(folder, url, count, trouble)
    try:
        yield running
    finally:
        running.end()


def _wait(address: str, process: Forked) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        assert process.returncode is None, "a replica ended at once; see its log"
        try:
            if httpx.get(f"{address}/health/live").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("a replica did not answer")


@asynccontextmanager
async def clients(addresses: Sequence[str]) -> AsyncIterator[list[httpx.AsyncClient]]:
    async with AsyncExitStack() as stack:
        limits = httpx.Limits(max_connections=50, max_keepalive_connections=50)
        made = [httpx.AsyncClient(base_url=address, limits=limits, timeout=240) for address in addresses]
        await asyncio.gather(*(stack.enter_async_context(client) for client in made))
        yield made


def command() -> None:
    """What each of the processes runs."""
    _CHANCE.seed()
    main(*sys.argv[1:])
