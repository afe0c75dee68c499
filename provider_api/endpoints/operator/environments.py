"""GET environments: what this service offers, on one chain or on all. Not signed, answered from memory."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ocean.addresses import ZERO
from provider_api.endpoints.operator.calls import read_call, text_of
from provider_api.endpoints.service.root import VERSION
from provider_api.http.errors import Refused
from provider_api.http.responses import json_response

router = APIRouter()


@router.get("/")
async def root(request: Request) -> Response:
    await read_call(request)
    return json_response({"software": "Operator service", "version": VERSION}, sort_keys=False)


@router.get("/environments")
async def environments(request: Request) -> Response:
    """A provider adds the fee token of its own."""
    services, given = await read_call(request)
    wanted = text_of(given, "chainId") or text_of(given, "chain_id")
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
