"""Two clusters' worth of namespaces, each with an Argo of its own: what fails in one is felt there alone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from ocean.client import ConsumerError
from ocean.ddo import DDO
from tests.e2e.test_deployment import end, reached, started
from tests.support.deployed import Cluster, Deployed, kubectl, restart, rolled_out
from tests.support.service import Buyer
from tools.cluster.second import ARGO, ENVIRONMENT, JOBS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

RUNS = "import time\nprint('ran', flush=True)\ntime.sleep(15)"
Trouble = Callable[[], AbstractAsyncContextManager[None]]


@pytest.fixture(scope="module", autouse=True)
def two_clusters(node: Cluster) -> None:
    node.of_the_node("second")


async def there(namespace: str, *words: str, text: str | None = None) -> str:
    return await asyncio.to_thread(kubectl, namespace, *words, text=text)


async def announced(deployed: Deployed, buyer: Buyer) -> None:
    """Every replica has noticed that it is back: of two, one answers after the other."""
    in_a_row = 0
    async with asyncio.timeout(deployed.seconds):
        while in_a_row < 10:
            known = {each["id"] for each in await buyer.consumer.environments(buyer.network.chain_id)}
            in_a_row = in_a_row + 1 if ENVIRONMENT in known else 0
            await asyncio.sleep(1)


def servers() -> list[int]:
    """Process ids of the second Argo Server, on this machine."""
    started = f"server\0--secure=false\0--auth-mode=client\0--namespaced\0--managed-namespace\0{JOBS}\0"
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if started in told(folder)]


def told(process: Path) -> str:
    """With what words it was started; "" for one that has ended."""
    try:
        return (process / "cmdline").read_text()
    except OSError:
        return ""


@asynccontextmanager
async def without(name: str) -> AsyncIterator[None]:
    """No pod of that Deployment."""
    await there(ARGO, "scale", f"deployment/{name}", "--replicas", "0")
    await there(ARGO, "wait", "pod", "--selector", f"app={name}", "--for", "delete", "--timeout", "2m")
    try:
        yield
    finally:
        await there(ARGO, "scale", f"deployment/{name}", "--replicas", "1")
        await asyncio.to_thread(rolled_out, ARGO, name)


@asynccontextmanager
async def no_answer() -> AsyncIterator[None]:
    """Argo Server stands still: it takes connections, and says nothing, on those that are open neither."""
    (server,) = servers()
    os.kill(server, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server, signal.SIGCONT)


@asynccontextmanager
async def a_poisoned_lock() -> AsyncIterator[None]:
    """The limit goes while a job holds it, and the controller starts anew; mended as the runbook says."""
    limits = json.loads(await there(JOBS, "get", "configmap", "c2d-limits", "--output", "json"))["data"]
    await there(JOBS, "patch", "configmap", "c2d-limits", "--type", "merge", "--patch", '{"data": null}')
    await asyncio.to_thread(restart, ARGO, "workflow-controller")
    try:
        yield
    finally:
        patch = json.dumps({"data": limits})
        await there(JOBS, "patch", "configmap", "c2d-limits", "--type", "merge", "--patch", patch)
        await asyncio.to_thread(restart, ARGO, "workflow-controller")


TROUBLES: dict[str, Trouble] = {
    "Argo Server is away": lambda: without("argo-server"),
    "Argo Server does not answer": no_answer,
    "the controller is away": lambda: without("workflow-controller"),
    "the lock is poisoned": a_poisoned_lock,
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_what_fails_in_one_is_not_felt_in_the_other(
    deployed: Deployed, buyer: Buyer, dataset: DDO, trouble: str
) -> None:
    """Meanwhile three jobs run here from start to results, with lists of the account's jobs in between. What ran there
    ends right when the trouble is over."""
    await announced(deployed, buyer)
    met = await started(buyer, dataset, RUNS, environment=ENVIRONMENT)
    await reached(buyer, deployed, met, 40)
    async with TROUBLES[trouble]():
        here = [await started(buyer, dataset, "print('here')") for _ in range(3)]
        for job_id in here:
            assert end(await buyer.finished(job_id, deployed.seconds)) == (70, "completed", 0, 0)
        assert set(here) <= {job["jobId"] for job in await buyer.consumer.status()}
        if trouble == "Argo Server is away":
            with pytest.raises(ConsumerError) as refused:
                await buyer.consumer.status(met)
            assert refused.value.status == 503
    await announced(deployed, buyer)
    job = await buyer.finished(met, deployed.seconds)
    assert end(job) == (70, "completed", 0, 0)
    after = await buyer.finished(await started(buyer, dataset, "print(1)", environment=ENVIRONMENT), deployed.seconds)
    assert end(after) == (70, "completed", 0, 0)
