"""GET salts, an addition of ours: what an owner needs to open what a job's passport says of his own files."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from ocean import signing
from ocean.addresses import canonical
from provider_api.calls.fields import Field, job_id, required, text_value, whole_did
from provider_api.calls.signature import Signed
from provider_api.endpoints.descriptions import (
    ARGO_FAILED,
    AUTH_TOKEN,
    CHAIN_AWAY,
    CONSUMER_PARAMETER,
    NONCE_PARAMETER,
    signature,
    signed,
)
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.request import CONSUMER, NONCE, SIGNATURE, CallDep, ServicesDep
from provider_api.http.errors import Refused
from provider_api.http.responses import json_response
from provider_api.jobs.records import find_existing
from provider_api.jobs.start_record import asset_salt, record_of
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import Answer, Failure, Operation, Parameter

FIELDS = (
    Field("jobId", (required, text_value, job_id), bail=True),
    Field("documentId", (required, text_value, whole_did), bail=True),
    CONSUMER,
    NONCE,
    SIGNATURE,
)


@endpoint(
    Operation(
        "GET",
        "/api/v1/salts",
        "salts",
        "Compute",
        "The salts of a dataset's files in a job's passport, for its owner",
        {
            200: Answer(
                "A salt for each of the dataset's services that the job has used.",
                ref("Salts"),
                {
                    "one": {
                        "jobId": samples.JOB,
                        "documentId": samples.DID,
                        "salts": [{"serviceId": "main", "salt": "5e" * 32}],
                    }
                },
            )
        },
        {
            400: signed("jobId"),
            404: Failure(
                "Refusal",
                "No such job with this dataset, or none of whose passport salts are known; or another owner's dataset.",
                {"owner": {"error": f"No job {samples.JOB} with a dataset of this account"}},
            ),
            502: ARGO_FAILED,
            503: CHAIN_AWAY,
        },
        text="An addition to Ocean's Provider. A passport tells inputs as salted digests; with the salt the owner of a"
        " dataset can prove which of his files they were. The signer has to own the data NFT when he asks.",
        fields=FIELDS,
        parameters={
            "jobId": Parameter("The job.", samples.JOB),
            "documentId": Parameter("The dataset.", samples.DID),
            "consumerAddress": CONSUMER_PARAMETER,
            "nonce": NONCE_PARAMETER,
            "signature": signature('"salts" + consumerAddress + jobId + documentId + nonce'),
        },
        request_headers=AUTH_TOKEN,
    )
)
async def salts(call: CallDep, services: ServicesDep) -> Response:
    owner, job, did = call.text("consumerAddress"), call.text("jobId"), call.text("documentId")
    caller = await services.callers.require(call, Signed(partial(signing.salts_message, owner, job, did), dids=(did,)))
    # One answer for whatever is missing: who owns nothing of a job is not told which datasets it has.
    refused = Refused(f"No job {job} with a dataset of this account", 404)
    workflow = await find_existing(services.argo, job)
    record = None if workflow is None else record_of(workflow)
    used = () if record is None else tuple(item.service_id for item in record.datasets if item.did == did)
    if not used or canonical((await services.assets.find(did)).publisher) != caller.address:
        raise refused
    await services.callers.use_up(caller)
    return json_response(
        {
            "jobId": job,
            "documentId": did,
            "salts": [
                {"serviceId": service, "salt": asset_salt(services.keys, job, did, service).hex()}
                for service in dict.fromkeys(used)
            ],
        },
        sort_keys=False,
    )
