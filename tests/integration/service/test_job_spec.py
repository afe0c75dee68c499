"""Whoever holds the service's Argo token still cannot make a job of his own: the job spec is sealed, and bound.

Each attack is submitted to the embedded Argo server directly, with the service's own token. Configuration refuses it
(exit code 78, status 41) before it asks the data owner for anything.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from nacl.public import PrivateKey

from argo.client import ArgoClient
from argo.client.records import NewWorkflow, Workflow
from contract import job_spec, names
from contract.exit_codes import ExitCode
from contract.keys import decode_public_key
from ocean.ddo import DDO
from tests.support.data_owner import DataOwner, Served
from tests.support.service import FREE, PAID, Buyer, Service, raw_python

pytestmark = pytest.mark.integration


@pytest.fixture
async def argo(service: Service) -> AsyncIterator[ArgoClient]:
    """A client with the service's own token."""
    machine = service.machine
    async with ArgoClient(machine.argo_url, machine.settings.argo.namespace, machine.argo_token_file) as client:
        yield client


@dataclass(frozen=True)
class Attempt:
    """What an attacker submits."""

    name: str
    template: str
    arguments: dict[str, str]

    def altered(self, **changes: str) -> Attempt:
        """Under a new name, with other arguments (`job_spec` for `job-spec`)."""
        arguments = self.arguments | {name.replace("_", "-"): value for name, value in changes.items()}
        return replace(self, name=new_name(), arguments=arguments)


def new_name() -> str:
    return "00" + secrets.token_hex(15)


@pytest.fixture
async def honest(buyer: Buyer, owner: DataOwner, argo: ArgoClient) -> tuple[Workflow, Served, DDO]:
    """A job of an honest consumer, finished, with its arguments; its input; its dataset."""
    served = owner.serve("1,2\n")
    data = await buyer.publish(served.url, compute={"allowRawAlgorithm": True})
    ordered, algorithm = await buyer.order([data], raw_python("print('ran')"))
    started = await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, algorithm))
    assert (await buyer.finished(started["jobId"]))["status"] == 70
    return await argo.get(started["jobId"], arguments=True), served, data


async def submit(argo: ArgoClient, attempt: Attempt, like: Workflow) -> None:
    """With the labels and annotations of a real job, so that the API takes it for one."""
    labels = {name: value for name, value in like.labels.items() if name.startswith(names.PREFIX)}
    notes = {name: value for name, value in like.annotations.items() if name.startswith(names.PREFIX)}
    labels[names.ENVIRONMENT] = attempt.template
    await argo.submit(NewWorkflow(attempt.name, attempt.template, attempt.arguments, labels, notes))


async def assert_refused(buyer: Buyer, argo: ArgoClient, attempt: Attempt) -> None:
    job = await buyer.finished(attempt.name)
    assert (job["status"], job["statusText"], job["reason"]) == (41, "Algorithm failed", "rejected_by_cluster")
    workflow = await argo.get(attempt.name)
    configuration, algorithm = workflow.last_attempt(names.CONFIGURATION), workflow.node(names.ALGORITHM)
    assert configuration is not None
    assert configuration.exit_code == ExitCode.JOB_SPEC_REFUSED
    assert algorithm is None or algorithm.phase == "Omitted"
    assert [result["type"] for result in job["results"]][:1] != ["output"]


def flipped(sealed: str, position: int) -> str:
    """One bit of the box is another."""
    box = bytearray(base64.b64decode(sealed))
    box[position] ^= 1
    return base64.b64encode(box).decode()


