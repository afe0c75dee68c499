"""GET log of a job, an addition of ours: what its algorithm has printed so far, for who polls."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from provider_api.calls.fields import Field, integer
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.jobs.live_call import FAILURES, FIELDS, PARAMETERS, PATH, TOKENS, read_look
from provider_api.endpoints.request import ServicesDep
from provider_api.http.event_stream import UNSTORED
from provider_api.jobs.live.view import log_from
from provider_api.openapi.operation import STRING, TEXT, Answer, Operation, Parameter

_FIELDS: Final = (*FIELDS, Field("offset", (integer,)))
_WAIT_SECONDS: Final = 1.0  # for something new
_HEADERS: Final = {
    "X-Log-Next": "The offset behind this piece: `offset` of the next request.",
    "X-Log-Ended": "Empty as long as there may be more. Else why there is not: `complete`, `limit`, `approval`,"
    " `filter`, `rules`, `withheld`, `gone`.",
}


@endpoint(
    Operation(
        "GET",
        "/api/v1/jobs/{jobId}/log",
        "jobLog",
        "Compute",
        "What a job's algorithm has printed so far",
        {
            200: Answer(
                "A piece of the log from the offset on; empty if there is nothing new within a second.",
                STRING,
                {"piece": "read 2 files\n"},
                TEXT,
                _HEADERS,
            )
        },
        FAILURES,
        text="An addition to Ocean's Provider, for the owner of the job: the log of `jobEvents`, under the same"
        " rules, for who cannot get that. The log that lasts is a result.",
        fields=_FIELDS,
        parameters={**PARAMETERS, "offset": Parameter("How many bytes of the log the caller has.", "0")},
        path_parameters=PATH,
        request_headers=TOKENS,
    ),
    head=False,
)
async def job_log(request: Request, services: ServicesDep) -> Response:
    look = await read_look(request, services, _FIELDS)
    text, after, ended = await log_from(look.glance(), int(look.call.text("offset") or 0), _WAIT_SECONDS)
    headers = {**UNSTORED, "X-Log-Next": str(after), "X-Log-Ended": ended}
    return Response(text, headers=headers, media_type="text/plain; charset=utf-8")
