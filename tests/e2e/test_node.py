"""On a real node: what only there can be tried. Each program of the node is killed under a job; images that are not
there, memory and disk that are used up; workflows that the service's token must not be good for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from contract.names import ALGORITHM, CONFIGURATION, PUBLISHING, STEP
from ocean.ddo import DDO
from tests.e2e.conftest import nothing_left
from tests.e2e.test_deployment import WRITES, begun, end, reached, started
from tests.support import admission
from tests.support.deployed import ARGO, Cluster, Deployed
from tests.support.service import CHECKSUM, FREE, Buyer, raw_python
from tools.cluster.images import OWN_USER, digest_of
from tools.cluster.places import REGISTRY

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

PLACED = "ocean-compute-placed"
IMAGE_USER = "ocean-compute-image-user"
PROGRAMS = (
    "kubelet",
    "containerd",
    "kube-apiserver",
    "etcd",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
)


@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_program_of_the_node_is_killed(
    deployed: Deployed, node: Cluster, buyer: Buyer, dataset: DDO, tmp_path: Path, program: str
) -> None:
    """While one job is being configured, the algorithm of another runs, and a third is published or has just been: all
    go on, end once, and leave nothing."""
    published = await started(buyer, dataset, WRITES.format(1))
    running = await started(buyer, dataset, WRITES.format(25))
    await reached(buyer, deployed, published, 60)
    await reached(buyer, deployed, running, 40)
    configured = await started(buyer, dataset, WRITES.format(1))
    await reached(buyer, deployed, configured, 10)
    await asyncio.to_thread(node.of_the_node, "kill", program)
    jobs = [await buyer.finished(job_id, deployed.seconds) for job_id in (published, running, configured)]
    assert [end(job) for job in jobs] == [(70, "completed", 0, 0)] * 3
    assert [await buyer.result(job, "runs", tmp_path) for job in jobs] == [b"ran "] * 3
    await nothing_left(deployed, published, running, configured)


async def test_the_node_is_lost(deployed: Deployed, node: Cluster, buyer: Buyer, dataset: DDO) -> None:
    """The algorithm's pod is gone and is not run again: the job ends as lost, and later jobs run."""
    job_id = await started(buyer, dataset, "import time\ntime.sleep(120)")
    await reached(buyer, deployed, job_id, 40)
    await asyncio.to_thread(node.of_the_node, "kill", "node")
    job = await buyer.finished(job_id, deployed.seconds)
    assert (job["status"], job["reason"]) == (41, "lost")
    await nothing_left(deployed, job_id)
    job = await buyer.finished(await started(buyer, dataset, "print('again')"), deployed.seconds)
    assert end(job) == (70, "completed", 0, 0)


async def test_argo_server_is_killed(deployed: Deployed, cluster: Cluster, buyer: Buyer, dataset: DDO) -> None:
    """(The service and the controller: test_deployment.py.)"""
    job_id = await started(buyer, dataset, "import time\ntime.sleep(10)")
    await reached(buyer, deployed, job_id, 40)
    assert await asyncio.to_thread(cluster.kill, ARGO, "app=argo-server")
    job = await buyer.finished(job_id, deployed.seconds)
    assert end(job) == (70, "completed", 0, 0)
    await nothing_left(deployed, job_id)


ENDS = {
    "an exit code of its own": ("exit(143)", (41, "algorithm_failed", 143)),
    "too much memory": (
        "x = bytearray(3 << 30)\nfor i in range(0, len(x), 4096): x[i] = 1",
        (41, "out_of_memory", 137),
    ),
    "too much in /tmp": (
        "import time\nwith open('/tmp/x', 'wb') as f:\n"
        "    for _ in range(1300): f.write(bytes(1 << 20))\ntime.sleep(200)",
        (41, "out_of_disk", None),
    ),
    "too much beside it": (
        "import time\nwith open('/var/run/argo/x', 'wb') as f:\n"
        "    for _ in range(1800): f.write(bytes(1 << 20))\ntime.sleep(200)",
        (41, "out_of_disk", None),
    ),
}


@pytest.mark.parametrize("name", ENDS)
async def test_how_an_algorithm_ends(
    deployed: Deployed, cluster: Cluster, buyer: Buyer, dataset: DDO, name: str
) -> None:
    code, wanted = ENDS[name]
    job_id = await started(buyer, dataset, code)
    job = await buyer.finished(job_id, deployed.seconds)
    found = (job["status"], job["reason"], job["exitCode"])
    assert found[:2] == wanted[:2], job
    assert wanted[2] is None or found[2] == wanted[2]
    await nothing_left(deployed, job_id)


