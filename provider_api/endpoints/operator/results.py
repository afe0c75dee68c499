"""GET getResult: one file of a job's results, for the provider that started it.

Every answer names a file: a provider takes the last part of our URL for one otherwise, with its signature, and shows
it to the consumer.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.jobs.result_file import answer_with
from provider_api.endpoints.operator.calls import address_of, read_call, require, require_provider, text_of
from provider_api.endpoints.operator.descriptions import JOB_ID, OWNER, SIGNED, TAG, proof
from provider_api.endpoints.request import ServicesDep
from provider_api.http.errors import ApiError, NotOffered, Refused, render
from provider_api.http.paths import OPERATOR
from provider_api.openapi.operation import ANY, Answer, Operation, Parameter
from provider_api.services import Services

_NAMED = {"Content-Disposition": "attachment;filename=error.json"}


@endpoint(
    Operation(
        "GET",
        OPERATOR + "/getResult",
        "operatorResult",
        TAG,
        "One file of a job's results",
        {
            200: Answer("The file.", ANY, media="*/*", headers={"Content-Disposition": "On every answer."}),
            206: Answer("The part that was asked for.", ANY, media="*/*"),
            416: Answer("There is no such part."),
        },
        SIGNED,
        parameters={
            "owner": OWNER,
            "jobId": JOB_ID,
            "index": Parameter("Position in `results`.", "0", ANY),
            "consumerSignature": Parameter("Ignored.", schema=ANY),
            **proof("owner + jobId + nonce"),
        },
        request_headers={"Range": Parameter("A part of the file."), "If-Range": Parameter("Only with this ETag.")},
    ),
    head=False,
)
async def get_result(request: Request, services: ServicesDep) -> Response:
    try:
        return await _result(request, services)
    except NotOffered:
        raise
    except ApiError as exc:
        answer = render(Refused(str(exc), min(exc.status, 500)))
        answer.headers.update(_NAMED)
        return answer


async def _result(request: Request, services: Services) -> Response:
    given = await read_call(request, services)
    require(given, ("owner", "jobId", "index", "providerSignature", "nonce"))
    index, job_id = text_of(given, "index"), text_of(given, "jobId")
    digits = index.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise Refused("index must be an integer.")
    provider = await require_provider(request, services, given, job_id)
    owner = address_of(text_of(given, "owner"))
    found = await services.reader.of_provider(provider.addresses, owner=owner, job_id=job_id)
    if not found or not owner or int(index) < 0:
        raise Refused("There is no such result.", 404)
    file = await services.results.file(found[0], int(index))
    return await answer_with(request, services.results, file)
