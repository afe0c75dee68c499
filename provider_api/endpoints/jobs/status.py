"""GET compute: jobs of an account, as an array of job objects."""

from __future__ import annotations

from starlette.responses import Response

from provider_api.calls.fields import Field, integer, text_value
from provider_api.endpoints.descriptions import COMPUTE_FAILURES, CONSUMER_PARAMETER, invalid
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.request import CONSUMER, CallDep, ServicesDep, consumer_of
from provider_api.http.responses import json_response
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import Answer, Operation, Parameter

FIELDS = (
    CONSUMER,
    Field("jobId", (text_value,)),
    Field("agreementId", (text_value,)),
    Field("resultsFrom", (integer,)),
)


@endpoint(
    Operation(
        "GET",
        "/api/services/compute",
        "computeStatus",
        "Compute",
        "Jobs of an account",
        {200: Answer("Newest first; `[]` if there are none.", ref("Jobs"), {"job": [samples.job()]} | {"none": []})},
        {400: invalid("consumerAddress"), **COMPUTE_FAILURES},
        text="Not signed. A long list of results is cut, and says so.",
        fields=FIELDS,
        parameters={
            "consumerAddress": CONSUMER_PARAMETER,
            "jobId": Parameter("Only this job."),
            "agreementId": Parameter("Only jobs of this order; with or without `0x`."),
            "resultsFrom": Parameter("Results from this index on: a job's `resultsNext`."),
            "documentId": Parameter("Ignored."),
        },
    )
)
async def status(call: CallDep, services: ServicesDep) -> Response:
    """Not signed: whoever knows an address may see its jobs, as with Ocean Provider. Long lists of results are cut:
    then `resultsNext` is what `resultsFrom` must be for the next part."""
    owner, job_id = consumer_of(call), call.text("jobId")
    if job_id:
        found = await services.reader.find(owner, job_id, may_lag=True)
        workflows = [] if found is None else [found]
    else:
        workflows = await services.reader.of_owner(owner, _hex(call.text("agreementId")))
    results_from = int(call.text("resultsFrom") or 0)
    return json_response(await services.reader.objects(workflows, results_from), sort_keys=False)


def _hex(text: str) -> str:
    """An agreement id that can be a label's value; anything else matches no job."""
    digits = text.lower().removeprefix("0x")
    return digits if not digits or (digits.isascii() and digits.isalnum()) else "0" * 32
