"""GET published: a file of an asset that was made of a job's results. The address of each file is its own permission.

Such addresses stand in the asset's document, encrypted for this service: consumers come through `download`, with an
order, and pods and other providers with theirs.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pods.publication import PUBLISHED_PATH, TOKEN
from provider_api.endpoints.descriptions import away
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.jobs.result_file import FILE_ANSWERS, RANGE_HEADERS, answer_with
from provider_api.endpoints.request import ServicesDep
from provider_api.http.errors import ApiError, Refused, render
from provider_api.jobs.results import ResultStore
from provider_api.openapi.operation import Failure, Operation, Parameter
from provider_api.services import Services

PATH = PUBLISHED_PATH + "/{token}/{index}/{filename}"
_MAX_DIGITS = 4  # of an index


@endpoint(
    Operation(
        "GET",
        PATH,
        "published",
        "Compute",
        "One file of an asset that was made of results",
        FILE_ANSWERS,
        {
            404: Failure("Refusal", "No such file.", {"unknown": {"error": "No such file."}}),
            503: away("The result store does not answer at the moment."),
        },
        text="Not for consumers, who come through `download`: such addresses stand encrypted in the asset's document,"
        " and whoever has one needs nothing else. HEAD is answered too.",
        path_parameters={
            "token": Parameter("Which asset it is, 43 characters that nobody can guess."),
            "index": Parameter("Which of its files.", "0"),
            "filename": Parameter("For whoever saves the file; not looked at."),
        },
        request_headers=RANGE_HEADERS,
    )
)
async def published(request: Request, services: ServicesDep) -> Response:
    """The name in the address is for whoever saves the file; the index counts."""
    return await _file(request, services.results)


def files_app(services: Services) -> Starlette:
    """The same alone, for a port of its own: what may fetch files from there reaches nothing else of the service."""

    async def published(request: Request) -> Response:
        return await _file(request, services.results)

    return Starlette(routes=[Route(PATH, published, methods=["GET", "HEAD"])], exception_handlers={ApiError: _render})


async def _file(request: Request, results: ResultStore) -> Response:
    token, index = request.path_params["token"], request.path_params["index"]
    known = TOKEN.fullmatch(token) and index.isascii() and index.isdigit() and len(index) <= _MAX_DIGITS
    if not known:
        raise Refused("No such file.", 404)
    return await answer_with(request, results, await results.published(token, int(index)))


async def _render(request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return render(error)
