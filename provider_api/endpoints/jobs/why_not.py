"""POST why-not, an addition of ours: every reason why a job would not be started. Not signed, changes nothing.

The body is that of initializeCompute, `validUntil` being optional. If one of the assets names a transaction, orders are
judged as at a start; if none does, only what can be said before buying.
"""

from __future__ import annotations

from starlette.responses import Response

from provider_api.access import release_rules, trust_rules
from provider_api.access.parameter_rules import needs_answer
from provider_api.access.request import read_why_not
from provider_api.calls.fields import Field, integer, non_empty_list_of_objects, required, required_without, text_value
from provider_api.endpoints.descriptions import COMPUTE_FAILURES, CONSUMER_PARAMETER, invalid
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.jobs.job_request import ALGORITHM, ALGORITHM_PARAMETERS, DATASETS
from provider_api.endpoints.request import CONSUMER, CallDep, ServicesDep, consumer_of
from provider_api.http.responses import json_response
from provider_api.jobs.why_not import reasons
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import ANY, Answer, Operation, Parameter

FIELDS = (
    Field("datasets", (required, non_empty_list_of_objects)),
    *ALGORITHM,
    Field("environment", (required_without("compute.env"), text_value)),
    Field("compute.env", (text_value,)),
    Field("compute.validUntil", (integer,)),
    CONSUMER,
)


@endpoint(
    Operation(
        "POST",
        "/api/v1/why-not",
        "whyNot",
        "Compute",
        "Every reason why a job would not be started",
        {
            200: Answer(
                "All rules that say no, at once.",
                ref("Reasons"),
                {
                    "startable": {"ordersJudged": False, "reasons": []},
                    "not_trusted": {
                        "ordersJudged": False,
                        "reasons": [
                            {
                                "place": "dataset",
                                "rule": "algorithm_is_trusted",
                                "code": "not_trusted_algo",
                                "expected": [samples.DID],
                                "found": samples.ALGORITHM_DID,
                                "who": "publisher",
                            }
                        ],
                    },
                },
            )
        },
        {400: invalid("consumerAddress"), **COMPUTE_FAILURES},
        text="An addition to Ocean's Provider. Not signed, changes nothing. When an asset names a transaction, orders"
        " are judged as at a start; when none does, only what can be said before buying.",
        fields=FIELDS,
        parameters={
            "datasets": Parameter("The first must be a compute service.", schema=DATASETS),
            **ALGORITHM_PARAMETERS,
            "algorithm.meta": Parameter("An algorithm sent along, whatever is wrong with it.", schema=ANY),
            "environment": Parameter("Id of the environment; or `compute.env`.", samples.ENVIRONMENT),
            "compute.env": Parameter("Id of the environment, where initializeCompute has it."),
            "compute.validUntil": Parameter("Until when the job shall run, Unix seconds."),
            "consumerAddress": CONSUMER_PARAMETER,
            "output": Parameter("As at a start.", schema=ANY),
        },
        place="body",
        examples={
            "before_buying": {
                "datasets": [samples.without_order(samples.DATASET)],
                "algorithm": samples.without_order(samples.ALGORITHM),
                "environment": samples.ENVIRONMENT,
                "consumerAddress": samples.CONSUMER,
            }
        },
    )
)
async def why_not(call: CallDep, services: ServicesDep) -> Response:
    end = call.text("compute.validUntil")
    facts = await services.facts.for_why_not(read_why_not(call, consumer_of(call)))
    found = reasons(facts, int(end) if end else None, services.settings, services.keys)
    answer = {"ordersJudged": facts.with_orders, "reasons": [refusal.reason() for refusal in found]}
    notes = trust_rules.notes(facts) + release_rules.notes(facts)
    return json_response(
        answer | ({"notes": notes} if notes else {}) | ({} if facts.with_orders else needs_answer(facts))
    )
