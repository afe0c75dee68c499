"""PUT one release: an owner's signed decision. The signature in the envelope is the authentication."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ocean.addresses import canonical
from provider_api.endpoints.descriptions import ARGO_FAILED, CHAIN_AWAY
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.releases.asking import JOB, SHOWN, document, job_that_waits
from provider_api.endpoints.releases.show import NOTHING_WAITS, PATH
from provider_api.endpoints.request import ServicesDep
from provider_api.http.responses import json_response
from provider_api.jobs.received import read_received
from provider_api.openapi.components import ref
from provider_api.openapi.operation import Answer, Failure, Operation
from records.decision import decision_of


@endpoint(
    Operation(
        "PUT",
        PATH,
        "decideRelease",
        "Compute",
        "Release or refuse the results of a job",
        {200: Answer("How the results stand now.", ref("Release"), {"held": SHOWN})},
        {
            400: Failure(
                "Refusal",
                "No signed decision, or not on these results.",
                {"other": {"error": "The decision is about the results of another job."}},
            ),
            403: Failure(
                "Refusal",
                "Signed by somebody who does not own the dataset.",
                {"stranger": {"error": "0x… does not own the data NFT of did:op:…."}},
            ),
            404: NOTHING_WAITS,
            409: Failure(
                "Refusal",
                "Too late, or another decision stands.",
                {"late": {"error": "The results are refused already; a decision comes too late."}},
            ),
            502: ARGO_FAILED,
            503: CHAIN_AWAY,
        },
        text="An addition to Ocean's Provider. The body is a DSSE envelope of an in-toto statement (Simple Verification"
        " Result) about the job's manifest, signed by the owner of a dataset: docs/reference/decisions.md. One decision"
        " for each dataset, for good.",
        path_parameters=JOB,
        place="body",
    ),
    head=False,
)
async def decide(request: Request, services: ServicesDep) -> Response:
    received = read_received(await request.body(), "decision", decision_of)
    workflow, approval = await job_that_waits(services, request.path_params["job"])
    after = await services.results.decide(workflow, approval, received)
    account = canonical(received.said.account)
    return json_response(await document(services, workflow, after, account), sort_keys=False)
