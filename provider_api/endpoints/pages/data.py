"""The pages of owners of datasets: who ran what on their data, what has left, and what waits for their decision."""

from __future__ import annotations

import base64
import time

from starlette.requests import Request
from starlette.responses import Response

from ocean.addresses import canonical
from provider_api.endpoints.pages.addresses import address_of_service
from provider_api.endpoints.pages.jobs import one_page
from provider_api.endpoints.pages.page import PRIVATE, page, shown, sign_in_page
from provider_api.endpoints.pages.session import require_session, session_of
from provider_api.endpoints.releases.asking import document, job_that_waits
from provider_api.endpoints.releases.file import send_to_owner
from provider_api.endpoints.releases.listing import releases_of
from provider_api.http.errors import Refused
from provider_api.http.responses import json_response
from provider_api.services import Services
from records.decision import MOST_REASON, Decision, statement_of
from records.envelope import PAYLOAD_TYPE, pre_authentication

EACH = 50  # lines on a page
RELEASE = "/data/{job_id}"


@page("GET", "/data/")
async def data(request: Request, services: Services) -> Response:
    session = await session_of(request, services)
    if session is None:
        return sign_in_page(request, "data/")
    account = canonical(session.address)
    waiting = await releases_of(services, account, history=False)
    history = await releases_of(services, account, history=True)
    part, number, pages = one_page(request, history, EACH)
    return shown(request, "data.html", session=session, waiting=waiting, history=part, number=number, pages=pages)


@page("GET", RELEASE)
async def release(request: Request, services: Services) -> Response:
    session = await require_session(request, services)
    workflow, approval = await job_that_waits(services, request.path_params["job_id"])
    told = await document(services, workflow, approval, canonical(session.address))
    return shown(
        request,
        "release.html",
        session=session,
        release=told,
        url=address_of_service(request, services),
        most_reason=MOST_REASON,
    )


@page("GET", RELEASE + "/files/{index}")
async def release_file(request: Request, services: Services) -> Response:
    session = await require_session(request, services)
    job_id, index = request.path_params["job_id"], request.path_params["index"]
    answer = await send_to_owner(request, services, job_id, index, canonical(session.address))
    answer.headers.update(PRIVATE)
    return answer


@page("GET", RELEASE + "/statement")
async def statement(request: Request, services: Services) -> Response:
    """What the owner's wallet has to sign for a decision, to the byte; signed, it goes to the API as from any client.

    `did`, `decision` (release, refuse) and `reason` in; `payloadType`, `payload` (base64), `account` and `sign`
    (the bytes for `personal_sign`, hex) out.
    """
    session = await require_session(request, services)
    workflow, approval = await job_that_waits(services, request.path_params["job_id"])
    told = await document(services, workflow, approval, canonical(session.address))
    asked = request.query_params
    did, word, reason = asked.get("did", ""), asked.get("decision", ""), asked.get("reason", "").strip()
    if did not in approval.datasets or word not in ("release", "refuse") or len(reason) > MOST_REASON:
        raise Refused("There is no such decision to make.")
    payload = statement_of(
        Decision(
            workflow.name,
            str(told["manifestDigest"]),
            did,
            session.address,
            released=word == "release",
            at=int(time.time()),
            reason=reason,
        )
    ).encoded()
    return json_response(
        {
            "account": session.address,
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(payload).decode(),
            "sign": "0x" + pre_authentication(payload).hex(),
        },
        headers=PRIVATE,
    )
