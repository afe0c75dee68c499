"""GET computeEnvironments: per chain, the environments a job may be started in. Answered from memory."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from provider_api.endpoints.descriptions import COMPUTE_FAILURES
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.request import ServicesDep, require_not_head
from provider_api.http.responses import json_response
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import Answer, Operation


@endpoint(
    Operation(
        "GET",
        "/api/services/computeEnvironments",
        "computeEnvironments",
        "Compute",
        "Where jobs may run, and at which price",
        {
            200: Answer(
                "The environments of every chain.",
                ref("Environments"),
                {
                    "free": {
                        "8996": [
                            {
                                "id": samples.ENVIRONMENT,
                                "consumerAddress": samples.ENVIRONMENT_ADDRESS,
                                "priceMin": 0,
                                "feeToken": samples.FEE_TOKEN,
                                "maxJobDuration": 600,
                                "maxJobs": 4,
                                "currentJobs": 1,
                                "cpuNumber": 1,
                                "cpuType": "",
                                "gpuNumber": 0,
                                "gpuType": "",
                                "ramGB": 1,
                                "diskGB": 2,
                                "storageExpiry": 604800,
                                "desc": "Small jobs, free of charge",
                                "lastSeen": str(samples.MOMENT),
                            }
                        ]
                    }
                },
            )
        },
        COMPUTE_FAILURES,
    )
)
async def compute_environments(request: Request, services: ServicesDep) -> Response:
    require_not_head(request)
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
