"""Status queries with 10,000 jobs known to Argo, beside a plain GET of the same workflow on the Argo Server.

The 10,000 are copies of one real finished job, written into the embedded server's store while it is down.
"""

from __future__ import annotations

import random
import sqlite3
import uuid
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import Figure, sample
from benchmarks.load import LANES, Call, fetch, http, per_second
from benchmarks.service import argo_headers, workflows_url
from ocean.client import Consumer
from provider_api.machine.file_server import FileServer
from tests.support.chain import consumer as consumer_account
from tests.support.service import FREE, Buyer, Service, raw_python
from workflow_templates import names

JOBS, OWNERS, RUNS, QUERIES, LISTS = 10_000, 100, 5, 40, 3  # queries and lists of each lane in a run
API: Final = "/api/services/compute"


async def measure(place: Path) -> list[Figure]:
    contents = place / "rain.csv"
    contents.write_text("day,mm\n1,3\n")
    with (
        FileServer({"rain.csv": contents}) as files,
        Service(place / "data", allow_private=[files.address]) as service,
    ):
        job = await _one_job(service, files.urls["rain.csv"])
        few = await _statuses(service, [(job, consumer_account.address.lower())])
        await service.stop_part("argo")
        jobs = copy_job(service.folder.argo / "argo.db", job)
        await service.start_part("argo")
        many = await _statuses(service, jobs)
        lists = await _lists(service, sorted({owner for _, owner in jobs}))
    plain, known = "plain GET of it, Argo Server", f"{JOBS:,} jobs known, {LANES} at a time"
    return [
        Figure("status of a job", "/s", many["status"], plain, many["plain"], known),
        Figure("status of a job", "/s", many["status"], "the same with 1 job known", few["status"]),
        Figure(
            "status of an owner", "/s", lists["status"], "plain list, Argo Server", lists["plain"], "100 jobs an answer"
        ),
    ]


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


async def _statuses(service: Service, jobs: list[tuple[str, str]]) -> dict[str, Any]:
    choice = random.Random(1)  # noqa: S311  (the same choice in each run)

    def calls(make: Any) -> list[list[Call]]:
        return [[make(*choice.choice(jobs)) for _ in range(QUERIES)] for _ in range(LANES)]

    async with http() as session:

        def ours(job: str, owner: str) -> Call:
            return partial(
                fetch, session, "GET", service.url + API, params={"jobId": job, "consumerAddress": owner}, must=job
            )

        def plain(job: str, _: str) -> Call:
            url = f"{workflows_url(service)}/{job}"
            return partial(
                fetch, session, "GET", url, headers=argo_headers(service), params=_fields(one=True), must=job
            )

        return await _compared(calls, ours, plain)


async def _lists(service: Service, owners: list[str]) -> dict[str, Any]:
    choice = random.Random(2)  # noqa: S311

    def calls(make: Any) -> list[list[Call]]:
        return [[make(choice.choice(owners)) for _ in range(LISTS)] for _ in range(LANES)]

    async with http() as session:

        def ours(owner: str) -> Call:
            return partial(
                fetch,
                session,
                "GET",
                service.url + API,
                params={"consumerAddress": owner},
                must="Job finished",
                times=100,
            )

        def plain(owner: str) -> Call:
            params = _fields(one=False) | {
                "listOptions.labelSelector": f"{names.OWNER}={owner}",
                "listOptions.limit": "100",
            }
            return partial(
                fetch,
                session,
                "GET",
                workflows_url(service),
                headers=argo_headers(service),
                params=params,
                must=owner,
                times=100,
            )

        return await _compared(calls, ours, plain)


async def _compared(calls: Any, ours: Any, plain: Any) -> dict[str, Any]:
    await per_second(calls(ours))
    await per_second(calls(plain))
    found: dict[str, list[float]] = {"status": [], "plain": []}
    for _ in range(RUNS):
        found["status"].append(await per_second(calls(ours)))
        found["plain"].append(await per_second(calls(plain)))
    return {name: sample(values) for name, values in found.items()}


def _fields(*, one: bool) -> dict[str, str]:
    """What the service asks for; without it each workflow brings its whole template along."""
    from argo.client.queries import GET_FIELDS, LIST_FIELDS  # the client behind it takes a second to import

    return {"fields": GET_FIELDS if one else LIST_FIELDS}


def copy_job(database: Path, job: str) -> list[tuple[str, str]]:
    """Fill the store of a stopped server with copies of a finished job; (name, owner) of each."""
    db = sqlite3.connect(database)
    db.execute("PRAGMA synchronous = OFF")
    db.row_factory = sqlite3.Row
    row = dict(db.execute("SELECT * FROM workflow WHERE name = ?", (job,)).fetchone())
    content = db.execute("SELECT arguments, template FROM content WHERE id = ?", (row["id"],)).fetchone()
    labels = db.execute("SELECT key, value FROM label WHERE id = ?", (row["id"],)).fetchall()
    owner = dict(labels)[names.OWNER]
    columns = [name for name in row if name != "id"]
    insert = f"INSERT INTO workflow ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
    made = [(f"00{number:030x}", f"0x{number % OWNERS + 1:040x}") for number in range(1, JOBS + 1)]
    with db:
        for number, (name, new_owner) in enumerate(made):
            values = [
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
