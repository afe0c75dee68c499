"""A whole deployment, as a consumer and its operator see it: in a cluster, or on one machine (conftest.py)."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocean.chain.publishing import mint
from ocean.client import Consumer
from ocean.ddo import DDO
from tests.e2e.conftest import nothing_left
from tests.support.chain import publisher, stranger
from tests.support.clients import JAVASCRIPT_CONSUMER
from tests.support.deployed import ARGO, SERVICE, Deployed
from tests.support.lanes import size
from tests.support.ocean_js import SIGNER, OceanJs, reference
from tests.support.service import FREE, Buyer, raw_python
from tests.support.stages import at_last

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

FILTERED = "ocean-compute-filtered"
QUEUED, PLACES = "ocean-compute-queued", 4  # of tests/e2e/environments
SLEEPS = "import time\nprint('asleep', flush=True)\ntime.sleep(600)"
WRITES = "import os, time\nopen(os.environ['OUTPUTS'] + '/runs', 'a').write('ran ')\ntime.sleep({})"
PROBE = """
import json, os, socket
reached = []
for name, host, port in [
    ("names", "kubernetes.default.svc", 443), ("public", "1.1.1.1", 443), ("public names", "example.com", 443),
    ("metadata", "169.254.169.254", 80), ("service", "c2d.c2d.svc", 8030), ("argo", "argo-server.argo.svc", 2746),
]:
    try:
        socket.create_connection((host, port), timeout=3).close()
        reached.append(name)
    except OSError:
        pass
token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
for path in (token, "/c2d/keys/environment.key", "/c2d/store/store.json"):
    if os.path.exists(path):
        reached.append(path)
for folder in ("inputs", "ddos", "transformations"):
    try:
        open(f"/data/{folder}/x", "w")
        reached.append(f"write {folder}")
    except OSError:
        pass
