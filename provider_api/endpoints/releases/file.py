"""GET one file of a release: an owner looks at what waits for him, where every dataset of the job says that he may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import Response

from contract.manifest import OWN_LOGS, ResultFile
from ocean.kit.digits import is_digits
from provider_api.endpoints.descriptions import ARGO_FAILED, AUTH_TOKEN, CHAIN_AWAY, signed
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.jobs.result_file import FILE_ANSWERS, RANGE_HEADERS, answer_with
from provider_api.endpoints.releases.asking import FIELDS, JOB, asked_by, job_that_waits, owned, parameters
from provider_api.endpoints.releases.show import NOTHING_WAITS, PATH
from provider_api.endpoints.request import CallDep, ServicesDep
from provider_api.http.errors import Refused
from provider_api.jobs.releases import may_look
from provider_api.openapi.operation import Failure, Operation, Parameter
from provider_api.services import Services

log = structlog.get_logger(__name__)


@endpoint(
    Operation(
        "GET",
        PATH + "/files/{index}",
        "releaseFile",
        "Compute",
        "One file of the results of a job that wait for their owners",
        FILE_ANSWERS,
        {
            400: signed("consumerAddress"),
            403: Failure(
                "Refusal",
                "Not every dataset of the job says that owners may look.",
                {"closed": {"error": "Owners may not look into the results of this job."}},
            ),
            404: NOTHING_WAITS,
            502: ARGO_FAILED,
            503: CHAIN_AWAY,
        },
        text="An addition to Ocean's Provider. For owners of the data NFTs of the job's datasets, where the release"
        " rules of all of them say `ownersLook`.",
        fields=FIELDS[:3],
        parameters=parameters('"releases" + consumerAddress + job + "/" + index + "/" + nonce'),
        path_parameters={**JOB, "index": Parameter("`index` of the file.", "2")},
        request_headers={**RANGE_HEADERS, **AUTH_TOKEN},
    )
)
async def release_file(request: Request, call: CallDep, services: ServicesDep) -> Response:
    job, place = request.path_params["job"], request.path_params["index"]
    caller = await asked_by(call, services, f"{job}/{place}/")

    async def use_up() -> None:
        await services.callers.use_up(caller)

    return await send_to_owner(request, services, job, place, caller.address, use_up)


async def send_to_owner(
    request: Request,
    services: Services,
    job: str,
    place: str,
    account: str,
    before_sending: Callable[[], Awaitable[None]] | None = None,
) -> Response:
    """One file of what waits, to an account (canonical) that is proven. Raises Refused, NeighbourAway, NeighbourFailed,
    ChainUnavailable, ArgoError."""
    file = await _file_to_look_at(services, job, place, account)

    async def noted() -> None:
        if before_sending is not None:
            await before_sending()
        log.info("owner_looked", job_id=job, owner=account, index=file.index)

    return await answer_with(request, services.results, file, noted)


async def _file_to_look_at(services: Services, job: str, place: str, account: str) -> ResultFile:
    """A file of results that wait, for an owner (canonical) who may look at them. Raises Refused."""
    workflow, approval = await job_that_waits(services, job)
    await owned(services, workflow, approval, account)
    if not may_look(workflow):
        raise Refused("Owners may not look into the results of this job: not all of its datasets say so.", 403)
    index = int(place) if is_digits(place) and len(place) < 10 else None
    manifest = await services.results.manifest(workflow)
    if index is None or index >= len(manifest.files) or manifest.files[index].type in OWN_LOGS:
        raise Refused(f"No such file {place[:20]} among the results of this job", 404)
    return manifest.files[index]
