"""The session of a page: a cookie with a token (`calls/tokens.py`), which a browser sends by itself.

It stands for the header `AuthToken` where something is read, and nowhere else: a form on somebody else's page could
send it with a request that changes something. Nor does it count in a request that a browser makes for another site's
page.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

SESSION_COOKIE: Final = "c2d_session"
_OWN_PAGES: Final = ("same-origin", "none")  # "none": the person has typed the address


def token_of(request: Request) -> str:
    """The token of a request: that of the header AuthToken, else that of the session of a GET; "" for none."""
    sent = request.headers.get("authtoken", "")
    if sent or request.method != "GET":
        return sent
    if request.headers.get("sec-fetch-site", "none") not in _OWN_PAGES:
        return ""
    return request.cookies.get(SESSION_COOKIE, "")
