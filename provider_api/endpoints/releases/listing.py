"""GET releases: what waits for an owner's decision, and with history all jobs on his data and what left of them."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from argo.client.records import Workflow
from contract import names
from provider_api.endpoints.descriptions import ARGO_FAILED, AUTH_TOKEN, CHAIN_AWAY, signed
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.releases.asking import FIELDS, asked_by, parameters
from provider_api.endpoints.request import CallDep, ServicesDep
from provider_api.http.responses import json_response
from provider_api.jobs.records import find_workflow
from provider_api.jobs.releases import Owns, listed, owner_check
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import Answer, Operation, Parameter
from provider_api.services import Services

MOST_LISTED = 1_000
MOST_LOOKED_AT = 10_000  # jobs, the newest first: whoever owns nothing may ask too


@endpoint(
    Operation(
        "GET",
        "/api/v1/releases",
        "releases",
        "Compute",
        "What waits for the decision of an owner of datasets",
        {
            200: Answer(
                "Jobs on the caller's datasets, the newest first.",
                ref("Releases"),
                {
                    "held": {
                        "releases": [
                            {
                                "jobId": samples.JOB,
                                "documentId": samples.DID,
                                "standing": "held",
                                "until": 1_800_000_000,
                                "environment": samples.ENVIRONMENT,
                                "consumer": samples.CONSUMER,
                                "algorithm": samples.ALGORITHM_DID,
                                "finishedAt": "1799990000",
                                "files": 2,
                                "bytes": 5_000,
                                "program": "7a" * 32,
                                "byTrust": False,
                            }
                        ]
                    }
                },
            )
        },
        {400: signed("consumerAddress"), 502: ARGO_FAILED, 503: CHAIN_AWAY},
        text="An addition to Ocean's Provider. The caller owns the data NFTs of the datasets at the time of the call.",
        fields=FIELDS,
        parameters={
            **parameters('"releases" + consumerAddress + nonce'),
            "history": Parameter("`true`: all jobs on the caller's datasets, not only those that wait."),
        },
        request_headers=AUTH_TOKEN,
    )
)
async def releases(call: CallDep, services: ServicesDep) -> Response:
    caller = await asked_by(call, services, "")
    found = await releases_of(services, caller.address, history=call.text("history") == "true")
    await services.callers.use_up(caller)
    return json_response({"releases": found}, sort_keys=False)


async def releases_of(services: Services, account: str, *, history: bool) -> list[dict[str, Any]]:
    """The lines of the list, of an account (canonical). `history`: not only what waits. Raises ArgoError,
    ChainUnavailable, NeighbourAway, NeighbourFailed."""
    owns = owner_check(services.assets.owner, account)
    labels = {names.ENVIRONMENT: names.ANY}
    if not history:
        labels[names.APPROVAL] = "owner"
    found: list[dict[str, Any]] = []
    seen = 0
    async for page in services.argo.pages(labels, skip_unreachable=True, nodes=False):
        for workflow in page:
            found += await _of_job(services, workflow, owns, history=history)
        seen += len(page)
        if len(found) >= MOST_LISTED or seen >= MOST_LOOKED_AT:
            break
    return found[:MOST_LISTED]


async def _of_job(services: Services, brief: Workflow, owns: Owns, *, history: bool) -> list[dict[str, Any]]:
    """`brief`: without its nodes, which Argo is asked for only where the caller owns a dataset."""
    if not brief.finished:
        return []
    mine = [did for did in dict.fromkeys(_datasets(brief)) if await owns(did)]
    workflow = await find_workflow(services.argo, brief.name) if mine else None
    if workflow is None:
        return []
    approval = await services.results.approval(workflow)
    if not history and (approval is None or approval.standing != "held"):
        return []
    asked = mine if history or approval is None else [did for did in mine if did in approval.waiting_for]
    program = await services.results.program(workflow) if asked else ""
    return [listed(workflow, did, approval, program) for did in asked]


def _datasets(workflow: Workflow) -> list[str]:
    try:
        told = json.loads(workflow.annotations.get(names.INPUT_DIDS, "[]"))
    except ValueError:
        return []
    return [did for did in told if isinstance(did, str)] if isinstance(told, list) else []
