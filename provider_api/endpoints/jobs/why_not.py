"""POST why-not, an addition of ours: every reason why a job would not be started. Not signed, changes nothing.

The body is that of initializeCompute, `validUntil` being optional. If one of the assets names a transaction, orders are
judged as at a start; if none does, only what can be said before buying.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from provider_api.access import trust_rules
from provider_api.access.parameter_rules import needs_answer
from provider_api.access.request import read_why_not
from provider_api.calls.fields import Field, integer, non_empty_list_of_objects, required, required_without, text_value
from provider_api.endpoints.jobs.initialize_compute import ALGORITHM
from provider_api.endpoints.request import CONSUMER, consumer_of, parameters_of, services_of
from provider_api.http.responses import json_response
from provider_api.jobs.why_not import reasons

router = APIRouter()

FIELDS = (
    Field("datasets", (required, non_empty_list_of_objects)),
    *ALGORITHM,
    Field("environment", (required_without("compute.env"), text_value)),
    Field("compute.env", (text_value,)),
    Field("compute.validUntil", (integer,)),
    CONSUMER,
)


@router.post("/api/v1/why-not")
async def why_not(request: Request) -> Response:
    given = await parameters_of(request, FIELDS)
    services = services_of(request)
    end = given.text("compute.validUntil")
    facts = await services.facts.for_why_not(read_why_not(given, consumer_of(given)))
    found = reasons(facts, int(end) if end else None, services.settings, services.keys)
    answer = {"ordersJudged": facts.with_orders, "reasons": [refusal.reason() for refusal in found]}
    notes = trust_rules.notes(facts)
    return json_response(
        answer | ({"notes": notes} if notes else {}) | ({} if facts.with_orders else needs_answer(facts))
    )
