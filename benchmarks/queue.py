"""What a queue costs on a real node: writes of workflows, and processor time of Argo's controller, for each job's end.

Needs the node of `make cluster`: `.venv/bin/python -m tools.cluster bench queue`. The jobs are those of the recorded
scenarios (three pods with small shell programs), four at a time, in a namespace of their own. Ours: the service's
`Turns`, which leave one waiting job to Argo. Compared with: all of them in Argo's own queue.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
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
from provider_api.jobs.turns import Turns, pause_after, places_in_line
from tests.support.deployed import Cluster
from tests.support.recorded_namespace import NAMESPACE, recorded_namespace

WAITING = (10, 100, 1000)
ENDED = 12  # jobs, while that many more wait
AT_ONCE = 4
QUIET_SECONDS = 10
TEMPLATE = "rec-plain"
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
    figures = list[Figure]()
    for waiting in WAITING:
        costs = list[Cost]()
        for in_turns in (True, False):
            with recorded_namespace(release) as token:
                costs.append(await _run(token, waiting, in_turns=in_turns))
        figures += _figures(waiting, *costs)
        print(waiting, costs, flush=True)  # it takes long
    return figures


def _figures(waiting: int, ours: Cost, argos: Cost) -> list[Figure]:
    same = "all in Argo's queue"
    used = ", ".join(f"{name} {ours.cpu_seconds[name]:.2f} and {argos.cpu_seconds[name]:.2f} s" for name in PROGRAMS)
    cpu = [sample([cost.cpu_seconds["controller"]]) for cost in (ours, argos)]
    title = f"{waiting:,} jobs wait: writes for each that ends"
    return [
        Figure(title, "", sample([ours.writes]), same, sample([argos.writes])),
        Figure("  processor time of the controller", "s", cpu[0], same, cpu[1], used),
        Figure("  time from one end to the next", "s", sample([ours.seconds]), same, sample([argos.seconds])),
    ]


async def _run(token: str, waiting: int, *, in_turns: bool) -> Cost:
    _kubectl("patch", "configmap", "c2d-limits", "--type", "merge", "-p", f'{{"data": {{"small": "{AT_ONCE}"}}}}')
    client = ArgoClient(os.environ["C2D_E2E_ARGO_URL"], NAMESPACE, token, verify=False, timeout_seconds=60)
    async with ArgoServers({FIRST_SERVER: client}) as argo:
        holding = [await _submit(client, 0, "sleep 100000") for _ in range(AT_ONCE)]
        places, left_to_argo = asyncio.Semaphore(8), places_in_line(ENVIRONMENT) - AT_ONCE

        async def submit(number: int) -> None:
            async with places:
                await _submit(client, number, "true", suspended=in_turns and number >= left_to_argo)

        await together(*(submit(number) for number in range(waiting + ENDED)))
        async with asyncio.timeout(1800):
            while any(job.phase != "Running" for job in await argo.brief(LABELS)):  # noqa: ASYNC110  (another process)
                await asyncio.sleep(2)
        await _until_quiet()
        turns = Turns(argo, Environments(argo))
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


async def _until_quiet() -> None:
    """The controller looks at each new workflow more than once: until it has written nothing for a while."""
    async with asyncio.timeout(1800):
        last = -1
        while (now := await asyncio.to_thread(_writes)) != last:
            last = now
            await asyncio.sleep(QUIET_SECONDS)


async def _look(turns: Turns) -> None:
    while True:
        began = time.monotonic()
        await turns.look(ENVIRONMENT)
        await asyncio.sleep(pause_after(time.monotonic() - began))


async def _submit(client: ArgoClient, number: int, entrypoint: str, *, suspended: bool = False) -> str:
    name = FIRST_SERVER + secrets.token_hex(15)
    arguments = {names.ARG_JOB_SPEC: "QUJD", "entrypoint": entrypoint, "seconds": "100000"}
    labels = {**LABELS, names.OWNER: f"0x{number % 7:040x}"}
    new = NewWorkflow(name, TEMPLATE, arguments, labels, {}, suspended)
    await client.submit(new, declared=tuple(arguments))
    return name


def _writes() -> int:
    lines = _kubectl("get", "--raw", "/metrics").splitlines()
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


def _kubectl(*words: str) -> str:
    command = ["kubectl", "--namespace", NAMESPACE, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