async def test_an_image_that_is_not_there(deployed: Deployed, cluster: Cluster, buyer: Buyer, dataset: DDO) -> None:
    algorithm = raw_python("print('never')")
    algorithm["container"] |= {"checksum": CHECKSUM[:-4] + ("0000" if CHECKSUM[-4:] != "0000" else "1111")}
    job = await buyer.finished(await begun(buyer, dataset, algorithm, minutes=2), deployed.seconds)
    assert (job["status"], job["reason"]) == (41, "image_unavailable"), job
    await nothing_left(deployed, job["jobId"])


async def test_an_environment_says_where_its_pods_run(
    deployed: Deployed, cluster: Cluster, buyer: Buyer, dataset: DDO
) -> None:
    """tests/e2e/environments_of_a_cluster: the algorithm alone in the runtime class, every pod by label and taint."""
    announced = await buyer.consumer.environments(buyer.network.chain_id)
    if not any(each["id"] == PLACED and each.get("isolation") == "second" for each in announced):
        pytest.skip(f"the deployment has no environment {PLACED}")
    job_id = await started(buyer, dataset, "import time\ntime.sleep(5)", environment=PLACED)
    pods = await asyncio.to_thread(cluster.pods_of, job_id, 3)
    job = await buyer.finished(job_id, deployed.seconds)
    assert end(job) == (70, "completed", 0, 0)
    runtimes = {pod.metadata.labels[STEP]: pod.spec.runtime_class_name for pod in pods}
    assert runtimes == {CONFIGURATION: None, ALGORITHM: "second", PUBLISHING: None}
    assert {pod.spec.node_selector["kubernetes.io/os"] for pod in pods} == {"linux"}
    assert all("c2d.oceanprotocol.com/none" in [each.key for each in pod.spec.tolerations] for pod in pods)
    await nothing_left(deployed, job_id)


async def test_an_algorithm_runs_as_its_images_user(
    deployed: Deployed, node: Cluster, buyer: Buyer, dataset: DDO, tmp_path: Path
) -> None:
    """It reads inputs and writes outputs, which publishing reads."""
    code = "import os, pathlib\nfound = sorted(pathlib.Path(os.environ['INPUTS']).glob('*/0'))\n"
    code += "text = f'{os.getuid()} {found[0].read_text()[:3]}'\n"
    code += "(pathlib.Path(os.environ['OUTPUTS']) / 'who').write_text(text)"
    algorithm = raw_python(code)
    name, _, tag = OWN_USER.partition(":")
    algorithm["container"] |= {"image": f"{REGISTRY}/{name}", "tag": tag, "checksum": digest_of(OWN_USER)}
    job_id = await begun(buyer, dataset, algorithm, environment=IMAGE_USER)
    job = await buyer.finished(job_id, deployed.seconds)
    assert end(job) == (70, "completed", 0, 0)
    assert await buyer.result(job, "who", tmp_path) == b"4321 day"
    await nothing_left(deployed, job_id)


async def test_forged_templates_in_a_status_are_not_run(cluster: Cluster) -> None:
    """Argo Server writes the templates that it has looked at into the status of a workflow that it makes, so the policy
    must admit them, and whoever has the service's token can forge them. The controller runs the environment's own."""
    stored = {f"namespaced/{FREE}/{each['name']}": each for each in await asyncio.to_thread(cluster.templates_of, FREE)}
    for template in stored.values():
        if "container" in template:
            template["container"] |= {"image": "forged@sha256:" + "0" * 64, "command": ["id"]}
    workflow = admission.job({"name": "f0" * 16}, status={"storedTemplates": stored})
    made = await asyncio.to_thread(cluster.as_service, "create", workflow)
    assert made.returncode == 0, made.stderr
    try:
        (pod,) = await asyncio.to_thread(cluster.pods_of, workflow["metadata"]["name"], 1)
        images = [each.image for each in (*pod.spec.init_containers, *pod.spec.containers)]
        assert [image for image in images if "c2d-pods" in image]
        assert not [image for image in images if "forged" in image]
    finally:
        await asyncio.to_thread(cluster.as_service, "delete", workflow)


@pytest.mark.parametrize("name", admission.REFUSED)
async def test_what_the_services_token_may_not_make(cluster: Cluster, name: str) -> None:
    """With Argo's full definitions, under which the policy's expressions have types."""
    workflow, _ = admission.REFUSED[name]
    done = await asyncio.to_thread(cluster.as_service, "create", workflow, "--dry-run=server")
    assert done.returncode != 0
    assert "c2d-jobs" in done.stderr or "unknown field" in done.stderr or "Invalid value" in done.stderr, done.stderr
