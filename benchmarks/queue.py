"""What jobs that wait cost a real node, while nothing happens to them: writes of workflows, and processor time.

Needs the node of `make cluster`: `.venv/bin/python -m tools.cluster bench queue`. Workflows of the recorded scenarios,
in a namespace of their own. Ours: they wait for the semaphore of their template, of which four others have the places.
Compared with: as many that stand at a `suspend` template, with which the controller has nothing to do.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from argo.client import ArgoClient
from argo.client.records import NewWorkflow
from benchmarks.figures import Figure, sample
from contract import names
from ocean.kit.together import together
from tests.support.deployed import Cluster, kubectl
from tests.support.recorded_namespace import NAMESPACE, recorded_namespace

WAITING = (10, 50)
PLACES = 4
SETTLED_SECONDS, MEASURED_SECONDS = 30, 60
PROGRAMS = {"controller": "workflow-contro", "API server": "kube-apiserver"}  # as /proc has their names
SUSPENDED = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "WorkflowTemplate",
    "metadata": {"name": "suspended", "namespace": NAMESPACE},
    "spec": {
        "entrypoint": "job",
        "templates": [
            {"name": "job", "dag": {"tasks": [{"name": "turn", "template": "turn"}]}},
            {"name": "turn", "suspend": {}},
        ],
    },
}
_HELD = {names.ARG_JOB_SPEC: "QUJD", "entrypoint": "sleep 100000", "seconds": "100000"}
_WRITES = ("PUT", "PATCH", "UPDATE")


@dataclass(frozen=True)
class Cost:
    """In a minute."""

    writes: float
    cpu_seconds: Mapping[str, float]


async def measure(place: Path) -> list[Figure]:
    release = Cluster().argo
    figures = list[Figure]()
    for waiting in WAITING:
        costs = list[Cost]()
        for template, arguments, places in (("rec-plain", _HELD, PLACES), ("suspended", {}, 0)):
            with recorded_namespace(release) as token:
                costs.append(await _cost(token, template, arguments, places + waiting))
        figures += _figures(waiting, *costs)
    return figures


def _figures(waiting: int, ours: Cost, other: Cost) -> list[Figure]:
    writes = f"{ours.writes:,.0f} and {other.writes:,.0f} writes"
    return [
        Figure(
            f"{waiting} jobs wait a minute: CPU of the {name}",
            "s",
            sample([ours.cpu_seconds[name]]),
            "suspended ones",
            sample([other.cpu_seconds[name]]),
            writes,
        )
        for name in PROGRAMS
    ]


async def _cost(token: str, template: str, arguments: Mapping[str, str], workflows: int) -> Cost:
    kubectl(
        NAMESPACE, "patch", "configmap", "c2d-limits", "--type", "merge", "-p", f'{{"data": {{"small": "{PLACES}"}}}}'
    )
    kubectl(NAMESPACE, "apply", "--filename", "-", text=json.dumps(SUSPENDED))
    url, at_once = os.environ["C2D_E2E_ARGO_URL"], asyncio.Semaphore(8)
    async with ArgoClient(url, NAMESPACE, token, verify=False, timeout_seconds=60) as client:

        async def submit() -> None:
            new = NewWorkflow(secrets.token_hex(16), template, arguments, {names.OWNER: "x"}, {})
            async with at_once:
                await client.submit(new, declared=tuple(arguments))

        await together(*(submit() for _ in range(workflows)))
        await asyncio.sleep(SETTLED_SECONDS)
        before, writes, began = (
            await asyncio.to_thread(_cpu_seconds),
            await asyncio.to_thread(_writes),
            time.monotonic(),
        )
        await asyncio.sleep(MEASURED_SECONDS)
        after, written = await asyncio.to_thread(_cpu_seconds), await asyncio.to_thread(_writes)
        minutes = (time.monotonic() - began) / 60
        if await client.count({names.OWNER: "x"}, unfinished_only=True) != workflows:
            raise RuntimeError("some did not wait")
    return Cost((written - writes) / minutes, {name: (after[name] - before[name]) / minutes for name in PROGRAMS})


def _writes() -> int:
    """Of all workflows, since the API server has started."""
    lines = kubectl(NAMESPACE, "get", "--raw", "/metrics").splitlines()
    asked = [line for line in lines if line.startswith("apiserver_request_total{") and 'resource="workflows"' in line]
    writes = [line for line in asked if any(f'verb="{verb}"' in line for verb in _WRITES)]
    return sum(int(float(line.rpartition(" ")[2])) for line in writes)


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
