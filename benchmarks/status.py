"""Status and lists with 1, 100 and 10,000 jobs known to Argo, beside plain requests of the same to the Argo Server.

All but one are copies of one real finished job, written into the embedded server's store while it is down.
"""

from __future__ import annotations

import random
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession

from benchmarks.figures import Figure, Sample, sample
from benchmarks.load import LANES, Call, fetch, http, per_second
from benchmarks.service import argo_headers, workflows_url
from contract import names
from ocean.client import Consumer
from provider_api.deploy.file_server import FileServer
from tests.support.chain import consumer as consumer_account
from tests.support.service import FREE, Buyer, Service, raw_python

MANY: Final = (100, 10_000)  # jobs known, after one alone
OWN, RUNS, QUERIES = 100, 5, 40  # jobs of an owner, at most; runs; queries of each lane in a run
API: Final = "/api/services/compute"
Jobs = list[tuple[str, str]]  # (name, owner)


async def measure(place: Path) -> list[Figure]:
    contents = place / "rain.csv"
    contents.write_text("day,mm\n1,3\n")
    figures: list[Figure] = []
    with (
        FileServer({"rain.csv": contents}) as files,
        Service(place / "data", allow_private=[files.address]) as service,
    ):
        job = await _one_job(service, files.urls["rain.csv"])
        figures += await _latencies(service, [(job, consumer_account.address.lower())], "1 job known")
        jobs: Jobs = []
        for known in MANY:
            await service.stop_part("argo")
            jobs += copy_job(service.folder.argo / "argo.db", job, range(len(jobs) + 1, known + 1))
            await service.start_part("argo")
            figures += await _latencies(service, jobs, f"{known:,} jobs known")
        figures.append(await _throughput(service, jobs))
    return figures


async def _latencies(service: Service, jobs: Jobs, known: str) -> list[Figure]:
    """One request at a time, in ms."""
    owners = sorted({owner for _, owner in jobs})
    mine = sum(owner == owners[0] for _, owner in jobs)
    async with http() as session:
        by_id = await _compared(jobs, _status(session, service), _plain_status(session, service), lanes=1)
        of_owner = await _compared(owners, _list(session, service, mine), _plain_list(session, service, mine), lanes=1)
    milliseconds = {
        name: [sample(1000 / value for value in found[side].values) for side in ("ours", "plain")]
        for name, found in (("status of a job", by_id), (f"{mine} jobs of an owner", of_owner))
    }
    return [
        Figure(f"{name}, {known}", "ms", ours, "plain GET, Argo server", plain)
        for name, (ours, plain) in milliseconds.items()
    ]


async def _throughput(service: Service, jobs: Jobs) -> Figure:
    async with http() as session:
        found = await _compared(jobs, _status(session, service), _plain_status(session, service), lanes=LANES)
    note = f"{len(jobs):,} jobs known, {LANES} at a time"
    return Figure("status of a job", "/s", found["ours"], "plain GET, Argo server", found["plain"], note)


async def _one_job(service: Service, url: str) -> str:
    """Name of a job that has run to its good end."""
    network = await service.network()
    try:
        async with Consumer(service.url, consumer_account) as client:
            buyer = Buyer(service, network, client)
            dataset = await buyer.publish(url, compute={"allowRawAlgorithm": True})
            ordered, algorithm = await buyer.order([dataset], raw_python("print('hello')"))
            started = await client.start(await client.start_request(FREE, ordered, algorithm))
            job = await buyer.finished(started["jobId"])
            assert job["status"] == 70, job
            name: str = job["jobId"]
            return name
    finally:
        await network.close()


def _status(session: ClientSession, service: Service) -> Callable[[tuple[str, str]], Call]:
    def ask(job: tuple[str, str]) -> Call:
        params = {"jobId": job[0], "consumerAddress": job[1]}
        return partial(fetch, session, "GET", service.url + API, params=params, must=job[0])

    return ask


def _plain_status(session: ClientSession, service: Service) -> Callable[[tuple[str, str]], Call]:
    def ask(job: tuple[str, str]) -> Call:
        url, headers = f"{workflows_url(service)}/{job[0]}", argo_headers(service)
        return partial(fetch, session, "GET", url, headers=headers, params=_fields(one=True), must=job[0])

    return ask


def _list(session: ClientSession, service: Service, mine: int) -> Callable[[str], Call]:
    def ask(owner: str) -> Call:
        params = {"consumerAddress": owner}
        return partial(fetch, session, "GET", service.url + API, params=params, must="Job finished", times=mine)

    return ask


def _plain_list(session: ClientSession, service: Service, mine: int) -> Callable[[str], Call]:
    def ask(owner: str) -> Call:
        params = _fields(one=False) | {
            "listOptions.labelSelector": f"{names.OWNER}={owner}",
            "listOptions.limit": "100",
        }
        url, headers = workflows_url(service), argo_headers(service)
        return partial(fetch, session, "GET", url, headers=headers, params=params, must=owner, times=mine)

    return ask


async def _compared(things: Sequence[Any], ours: Any, plain: Any, *, lanes: int) -> dict[str, Sample]:
    """Calls per second, for random ones of `things`; both sides in turns."""
    choice = random.Random(1)  # noqa: S311  (the same choice in each run)

    def calls(make: Any) -> list[list[Call]]:
        return [[make(choice.choice(things)) for _ in range(QUERIES)] for _ in range(lanes)]

    await per_second(calls(ours))
    await per_second(calls(plain))
    found: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(RUNS):
        found["ours"].append(await per_second(calls(ours)))
        found["plain"].append(await per_second(calls(plain)))
    return {name: sample(values) for name, values in found.items()}


def _fields(*, one: bool) -> dict[str, str]:
    """What the service asks for; without it each workflow brings its whole template along."""
    from argo.client.queries import GET_FIELDS, LIST_FIELDS  # the client behind it takes a second to import

    return {"fields": GET_FIELDS if one else LIST_FIELDS}


def copy_job(database: Path, job: str, numbers: range) -> Jobs:
    """Put numbered copies of a finished job into the store of a stopped server. Each hundred belongs to one owner."""
    db = sqlite3.connect(database)
    db.execute("PRAGMA synchronous = OFF")
    db.row_factory = sqlite3.Row
    row = dict(db.execute("SELECT * FROM workflow WHERE name = ?", (job,)).fetchone())
    content = db.execute("SELECT arguments, template FROM content WHERE id = ?", (row["id"],)).fetchone()
    labels = db.execute("SELECT key, value FROM label WHERE id = ?", (row["id"],)).fetchall()
    owner = dict(labels)[names.OWNER]
    columns = [name for name in row if name != "id"]
    insert = f"INSERT INTO workflow ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
    made = [(f"00{number:030x}", f"0x{(number - 1) // OWN + 1:040x}") for number in numbers]
    with db:
        for number, (name, new_owner) in zip(numbers, made, strict=True):
            values: list[Any] = [
                value.replace(job, name).replace(owner, new_owner).replace(row["uid"], str(uuid.UUID(int=number)))
                if isinstance(value, str)
                else value
                for value in (row[column] for column in columns)
            ]
            values[columns.index("position")] += number / 1000
            key = db.execute(insert, values).lastrowid
            db.execute("INSERT INTO content VALUES (?, ?, ?)", (key, *content))
            db.executemany(
                "INSERT INTO label VALUES (?, ?, ?)",
                [(key, label, new_owner if label == names.OWNER else value) for label, value in labels],
            )
    db.close()
    return made
