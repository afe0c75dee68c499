"""What a queue costs on a real node: writes of workflows, and processor time of Argo's controller, for each job's end.

Needs the node of `make cluster`: `.venv/bin/python -m tools.cluster bench queue`. The jobs are those of the recorded
scenarios (three pods with small shell programs), four at a time, in a namespace of their own. Ours: the service's
`Turns`, which leave one waiting job to Argo. Compared with: all of them in Argo's own queue, or a short queue of ours.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from nacl.public import PrivateKey

from argo.client import ArgoClient, ArgoServers
from argo.client.records import FIRST_SERVER, NewWorkflow
from benchmarks.figures import Figure, sample
from contract import names
from ocean.kit.together import together
from provider_api.environments.catalogue import Environments
from provider_api.environments.environment import Environment
from provider_api.jobs.places import places_in_line
from provider_api.jobs.queues import EnvironmentQueues
from provider_api.jobs.turns import Turns, pause_after
from tests.support.deployed import Cluster, kubectl
from tests.support.recorded_namespace import NAMESPACE, recorded_namespace

WAITING = (10, 100, 1000)
MOST_IN_ARGOS_QUEUE = 100  # more would take hours
AT_ONCE = 4
ENDED = 12 + AT_ONCE  # jobs, while that many more wait; the first ones are terminated
SETTLED_SECONDS = 30
TEMPLATE = "rec-queued"
ENVIRONMENT = Environment(TEMPLATE, "0x" + "0" * 40, PrivateKey.generate().public_key, max_jobs=AT_ONCE)
LABELS = {names.ENVIRONMENT: TEMPLATE}
PROGRAMS = {"controller": "workflow-contro", "API server": "kube-apiserver", "Argo Server": "argo"}  # as /proc has them
_WRITES = ("PUT", "PATCH", "UPDATE")


@dataclass(frozen=True)
class Cost:
    """For each job that has ended."""

    writes: float
    seconds: float
    cpu_seconds: dict[str, float]


async def measure(place: Path) -> list[Figure]:
    release = Cluster().argo
    figures, ours = list[Figure](), dict[int, Cost]()
    for waiting in WAITING:
        with recorded_namespace(release) as token:
            ours[waiting] = await _run(token, waiting, in_turns=True)
        print(f"{waiting} wait, in turns", ours[waiting], flush=True)  # it takes long
        if waiting > MOST_IN_ARGOS_QUEUE:
            figures += _figures(waiting, ours[waiting], f"while {WAITING[0]} wait", ours[WAITING[0]])
            continue
        with recorded_namespace(release) as token:
            argos = await _run(token, waiting, in_turns=False)
        print(f"{waiting} wait, all in Argo's queue", argos, flush=True)
        figures += _figures(waiting, ours[waiting], "all in Argo's queue", argos)
    return figures


def _figures(waiting: int, ours: Cost, name: str, other: Cost) -> list[Figure]:
    used = ", ".join(f"{name} {ours.cpu_seconds[name]:.2f} and {other.cpu_seconds[name]:.2f} s" for name in PROGRAMS)
    cpu = [sample([cost.cpu_seconds["controller"]]) for cost in (ours, other)]
    title = f"{waiting:,} jobs wait: writes for each that ends"
    return [
        Figure(title, "", sample([ours.writes]), name, sample([other.writes])),
        Figure("  processor time of the controller", "s", cpu[0], name, cpu[1], used),
        Figure("  time from one end to the next", "s", sample([ours.seconds]), name, sample([other.seconds])),
    ]


async def _run(token: str, waiting: int, *, in_turns: bool) -> Cost:
    kubectl(
        NAMESPACE, "patch", "configmap", "c2d-limits", "--type", "merge", "-p", f'{{"data": {{"small": "{AT_ONCE}"}}}}'
    )
    client = ArgoClient(os.environ["C2D_E2E_ARGO_URL"], NAMESPACE, token, verify=False, timeout_seconds=60)
    async with ArgoServers({FIRST_SERVER: client}) as argo:
        holding = [await _submit(client, 0, "sleep 100000") for _ in range(AT_ONCE)]
        places, left_to_argo = asyncio.Semaphore(8), places_in_line(ENVIRONMENT) - AT_ONCE

        async def submit(number: int) -> None:
            async with places:
                await _submit(client, number, "true", queued=in_turns and number >= left_to_argo)

        await together(*(submit(number) for number in range(waiting + ENDED - AT_ONCE)))
        async with asyncio.timeout(1800):
            while not all(job.nodes for job in await argo.list(LABELS, limit=None)):  # noqa: ASYNC110  (another process)
                await asyncio.sleep(2)
        await asyncio.sleep(SETTLED_SECONDS)
        turns = Turns(argo, Environments(argo), EnvironmentQueues(argo))
        looking = asyncio.create_task(_look(turns)) if in_turns else None
        for name in holding:
            await client.terminate(name)
        before, writes = await asyncio.to_thread(_cpu_seconds), await asyncio.to_thread(_writes)
        began = time.monotonic()
        async with asyncio.timeout(3600):
            while await argo.count(LABELS, unfinished_only=True) > waiting:
                if looking is not None and looking.done():
                    looking.result()  # raises
                await asyncio.sleep(1)
        seconds = time.monotonic() - began
        if looking is not None:
            looking.cancel()
        after = await asyncio.to_thread(_cpu_seconds)
        used = {name: (after[name] - before[name]) / ENDED for name in PROGRAMS}
        return Cost((await asyncio.to_thread(_writes) - writes) / ENDED, seconds / ENDED, used)


async def _look(turns: Turns) -> None:
    while True:
        began = time.monotonic()
        await turns.look(ENVIRONMENT)
        await asyncio.sleep(pause_after(time.monotonic() - began))


async def _submit(client: ArgoClient, number: int, program: str, *, queued: bool = False) -> str:
    name = FIRST_SERVER + secrets.token_hex(15)
    arguments = {names.ARG_JOB_SPEC: "QUJD", "entrypoint": program, "seconds": "100000"}
    labels = {**LABELS, names.OWNER: f"0x{number % 7:040x}"} | ({names.FROM_QUEUE: "true"} if queued else {})
    new = NewWorkflow(name, TEMPLATE, arguments, labels, {}, names.QUEUED if queued else "")
    await client.submit(new, declared=tuple(arguments))
    return name


def _writes() -> int:
    """Of all workflows, since the API server has started."""
    lines = kubectl(NAMESPACE, "get", "--raw", "/metrics").splitlines()
    asked = [line for line in lines if line.startswith("apiserver_request_total{") and 'resource="workflows"' in line]
    return sum(
        int(float(line.rpartition(" ")[2])) for line in asked if any(f'verb="{verb}"' in line for verb in _WRITES)
    )


def _cpu_seconds() -> dict[str, float]:
    """Of all processes with these names, in themselves and in the kernel."""
    ticks = os.sysconf("SC_CLK_TCK")
    found = dict.fromkeys(PROGRAMS, 0.0)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            comm, stat = (folder / "comm").read_text().strip(), (folder / "stat").read_text()
        except OSError:
            continue  # it has ended
        for name, program in PROGRAMS.items():
            if comm == program:
                fields = stat.rpartition(") ")[2].split()
                found[name] += (int(fields[11]) + int(fields[12])) / ticks
    return found
