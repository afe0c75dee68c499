"""PUT trust: what an owner says about an algorithm once, for the jobs that end after it. Signed as a decision is."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from provider_api.endpoints.descriptions import ARGO_FAILED, CHAIN_AWAY
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.releases.asking import job_that_waits
from provider_api.endpoints.request import ServicesDep
from provider_api.http.errors import Refused
from provider_api.http.responses import json_response
from provider_api.jobs.received import read_received
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import Answer, Failure, Operation
from provider_api.services import Services
from records.trust import Trust, trust_of


@endpoint(
    Operation(
        "PUT",
        "/api/v1/trust",
        "trust",
        "Compute",
        "Trust an algorithm on a dataset until a day, or withdraw that",
        {
            200: Answer(
                "What stands now.",
                ref("Trust"),
                {
                    "trusted": {
                        "documentId": samples.DID,
                        "program": "7a" * 32,
                        "account": samples.CONSUMER,
                        "until": 1_800_000_000,
                    }
                },
            )
        },
        {
            400: Failure(
                "Refusal",
                "No signed statement of trust, or of another algorithm than the job's.",
                {"other": {"error": "The job that the statement names did not run this algorithm on this dataset."}},
            ),
            403: Failure(
                "Refusal",
                "Signed by somebody who does not own the dataset.",
                {"stranger": {"error": "0x… does not own the data NFT of did:op:…."}},
            ),
            404: Failure(
                "Refusal",
                "No such job, or no trust that could be withdrawn.",
                {"none": {"error": "There is no trust of this account in this algorithm on this dataset."}},
            ),
            409: Failure(
                "Refusal",
                "A newer statement stands.",
                {"newer": {"error": "A newer statement about this algorithm stands already."}},
            ),
            502: ARGO_FAILED,
            503: CHAIN_AWAY,
        },
        text="An addition to Ocean's Provider. The body is a DSSE envelope of an in-toto statement about the digest of"
        " what runs, signed by the owner of the dataset: docs/reference/decisions.md. Results of jobs of this algorithm"
        " that end until the day which is named are released as if the owner had said so; release rules still hold.",
        place="body",
    ),
    head=False,
)
async def state_trust(request: Request, services: ServicesDep) -> Response:
    received = read_received(await request.body(), "statement of trust", trust_of)
    trust = received.said
    await received.require_owner(trust.account, trust.did, services.assets.owner)
    if trust.until is None:
        if await services.results.trust(trust.did, trust.program, trust.account) is None:
            raise Refused("There is no trust of this account in this algorithm on this dataset.", 404)
    else:
        await _require_seen(services, trust)
    await services.results.keep_trust(received)
    said = {"documentId": trust.did, "program": trust.program, "account": trust.account, "until": trust.until}
    return json_response(said, sort_keys=False)


async def _require_seen(services: Services, trust: Trust) -> None:
    """The job on whose sight trust is given: so nobody fills the store who has seen none. Raises Refused."""
    workflow, approval = await job_that_waits(services, trust.job_id)
    if trust.did not in approval.datasets or trust.program != await services.results.program(workflow):
        raise Refused("The job that the statement names did not run this algorithm on this dataset.")
