"""GET computeEnvironments: per chain, the environments a job may be started in. Answered from memory."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from provider_api.endpoints.request import require_not_head, services_of
from provider_api.http.responses import json_response

router = APIRouter()


@router.api_route("/api/services/computeEnvironments", methods=["GET", "HEAD"])
async def compute_environments(request: Request) -> Response:
    require_not_head(request)
    services = services_of(request)
    snapshot = await services.environments.current()
    return json_response(
        {
            str(chain.chain_id): [
                environment.announcement(
                    fee_token=chain.fee_token,
                    current_jobs=snapshot.jobs.get(environment.id, 0),
                    last_seen=snapshot.taken_at,
                )
                for environment in snapshot.environments.values()
                if environment.serves(chain.chain_id)
            ]
            for chain in services.chains.all()
        }
    )