async def test_no_job_spec_but_the_services_own_runs(
    service: Service, buyer: Buyer, owner: DataOwner, argo: ArgoClient, honest: tuple[Workflow, Served, DDO]
) -> None:
    workflow, served, data = honest
    genuine = Attempt(workflow.name, FREE, dict(workflow.arguments))
    sealed = genuine.arguments[names.ARG_JOB_SPEC]
    templates = {template.name: template for template in await argo.templates()}
    environment_key = decode_public_key(templates[FREE].annotations[names.BOX_PUBLIC_KEY])
    copied = genuine.altered()
    forged = genuine.altered()
    inputs = job_spec.InputAsset(did=data.id, service_id="main", files=({"type": "url", "url": served.url},), ddo={})
    spec = job_spec.JobSpec(
        binding=job_spec.Binding(
            job_id=forged.name,
            environment=FREE,
            image=forged.arguments[names.ARG_IMAGE],
            seconds=int(forged.arguments[names.ARG_SECONDS]),
            network="none",
        ),
        owner=buyer.consumer.address,
        secret="0" * 32,
        run_seconds=60,
        inputs=(inputs,),
        algorithm=job_spec.Algorithm(rawcode="print('forged')", entrypoint="python $ALGO"),
        allow_private=(owner.address,),
        max_input_bytes=10**9,
    )
    forged.arguments[names.ARG_JOB_SPEC] = job_spec.seal(spec, PrivateKey.generate(), environment_key)
    whole = len(base64.b64decode(sealed))
    attempts = {
        "copied from another job": copied,
        "made by somebody with only the public key": forged,
        "in another environment": replace(genuine.altered(), template=PAID),
        "a bit of the nonce is another": genuine.altered(job_spec=flipped(sealed, 3)),
        "a bit of the authenticator is another": genuine.altered(job_spec=flipped(sealed, 24 + 5)),
        "a bit of the content is another": genuine.altered(job_spec=flipped(sealed, whole // 2)),
        "the last bit is another": genuine.altered(job_spec=flipped(sealed, whole - 1)),
        "cut off": genuine.altered(job_spec=base64.b64encode(base64.b64decode(sealed)[:-40]).decode()),
        "two in one": genuine.altered(job_spec=sealed + sealed),
        "not base64": genuine.altered(job_spec="$" + sealed[1:]),
        "empty": genuine.altered(job_spec=""),
    }
    before = owner.requests
    for attempt in attempts.values():
        await submit(argo, attempt, workflow)
    for attempt in attempts.values():
        await assert_refused(buyer, argo, attempt)
    assert owner.requests == before


async def test_a_job_spec_runs_only_with_its_own_arguments(
    service: Service, buyer: Buyer, owner: DataOwner, argo: ArgoClient, honest: tuple[Workflow, Served, DDO]
) -> None:
    """The job's own name is free again after each deletion, so nothing but the argument is wrong; with its own
    arguments it runs, which shows that it was the argument."""
    workflow, served, _ = honest
    before = owner.requests
    for argument, value in (
        (names.ARG_IMAGE, "debian@sha256:" + "cd" * 32),
        (names.ARG_SECONDS, "86400"),
        (names.ARG_NETWORK, "public"),
        (names.ARG_NETWORK, "outgoing"),
    ):
        await argo.delete(workflow.name)
        attempt = Attempt(workflow.name, FREE, {**workflow.arguments, argument: value})
        await submit(argo, attempt, workflow)
        await assert_refused(buyer, argo, attempt)
    assert owner.requests == before
    await argo.delete(workflow.name)
    shutil.rmtree(service.folder.results / workflow.name)  # those of the first run, which only it may write to
    await submit(argo, Attempt(workflow.name, FREE, dict(workflow.arguments)), workflow)
    assert (await buyer.finished(workflow.name))["status"] == 70
    assert (owner.requests, served.requests) == (before + 1, 2)


async def test_only_templates_of_ours_can_be_started(
    service: Service, buyer: Buyer, owner: DataOwner, argo: ArgoClient, honest: tuple[Workflow, Served, DDO]
) -> None:
    """What the token is good for: starting our templates, nothing else. As Argo with strict referencing does it, a
    workflow that brings anything of its own is created and is an Error at once; no pod of it ever exists."""
    workflow, _, _ = honest
    machine = service.machine
    url = f"{machine.argo_url}/api/v1/workflows/{machine.settings.argo.namespace}"
    token = machine.argo_token_file.read_text().strip()
    container = {"image": "python", "command": ["python", "-c", "open('/results/stolen', 'w')"]}
    own = {"entrypoint": "main", "templates": [{"name": "main", "container": container}]}
    parameters = [{"name": name, "value": value} for name, value in workflow.arguments.items()]
    ours: dict[str, Any] = {"workflowTemplateRef": {"name": FREE}, "arguments": {"parameters": parameters}}
    patch = {"podSpecPatch": '{"terminationGracePeriodSeconds": 1}'}
    reach = {"volumes": [{"name": "keys", "secret": {"secretName": names.environment_secret(FREE)}}]}
    changes = [own, ours | {"templates": own["templates"]}, ours | patch, ours | reach]
    changes += [ours | {"serviceAccountName": "admin"}, ours | {"onExit": "compute"}, ours | {"entrypoint": "release"}]
    pods = set((service.folder.argo / "pods").iterdir())

    async with httpx.AsyncClient(trust_env=False, timeout=240) as client:

        async def send(spec: dict[str, Any], bearer: str = token) -> tuple[httpx.Response, str]:
            name = new_name()
            document = {"workflow": {"metadata": {"name": name}, "spec": spec}}
            return await client.post(url, json=document, headers={"authorization": f"Bearer {bearer}"}), name

        for bearer in ("x", token[:-1], token + "x"):
            assert (await send(ours, bearer))[0].status_code == 401
        for spec in changes:
            answer, name = await send(spec)
            if answer.status_code == 200:
                refused = await ended(argo, name)
                assert refused.phase == "Error", spec
                assert refused.nodes == ()
            else:
                assert answer.status_code == 400, spec
        absent = await send(ours | {"workflowTemplateRef": {"name": "no-such-environment"}})
        assert absent[0].status_code in (400, 404)
        elsewhere = await send(ours | {"workflowTemplateRef": {"name": FREE, "clusterScope": True}})
        assert elsewhere[0].status_code == 400
        template = {"template": {"metadata": {"name": "mine"}, "spec": own}}
        made = await client.post(
            url.replace("/workflows/", "/workflow-templates/"),
            json=template,
            headers={"authorization": f"Bearer {token}"},
        )
        assert made.status_code in (405, 501)
    assert {template.name for template in await argo.templates()} == {FREE, PAID}
    assert set((service.folder.argo / "pods").iterdir()) <= pods
    assert not (service.folder.results / "stolen").exists()


async def ended(argo: ArgoClient, name: str) -> Workflow:
    async with asyncio.timeout(60):
        while not (workflow := await argo.get(name)).finished:
            await asyncio.sleep(0.05)
    return workflow
