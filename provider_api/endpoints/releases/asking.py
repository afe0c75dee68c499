"""What the questions of an owner have in common."""

from __future__ import annotations

from functools import partial
from typing import Final

from argo.client.records import Workflow
from ocean import signing
from ocean.addresses import checksum
from provider_api.calls.fields import Field, text_value
from provider_api.calls.parameters import Call
from provider_api.calls.signature import Caller, Signed
from provider_api.endpoints.descriptions import CONSUMER_PARAMETER, NONCE_PARAMETER, signature
from provider_api.endpoints.request import CONSUMER, NONCE, SIGNATURE
from provider_api.http.errors import Refused
from provider_api.jobs.approvals import Approval
from provider_api.jobs.ends import summary_of
from provider_api.jobs.records import find_existing
from provider_api.jobs.releases import Release, owner_check
from provider_api.openapi import samples
from provider_api.openapi.operation import Parameter
from provider_api.services import Services

FIELDS: Final = (CONSUMER, NONCE, SIGNATURE, Field("history", (text_value,)))
JOB: Final = {"job": Parameter("The job.", samples.JOB)}
SHOWN: Final = {
    "jobId": samples.JOB,
    "standing": "held",
    "until": 1_800_000_000,
    "manifestDigest": "5e" * 32,
    "manifest": '{"version":1,"job_id":"0a"}',
    "program": "7a" * 32,
    "ownersLook": False,
    "datasets": [{"documentId": samples.DID, "mine": True, "standing": "waiting"}],
    "files": [{"index": 2, "path": "outputs/model.csv", "filesize": 5_000, "sha256": "6f" * 32, "type": "output"}],
}


def parameters(signed: str) -> dict[str, Parameter]:
    return {"consumerAddress": CONSUMER_PARAMETER, "nonce": NONCE_PARAMETER, "signature": signature(signed)}


async def asked_by(call: Call, services: Services, job: str) -> Caller:
    """The proven owner, whose nonce is not used up yet. `job` "": no job in particular. Raises InvalidRequest."""
    account = call.text("consumerAddress")
    return await services.callers.require(call, Signed(partial(signing.releases_message, account, job)))


async def job_that_waits(services: Services, job: str) -> tuple[Workflow, Approval]:
    """Raises Refused (404)."""
    workflow = await find_existing(services.argo, job)
    approval = None if workflow is None else await services.results.approval(workflow)
    if workflow is None or approval is None:
        raise refused(job)
    return workflow, approval


async def owned(services: Services, workflow: Workflow, approval: Approval, account: str) -> frozenset[str]:
    """The datasets of the job about which this account (canonical) decides. Raises Refused (404) for everybody else,
    who is told nothing."""
    owns = owner_check(services.assets.owner, account)
    mine = frozenset([did for did in approval.datasets if await owns(did)])
    if not mine:
        raise refused(workflow.name)
    return mine


async def document(services: Services, workflow: Workflow, approval: Approval, account: str) -> dict[str, object]:
    """What an owner sees of a job. Raises Refused, as above."""
    mine = await owned(services, workflow, approval, account)
    summary, program = summary_of(workflow), await services.results.program(workflow)
    if summary is None:
        raise refused(workflow.name)
    said = {did: await services.results.trust(did, program, checksum(account)) for did in mine} if program else {}
    trusted = {did: trust.until for did, trust in said.items() if trust is not None and trust.until is not None}
    manifest = await services.results.manifest(workflow)
    return Release(workflow, manifest, summary.digest, approval, program, mine, trusted).document()


def refused(job: str) -> Refused:
    return Refused(f"No results of job {job[:64]} wait for a decision of this account", 404)
