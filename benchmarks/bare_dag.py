"""What a job on a real node costs beyond a bare Argo workflow of the same pods.

Needs the node of `make cluster`: `.venv/bin/python -m tools.cluster bench bare_dag`. Ours: a job of the environment
without a price, from its start to its final status. Compared with: a DAG of three pods with the same images, requests
and volume, which do nothing, from its creation to its end. Both are asked for every tenth of a second, in turns.
"""

from __future__ import annotations

import asyncio
import copy
import json
import secrets
import time
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, sample
from ocean.client import Consumer
from ocean.ddo import DDO
from tests.support.chain import consumer as consumer_account
from tests.support.deployed import JOBS, from_environment, kubectl
from tests.support.service import CONTAINER, FREE, Buyer, raw_python

RUNS = 7
LOOK_SECONDS = 0.1
BARE = "bare-dag"
_VERSION = {"apiVersion": "argoproj.io/v1alpha1"}
_KEPT = {"name", "metadata", "container", "securityContext", "volumes", "serviceAccountName"}


async def measure(place: Path) -> list[Figure]:
    deployed = from_environment()
    if deployed is None:
        raise RuntimeError("no deployment is named: run it by tools.cluster bench")
    network = await deployed.network()
    jobs, bare = list[float](), list[float]()
    async with Consumer(deployed.url, consumer_account) as client:
        buyer = Buyer(deployed, network, client)  # type: ignore[arg-type]  # an address and a network are enough
        dataset = await buyer.publish(deployed.data_url, compute={"allowRawAlgorithm": True})
        template = bare_template(json.loads(kubectl(JOBS, "get", "workflowtemplate", FREE, "--output", "json"))["spec"])
        kubectl(JOBS, "apply", "--server-side", "--filename", "-", text=json.dumps(template))
        try:
            for run in range(RUNS + 1):
                seconds = await _job(buyer, dataset)
                alone = await asyncio.to_thread(_bare_dag)
                if run:  # the first one warms up
                    jobs.append(seconds)
                    bare.append(alone)
        finally:
            kubectl(JOBS, "delete", "workflowtemplate", BARE)
    await network.close()
    same = "a bare DAG of its pods"
    return [Figure("a job on a node, start to final status", "s", sample(jobs), same, sample(bare))]


async def _job(buyer: Buyer, dataset: DDO) -> float:
    ordered, algorithm = await buyer.order([dataset], raw_python("pass"))
    request = await buyer.consumer.start_request(FREE, ordered, algorithm)
    began = time.monotonic()
    job = await buyer.consumer.start(request)
    while True:
        (now,) = await buyer.consumer.status(str(job["jobId"]))
        if now["dateFinished"] is not None:
            break
        await asyncio.sleep(LOOK_SECONDS)
    seconds = time.monotonic() - began
    if now["reason"] != "completed":
        raise RuntimeError(f"the job ended as {now['reason']}")
    return seconds


def _bare_dag() -> float:
    name = f"bare-{secrets.token_hex(6)}"
    spec = {"workflowTemplateRef": {"name": BARE}}
    workflow = {**_VERSION, "kind": "Workflow", "metadata": {"name": name, "namespace": JOBS}, "spec": spec}
    began = time.monotonic()
    kubectl(JOBS, "create", "--filename", "-", text=json.dumps(workflow))
    try:
        while (phase := _phase(name)) not in ("Succeeded", "Failed", "Error"):
            time.sleep(LOOK_SECONDS)
        seconds = time.monotonic() - began
    finally:
        kubectl(JOBS, "delete", "workflow", name, "--wait=false")
    if phase != "Succeeded":
        raise RuntimeError(f"the bare workflow ended as {phase}")
    return seconds


def bare_template(spec: dict[str, Any]) -> dict[str, Any]:
    """An environment's three pods, one after the other, with its volume, whose programs do nothing. A template, because
    the controller takes no other workflow than by reference."""
    steps = ("configuration", "algorithm", "publishing")
    by_name = {each["name"]: each for each in spec["templates"]}
    templates = [_idle(by_name[name]) for name in steps]
    tasks = [
        {"name": name, "template": name, **({"depends": before} if before else {})}
        for name, before in zip(steps, (None, *steps), strict=False)
    ]
    keep = ("volumeClaimTemplates", "serviceAccountName", "securityContext", "volumes", "executor")
    bare = {name: spec[name] for name in keep if name in spec}
    bare |= {"entrypoint": "dag", "templates": [{"name": "dag", "dag": {"tasks": tasks}}, *templates]}
    bare |= {"volumeClaimGC": {"strategy": "OnWorkflowCompletion"}}
    return {**_VERSION, "kind": "WorkflowTemplate", "metadata": {"name": BARE, "namespace": JOBS}, "spec": bare}


def _idle(template: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy({name: value for name, value in template.items() if name in _KEPT})
    labels = made.get("metadata", {}).get("labels", {})  # network policies go by them
    labels |= {name: "none" for name, value in labels.items() if "{{" in value}
    container = made["container"]
    if "{{" in container["image"]:
        container["image"] = f"{CONTAINER['image']}@{CONTAINER['checksum']}"
    container |= {"command": ["python3", "-c", "pass"], "args": [], "env": []}
    return made


def _phase(name: str) -> str:
    return kubectl(JOBS, "get", "workflow", name, "--output", "jsonpath={.status.phase}")
