"""POST initializeCompute: what a consumer must still order, with fee quotes. Not signed."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from provider_api.access.parameter_rules import needs_answer
from provider_api.access.quotes import ask_other_providers, make_quotes, require_period, require_quotable
from provider_api.access.request import read_quote
from provider_api.calls.fields import (
    Field,
    integer,
    non_empty_list_of_objects,
    required,
    required_with_all,
    required_without,
    text_value,
)
from provider_api.endpoints.request import CONSUMER, consumer_of, parameters_of, services_of
from provider_api.http.errors import Refused
from provider_api.http.responses import json_response
from provider_api.jobs.specification import require_room_in_workflow

router = APIRouter()

ALGORITHM = (
    Field(
        "algorithm.documentId",
        (
            required_without("algorithm.meta"),
            required_with_all("algorithm.serviceId", "algorithm.transferTxId"),
            text_value,
        ),
    ),
    Field("algorithm.meta", (required_without("algorithm.documentId"),)),
)
FIELDS = (
    Field("datasets", (required, non_empty_list_of_objects)),
    *ALGORITHM,
    Field("compute.env", (required, text_value)),
    Field("compute.validUntil", (required, integer)),
    CONSUMER,
)


@router.post("/api/services/initializeCompute")
async def initialize_compute(request: Request) -> Response:
    given = await parameters_of(request, FIELDS)
    services = services_of(request)
    valid_until = int(given.text("compute.validUntil"))
    facts = await services.facts.for_quotes(read_quote(given, consumer_of(given)))
    if valid_until <= facts.now:
        now = int(facts.now)
        raise Refused(
            f"The validUntil value is not correct. It must lie after {now} (Unix time), and is {valid_until}."
        )
    accepted = require_quotable(facts)
    require_period(valid_until, facts)
    require_room_in_workflow(accepted, services.settings, services.keys)
    of_others = await ask_other_providers(accepted, services.other_providers)
    nonce = await services.nonces.find(facts.request.consumer)
    answer = make_quotes(accepted, valid_until, nonce, services.keys, services.chains, of_others)
    return json_response(answer | needs_answer(facts))
