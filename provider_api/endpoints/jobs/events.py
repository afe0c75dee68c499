"""GET events of a job, an addition of ours: what happens to it, as server-sent events, for its owner."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.jobs.live_call import FAILURES, FIELDS, PARAMETERS, PATH, TOKENS, read_look
from provider_api.endpoints.request import ServicesDep
from provider_api.http.event_stream import EventStream
from provider_api.jobs.live.view import Cursor, frames, has_seen_the_end
from provider_api.openapi.operation import STRING, Answer, Operation, Parameter

_LOOK_SECONDS: Final = 5.0  # that one who has seen the end waits, to be told that there is nothing more
_EXAMPLE: Final = (
    'retry: 3000\n: \n\nevent: state\nid: 0.8d3a1f09c2b4.\ndata: {"jobId":"5e1f00c0ffee4d0fa11ce0f0badc0de5",'
    '"status":40,"statusText":"Running algorithm","step":"algorithm","since":1790000002.0}\n\n'
    'event: log\nid: 13.8d3a1f09c2b4.\ndata: {"offset":0,"next":13,"text":"read 2 files\\n","ended":""}\n\n'
)


@endpoint(
    Operation(
        "GET",
        "/api/v1/jobs/{jobId}/events",
        "jobEvents",
        "Compute",
        "What happens to a job, while it happens",
        {
            200: Answer(
                "Events `state`, `queue`, `log`, `result` and `end`; the data of each is a `JobEvent`.",
                STRING,
                {"running": _EXAMPLE},
                "text/event-stream",
                {"Cache-Control": "`no-store`", "X-Accel-Buffering": "`no`"},
            ),
            204: Answer("`Last-Event-ID` is that of the end, and there is nothing new: browsers stop asking."),
        },
        FAILURES,
        text="An addition to Ocean's Provider, for the owner of the job: docs/how-to/watch-a-job.md. The stream ends"
        " with the job. `Last-Event-ID` goes on where a stream broke off, without a gap in the log and without a byte"
        " of it twice.",
        fields=FIELDS,
        parameters=PARAMETERS,
        path_parameters=PATH,
        request_headers={"Last-Event-ID": Parameter("`id` of the last event that has arrived."), **TOKENS},
    ),
    head=False,
)
async def job_events(request: Request, services: ServicesDep) -> Response:
    look = await read_look(request, services)
    cursor = Cursor.parse(request.headers.get("last-event-id", ""))
    with ExitStack() as stack:
        hub = stack.enter_context(look.viewing())
        if cursor.ended and await hub.first_look(_LOOK_SECONDS) and has_seen_the_end(hub, cursor):
            return Response(status_code=204)
        return EventStream(frames(hub, cursor), stack.pop_all())
