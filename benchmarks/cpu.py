"""CPU time of the API's process for one request of each kind, beside that of the root document in the same run.

It depends far less on what else the machine does than a time does, so that two commits can be compared. Requests come
one after the other. The clock of the kernel counts in steps of 10 ms, hence many requests for each value.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession

from benchmarks.figures import Figure, sample
from benchmarks.load import Call, UnexpectedAnswer, fetch
from benchmarks.service import forget_jobs
from benchmarks.starts import Requests, prepared_requests
from tests.support.chain import consumer as consumer_account
from tests.support.service import Service

RUNS: Final = 4
EACH: Final = {"root": 400, "nonce": 400, "status": 200, "encrypt": 200, "fileinfo": 100, "initializeCompute": 40}
STARTS: Final = 4  # of each lane in a run; an account may have 26 jobs
_TICKS: Final = os.sysconf("SC_CLK_TCK")


async def measure(place: Path) -> list[Figure]:
    async with prepared_requests(place, 1 + (RUNS + 1) * STARTS) as (requests, _):
        (job,) = json.loads(await requests.starts(1)[0][0]())  # type: ignore[arg-type]
        found = await _measure(requests, _kinds(requests, job))
    root = sample(found["root"])
    return [
        Figure(f"CPU of the API: {name}", "ms", sample(values), "root document", root)
        for name, values in found.items()
        if name != "root"
    ]


def _kinds(requests: Requests, job: dict[str, Any]) -> dict[str, Call]:
    session, dataset = requests.session, requests.assets[0]
    asked = {"did": dataset.id, "serviceId": dataset.services[0].id}
    url = f"{requests.service.url}/api/services/"
    account, mine = consumer_account.address, {"jobId": job["jobId"], "consumerAddress": job["owner"]}
    ask: dict[str, Any] = {"data": json.dumps(asked).encode(), "headers": {"content-type": "application/json"}}
    return {
        "root": requests.root,
        "nonce": partial(fetch, session, "GET", url + "nonce", params={"userAddress": account}),
        "status": partial(fetch, session, "GET", url + "compute", params=mine, must="jobId"),
        "encrypt": partial(_encrypt, session, url + "encrypt?chainId=8996"),
        "fileinfo": partial(fetch, session, "POST", url + "fileinfo", **ask),
        "initializeCompute": requests.quote,
    }


async def _encrypt(session: ClientSession, url: str) -> None:
    async with session.post(url, data=b"x" * 200) as answer:
        if answer.status != 201:
            raise UnexpectedAnswer(f"encrypt was answered {answer.status}")
        await answer.read()


async def _measure(requests: Requests, kinds: dict[str, Call]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for run in range(RUNS + 1):
        for name, call in kinds.items():
            spent = await _cpu(requests.service, [call] * EACH[name])
            if run:  # the first one warms up
                found.setdefault(name, []).append(spent)
        starts = [call for lane in requests.starts(STARTS) for call in lane]
        spent = await _cpu(requests.service, starts)
        if run:
            found.setdefault("start", []).append(spent)
    await forget_jobs(requests.service, requests.session)
    return found


async def _cpu(service: Service, calls: Sequence[Call]) -> float:
    """Milliseconds of the API's process for each call."""
    before = _spent(service)
    for call in calls:
        await call()
    return 1000 * (_spent(service) - before) / len(calls)


def _spent(service: Service) -> float:
    """Seconds that the process has computed, in itself and in the kernel."""
    pid = service.machine.child("api").pid
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
