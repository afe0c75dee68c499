"""GET environments: what this service offers, on one chain or on all. Not signed, answered from memory."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ocean.addresses import ZERO
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.operator.calls import read_call, text_of
from provider_api.endpoints.operator.descriptions import AWAY, BAD, NOT_THERE, TAG
from provider_api.endpoints.request import ServicesDep
from provider_api.endpoints.service.root import VERSION
from provider_api.http.errors import Refused
from provider_api.http.paths import OPERATOR
from provider_api.http.responses import json_response
from provider_api.openapi.operation import ANY, Answer, Operation, Parameter


@endpoint(
    Operation(
        "GET",
        OPERATOR + "/",
        "operator",
        TAG,
        "What this is",
        {200: Answer("Name and version.", {"type": "object"}, {"it": {"software": "Operator service"}})},
        {404: NOT_THERE},
        text="All calls below answer 404 where no provider is known (`C2D_OPERATOR__PROVIDERS`).",
    ),
    head=False,
)
async def root(request: Request, services: ServicesDep) -> Response:
    await read_call(request, services)
    return json_response({"software": "Operator service", "version": VERSION}, sort_keys=False)


@endpoint(
    Operation(
        "GET",
        OPERATOR + "/environments",
        "operatorEnvironments",
        TAG,
        "Where jobs may run",
        {200: Answer("As in `computeEnvironments`, without a fee token.", {"type": "array"}, {"none": []})},
        {400: BAD, 404: NOT_THERE, 500: AWAY},
        parameters={"chainId": Parameter("Only for this chain; also `chain_id`.", "8996", ANY)},
    ),
    head=False,
)
async def environments(request: Request, services: ServicesDep) -> Response:
    """A provider adds the fee token of its own."""
    call = await read_call(request, services)
    wanted = text_of(call, "chainId") or text_of(call, "chain_id")
    if wanted and not (wanted.isascii() and wanted.isdigit() and len(wanted) <= 30):
        raise Refused("chainId must be an integer.")
    snapshot = await services.environments.current()
    found = []
    for environment in snapshot.environments.values():
        if wanted and not environment.serves(int(wanted)):
            continue
        jobs = snapshot.jobs.get(environment.id, 0)
        announced = environment.announcement(fee_token=ZERO, current_jobs=jobs, last_seen=snapshot.taken_at)
        found.append({name: value for name, value in announced.items() if name != "feeToken"})
    return json_response(found, sort_keys=False)
