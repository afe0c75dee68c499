"""POST initializeCompute: what a consumer must still order, with fee quotes. Not signed."""

from __future__ import annotations

from starlette.responses import Response

from provider_api.access.parameter_rules import needs_answer
from provider_api.access.quotes import ask_other_providers, make_quotes, require_period, require_quotable
from provider_api.access.request import read_quote
from provider_api.calls.fields import (
    Field,
    integer,
    non_empty_list_of_objects,
    required,
    text_value,
)
from provider_api.endpoints.descriptions import COMPUTE_FAILURES, CONSUMER_PARAMETER
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.jobs.job_request import ALGORITHM, ALGORITHM_PARAMETERS, DATASETS, REFUSED_BY_A_RULE
from provider_api.endpoints.request import CONSUMER, CallDep, ServicesDep, consumer_of
from provider_api.http.errors import Refused
from provider_api.http.responses import json_response
from provider_api.jobs.specification import require_room_in_workflow
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import Answer, Failure, Operation, Parameter

FIELDS = (
    Field("datasets", (required, non_empty_list_of_objects)),
    *ALGORITHM,
    Field("compute.env", (required, text_value)),
    Field("compute.validUntil", (required, integer)),
    CONSUMER,
)


@endpoint(
    Operation(
        "POST",
        "/api/services/initializeCompute",
        "initializeCompute",
        "Compute",
        "What a job still needs: orders to make or to renew, with signed fees",
        {
            200: Answer(
                "One entry for each asset.",
                ref("ComputeQuotes"),
                {
                    "to_order": {
                        "algorithm": {
                            "datatoken": samples.DATATOKEN,
                            "nonce": "57",
                            "providerFee": samples.fee("0", samples.MOMENT + 600),
                        },
                        "datasets": [
                            {
                                "datatoken": samples.DATATOKEN,
                                "nonce": "57",
                                "providerFee": samples.fee("1000000000000000000", samples.MOMENT + 600),
                            }
                        ],
                    },
                    "nothing_to_buy": {
                        "datasets": [{"datatoken": samples.DATATOKEN, "nonce": "57", "validOrder": samples.TX}]
                    },
                    "parameters_are_needed": {
                        "datasets": [{"datatoken": samples.DATATOKEN, "nonce": None, "validOrder": samples.TX}],
                        "startNeeds": [
                            {
                                "place": "algorithm.algocustomdata",
                                "code": "missing:epochs",
                                "expected": "epochs: a number",
                            }
                        ],
                    },
                },
            )
        },
        {
            400: Failure(
                "InvalidOrRefused",
                "A parameter is missing or malformed, or the job could not be started even with orders.",
                {
                    "too_late": {"error": "The validUntil value is not correct."},
                    "environment": {"error": "Compute environment does not exist"},
                    **REFUSED_BY_A_RULE,
                },
            ),
            **COMPUTE_FAILURES,
        },
        text="Says before anybody pays that an asset may not be used, the job is too large or the queue is full. The"
        " whole fee is on one asset, all others have a signed fee of 0.",
        fields=FIELDS,
        parameters={
            "datasets": Parameter("The first must be a compute service.", schema=DATASETS),
            **ALGORITHM_PARAMETERS,
            "compute.env": Parameter("Id of the environment.", samples.ENVIRONMENT),
            "compute.validUntil": Parameter("Until when the job may run, Unix seconds.", samples.MOMENT + 600),
            "consumerAddress": CONSUMER_PARAMETER,
        },
        place="body",
        examples={
            "published": {
                "datasets": [samples.without_order(samples.DATASET)],
                "algorithm": samples.without_order(samples.ALGORITHM),
                "compute": {"env": samples.ENVIRONMENT, "validUntil": samples.MOMENT + 600},
                "consumerAddress": samples.CONSUMER,
            },
            "sent_along": {
                "datasets": [samples.DATASET],
                "algorithm": {"meta": samples.RAW_ALGORITHM},
                "compute": {"env": samples.ENVIRONMENT, "validUntil": samples.MOMENT + 600},
                "consumerAddress": samples.CONSUMER,
            },
        },
    )
)
async def initialize_compute(call: CallDep, services: ServicesDep) -> Response:
    valid_until = int(call.text("compute.validUntil"))
    facts = await services.facts.for_quotes(read_quote(call, consumer_of(call)))
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