reached += [] if os.getuid() else ["root"]
open(os.environ["OUTPUTS"] + "/reached", "w").write(json.dumps(reached))
"""


async def started(
    buyer: Buyer,
    dataset: DDO,
    code: str,
    entrypoint: str = "python $ALGO",
    *,
    minutes: float = 5,
    environment: str = FREE,
) -> str:
    return await begun(buyer, dataset, raw_python(code, entrypoint), minutes=minutes, environment=environment)


async def begun(
    buyer: Buyer, dataset: DDO, algorithm: dict[str, Any], *, minutes: float = 5, environment: str = FREE
) -> str:
    """The same for a whole algorithm."""
    ordered, algorithm = await buyer.order([dataset], algorithm, environment=environment, minutes=minutes)
    job = await buyer.consumer.start(await buyer.consumer.start_request(environment, ordered, algorithm))
    return str(job["jobId"])


async def reached(buyer: Buyer, deployed: Deployed, job_id: str, number: int) -> None:
    async with asyncio.timeout(deployed.seconds):
        while (job := await buyer.job(job_id)) is None or job["status"] < number:
            assert job is None or job["dateFinished"] is None, job
            await asyncio.sleep(0.2)


def end(job: dict[str, Any]) -> tuple[Any, ...]:
    return job["status"], job["reason"], job["exitCode"], job["stopreq"]


async def test_a_job(deployed: Deployed, buyer: Buyer, dataset: DDO, tmp_path: Path) -> None:
    code = "import os, pathlib\nfound = sorted(pathlib.Path(os.environ['INPUTS']).glob('*/0'))\n"
    code += (
        "print(found[0].read_text().splitlines()[0])\n(pathlib.Path(os.environ['OUTPUTS']) / 'done').write_text('yes')"
    )
    job = await buyer.finished(await started(buyer, dataset, code), deployed.seconds)
    assert end(job) == (70, "completed", 0, 0)
    assert await buyer.result(job, "done", tmp_path) == b"yes"
    async with httpx.AsyncClient() as http:
        data = (await http.get(deployed.data_url)).text
    assert (await buyer.result(job, "algorithm.log", tmp_path)).decode().strip() == data.splitlines()[0].strip()
    kinds = [result["type"] for result in job["results"]]
    assert kinds == ["output", "algorithmLog", "configrationLog", "publishLog", "passport"]
    await nothing_left(deployed, job["jobId"])


async def test_the_same_request_is_the_same_job(deployed: Deployed, buyer: Buyer, dataset: DDO) -> None:
    ordered, algorithm = await buyer.order([dataset], raw_python("print('once')"))
    request = await buyer.consumer.start_request(FREE, ordered, algorithm)
    answers = await asyncio.gather(*(buyer.consumer.start(request) for _ in range(5)))
    (job_id,) = {answer["jobId"] for answer in answers}
    assert (await buyer.finished(job_id, deployed.seconds))["status"] == 70
    assert (await buyer.consumer.start(request))["jobId"] == job_id


async def test_an_algorithm_that_fails(deployed: Deployed, buyer: Buyer, dataset: DDO, tmp_path: Path) -> None:
    job = await buyer.finished(await started(buyer, dataset, "print('oh'); exit(3)"), deployed.seconds)
    assert end(job) == (41, "algorithm_failed", 3, 0)
    assert await buyer.result(job, "algorithm.log", tmp_path) == b"oh\n"


def at_work(jobs: list[dict[str, Any]]) -> set[str]:
    """Those that have a place."""
    return {job["jobId"] for job in jobs if 10 <= job["status"] <= 40}


async def statuses(consumer: Consumer, jobs: list[str]) -> list[dict[str, Any]]:
    """One after the other: that of a job which has not changed costs no call to Argo, and a list has only so many."""
    return [(await at_last(partial(consumer.status, job)))[0] for job in jobs]


@pytest.mark.timeout(size(test=1800, soak=7200))
async def test_a_queue_in_turns(deployed: Deployed, buyer: Buyer, dataset: DDO) -> None:
    """One account fills the queue, then another comes: it need not wait for all of these. Everything ends well, never
    more at once than there are places, and nothing is left. 200 jobs in `make soak`, 20 otherwise.

    The places are taken until all of them wait, however long it takes to order so many."""
    many = size(test=15, soak=160)
    few = size(test=5, soak=40)
    queued = partial(started, environment=QUEUED, minutes=110)
    before_them = [await queued(buyer, dataset, SLEEPS.replace("600", "6000")) for _ in range(PLACES + 1)]
    jobs = [await queued(buyer, dataset, "print('done')") for _ in range(many)]
    async with Consumer(deployed.url, stranger) as client:
        other = Buyer(buyer.service, buyer.network, client, account=stranger)
        others = [await queued(other, dataset, "print('done')") for _ in range(few)]
        (waiting,) = await at_last(partial(client.status, others[-1]))
        for job_id in before_them:
            await at_last(partial(buyer.consumer.stop, job_id))
        began, most = dict[str, float](), 0
        async with asyncio.timeout(30 * (many + few) + deployed.seconds):
            while len(began) < many + few:
                mine_left, theirs_left = [[job for job in each if job not in began] for each in (jobs, others)]
                asked = ((buyer.consumer, mine_left), (client, theirs_left), (buyer.consumer, mine_left))
                before, theirs, mine = [await statuses(*each) for each in asked]
                throughout = at_work(before) & at_work(mine)  # and so while the other account's were asked for
                most = max(most, len(throughout | at_work(theirs)))
                for job in [*mine, *theirs]:
                    if job["dateFinished"] is not None:
                        assert end(job) == (70, "completed", 0, 0)
                        began.setdefault(job["jobId"], float(job["startedAt"]))
                await asyncio.sleep(0.5)
    assert most <= PLACES
    assert waiting["queuePosition"] <= 2 * few + 1, "every second place is the other account's"
    last = max(began[job] for job in others)
    assert sum(began[job] < last for job in jobs) <= few + PLACES, "and so they began"
    await nothing_left(deployed, *before_them, *jobs, *others)


async def test_stop(deployed: Deployed, buyer: Buyer, dataset: DDO, tmp_path: Path) -> None:
    job_id = await started(buyer, dataset, SLEEPS)
    await reached(buyer, deployed, job_id, 40)
    (answer,) = await buyer.consumer.stop(job_id)
    assert answer["stopreq"] == 1
    job = await buyer.finished(job_id, deployed.seconds)
    assert (job["status"], job["reason"], job["stopreq"]) == (70, "stopped", 1)
    if deployed.cluster is None or deployed.cluster.argo.stop_waits_for_exit_handler:
        assert await buyer.result(job, "algorithm.log", tmp_path) == b"asleep\n"
    await nothing_left(deployed, job_id)


async def test_delete_of_a_running_job(deployed: Deployed, buyer: Buyer, dataset: DDO) -> None:
    job_id = await started(buyer, dataset, SLEEPS)
    await reached(buyer, deployed, job_id, 40)
    (deleted,) = await buyer.consumer.delete(job_id)
    assert deleted["removed"] == 1
    assert await buyer.consumer.status(job_id) == []
    await nothing_left(deployed, job_id)


async def test_the_paid_time_ends_a_job(deployed: Deployed, buyer: Buyer, dataset: DDO, tmp_path: Path) -> None:
    """What was written until then is delivered."""
    minutes = 0.15 if deployed.machine is not None else 2
    entrypoint = "echo kept > $OUTPUTS/early; sleep 600"
    job_id = await started(buyer, dataset, "# all is in the entrypoint", entrypoint, minutes=minutes)
    job = await buyer.finished(job_id, deployed.seconds)
    assert (job["status"], job["reason"], job["stopreq"]) == (70, "time_limit", 2)
    assert await buyer.result(job, "early", tmp_path) == b"kept\n"


@pytest.mark.parametrize(("text", "shown"), [("an answer", True), ("a secret", False)])
async def test_a_filter_has_the_last_word(
    deployed: Deployed, buyer: Buyer, dataset: DDO, tmp_path: Path, text: str, shown: bool
) -> None:
    """In the environment that tests/e2e/environments describes."""
    announced = await buyer.consumer.environments(buyer.network.chain_id)
    if not any(each["id"] == FILTERED and each.get("filtered") for each in announced):
        pytest.skip(f"the deployment has no environment {FILTERED}")
    entrypoint = f"echo {text} > $OUTPUTS/answer"
    job_id = await started(buyer, dataset, "# all is in the entrypoint", entrypoint, environment=FILTERED)
    job = await buyer.finished(job_id, deployed.seconds)
    names = [result["filename"] for result in job["results"]]
    own = ["configure.log", "filter.log", "publish.log", "passport.dsse.json"]
    if shown:
        assert (end(job), names) == ((70, "completed", 0, 0), ["answer", "algorithm.log", *own])
        assert await buyer.result(job, "answer", tmp_path) == text.encode() + b"\n"
    else:
        assert (end(job), names) == ((41, "filtered", 0, 0), own)
    await nothing_left(deployed, job_id)


async def test_an_unmodified_client(deployed: Deployed, buyer: Buyer, dataset: DDO, tmp_path: Path) -> None:
    """ocean.js: quote, order, start, status, result."""
    token = dataset.services[0].datatoken_address
    await mint(buyer.network, publisher, token, JAVASCRIPT_CONSUMER.address)
    listed = await buyer.consumer.environments(buyer.network.chain_id)
    consumer = next(each["consumerAddress"] for each in listed if each["id"] == FREE)
    code = raw_python("import os\nopen(os.environ['OUTPUTS'] + '/done', 'w').write('yes')")

    def the_job(js: OceanJs) -> tuple[dict[str, Any], str]:
        (asked,) = js.quotes([reference(dataset)], {"meta": code}, FREE)["datasets"]
        ordered = reference(dataset, js.start_order(dataset, asked["providerFee"], consumer))
        (job,) = js("computeStart", js.url, SIGNER, FREE, ordered, {"meta": code})
        job = js.finished(job["jobId"], deployed.seconds)
        index = [result["filename"] for result in job["results"]].index("done")
        return job, js.download(js("getComputeResultUrl", js.url, SIGNER, job["jobId"], index))[1]

    with OceanJs.open(deployed, "3.4.6", JAVASCRIPT_CONSUMER, tmp_path / "log") as js:
        job, text = await asyncio.to_thread(the_job, js)
    assert (end(job), text) == ((70, "completed", 0, 0), "yes")


async def test_an_algorithm_reaches_nothing(deployed: Deployed, buyer: Buyer, dataset: DDO, tmp_path: Path) -> None:
    """(On one machine more is tried: tests/integration/service/test_isolation.py.)"""
    job = await buyer.finished(await started(buyer, dataset, PROBE), deployed.seconds)
    assert end(job) == (70, "completed", 0, 0)
    assert json.loads(await buyer.result(job, "reached", tmp_path)) == []


@pytest.mark.parametrize("parts", [("api",), ("argo",), ("api", "argo")])
async def test_killed_in_the_middle(
    deployed: Deployed, buyer: Buyer, dataset: DDO, tmp_path: Path, parts: tuple[Any, ...]
) -> None:
    """The service, Argo's controller, or both: the job goes on and ends once."""
    seconds = 5 if deployed.machine is not None else 30
    code = f"import os, time\nopen(os.environ['OUTPUTS'] + '/runs', 'a').write('ran ')\ntime.sleep({seconds})"
    job_id = await started(buyer, dataset, code)
    await reached(buyer, deployed, job_id, 40)
    if deployed.machine is not None:
        deployed.machine.kill(*parts)
    elif deployed.cluster is not None:
        places = {"api": (SERVICE, "app.kubernetes.io/name=compute-to-data"), "argo": (ARGO, "app=workflow-controller")}
        for part in parts:
            assert await asyncio.to_thread(deployed.cluster.kill, *places[part])
    else:
        pytest.skip("no cluster is named: KUBECONFIG")
    job = await buyer.finished(job_id, deployed.seconds)
    assert end(job) == (70, "completed", 0, 0)
    assert await buyer.result(job, "runs", tmp_path) == b"ran "
    await nothing_left(deployed, job_id)
