"""Who looks at a page: a cookie with a token of the service, `c2d_session`.

The cookie has no Path: a browser sets it for the folder of the address that answered with it, which is the service's
own, wherever a proxy has put it. Only pages and GETs look at it; whatever is signed in the API stays signed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from ocean.addresses import checksum, is_address
from ocean.kit.digits import is_digits
from provider_api.calls.parameters import read_json_object
from provider_api.calls.session import SESSION_COOKIE
from provider_api.calls.sign_ins import Session
from provider_api.calls.tokens import TokenRefused
from provider_api.endpoints.pages.page import PRIVATE, SignInNeeded, page, see_other, sign_in_page, way_back
from provider_api.http.errors import Refused
from provider_api.http.origins import origin_of
from provider_api.http.responses import json_response
from provider_api.services import Services

_MOST_FORM_BYTES: Final = 16 * 1024


async def session_of(request: Request, services: Services) -> Session | None:
    """Who is signed in; None: nobody, or nobody any more."""
    token = request.cookies.get(SESSION_COOKIE, "")
    if not token:
        return None
    try:
        claims = await services.tokens.holder(token)
    except TokenRefused:
        return None
    return Session(token, checksum(claims.address), claims.expires_at)


async def require_session(request: Request, services: Services) -> Session:
    """Raises SignInNeeded."""
    session = await session_of(request, services)
    if session is None:
        raise SignInNeeded
    return session


@page("POST", "/sign-in/text")
async def sign_in_text(request: Request, services: Services) -> Response:
    """The text that a wallet shall sign: `{"address", "chainId"}` in, `{"text"}` out."""
    asked = read_json_object(request.headers.get("content-type", ""), await request.body())
    address, chain = asked.get("address"), str(asked.get("chainId", ""))
    if not isinstance(address, str) or not is_address(address):
        raise Refused("The wallet named no account.")
    chain_id = int(chain) if is_digits(chain) and len(chain) < 30 else 0
    text = services.sign_ins.offer(request.headers.get("origin", ""), address, chain_id)
    return json_response({"text": text}, headers=PRIVATE)


@page("POST", "/sign-in")
async def sign_in(request: Request, services: Services) -> Response:
    """A signed text of the script (`{"text", "signature"}`), or a token that was pasted into the form."""
    content_type, body = request.headers.get("content-type", ""), await request.body()
    signed = read_json_object(content_type, body)
    if signed:
        text, signature = str(signed.get("text", "")), str(signed.get("signature", ""))
        answer: Response = json_response({"signedIn": True}, headers=PRIVATE)
        session = await services.sign_ins.redeem(text, signature)
    else:
        form = _form(body)
        where = way_back(form.get("next", [""])[0])
        try:
            session = await services.sign_ins.exchange(form.get("token", [""])[0].strip())
        except TokenRefused as exc:
            return sign_in_page(request, where, said=str(exc), status=403)
        answer = see_other(where)
    origin = origin_of(request.headers.get("origin", ""))
    secure = origin.scheme == "https" if origin else any(url.startswith("https") for url in _public(services))
    answer.set_cookie(SESSION_COOKIE, session.token, path=None, secure=secure, httponly=True, samesite="strict")
    return answer


@page("POST", "/sign-out")
async def sign_out(request: Request, services: Services) -> Response:
    """The token is no longer good for anybody who has kept it."""
    session = await session_of(request, services)
    if session is not None:
        with suppress(TokenRefused):  # signed out twice at once
            await services.tokens.discard(session.token)
    answer = see_other("./")
    answer.set_cookie(SESSION_COOKIE, "", max_age=0, path=None, httponly=True, samesite="strict")
    return answer


def _form(body: bytes) -> dict[str, list[str]]:
    """Raises Refused."""
    if len(body) > _MOST_FORM_BYTES:
        raise Refused("This is more than a token.", 413)
    return parse_qs(body.decode("ascii", "replace"))


def _public(services: Services) -> tuple[str, ...]:
    return services.settings.server.public_urls
