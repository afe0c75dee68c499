"""Errors that a consumer may see, and their one renderer.

Ocean's clients tell four shapes apart by their keys, so each has its class here:

(a) `InvalidRequest`   400 `{"errors": {field: [text…] or text}, "message": "Validation error", "success": false}`, and
                       where Ocean Provider's texts do not say it `"wanted": {field: what is allowed, what was sent}`.
                       By its name it comes last: ocean.js shows the first two members.
(b) `Refused`          4xx `{"error": "text"}` or `{"error": {"place": "code"}}`, with `wanted` as in (a)
(c) `NotOffered`       404, 405, 413 … `{"context": null, "error": "404 Not Found: …"}`
(d) everything else    503 with Retry-After for a neighbour's fault, 500 for ours: `{"context": null, "error": "…"}`

Ocean Provider puts the request's own values into `context`; ours stays null, because requests carry signatures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from provider_api.http.responses import json_response

FieldErrors = Mapping[str, Sequence[str] | str]
_NAMES = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    431: "Request Header Fields Too Large",
}
_TEXTS = {
    400: "The browser (or proxy) sent a request that this server could not understand.",
    404: "The requested URL was not found on the server. If you entered the URL manually please check your spelling"
    " and try again.",
    405: "The method is not allowed for the requested URL.",
    408: "The server closed the network connection because the browser didn't finish the request within the specified"
    " time.",
    413: "The data value transmitted exceeds the capacity limit.",
    414: "The length of the requested URL exceeds the capacity limit for this server.",
    431: "One or more header fields exceeds the maximum size.",
}


class ApiError(Exception):
    """An answer that is not the wished one. Subclasses give status and body."""

    status = 500

    def body(self) -> Any:
        return {"context": None, "error": clean(str(self))}

    def headers(self) -> dict[str, str]:
        return {}


class InvalidRequest(ApiError):
    """(a): parameters are missing or malformed, or the signature or nonce is not good."""

    status = 400

    def __init__(self, errors: FieldErrors, wanted: Mapping[str, str] | None = None) -> None:
        super().__init__("Validation error")
        self.errors, self.wanted = errors, dict(wanted or {})

    def body(self) -> Any:
        errors = {name: text if isinstance(text, str) else list(text) for name, text in self.errors.items()}
        body = {"errors": errors, "message": "Validation error", "success": False}
        return body | ({"wanted": self.wanted} if self.wanted else {})


class Refused(ApiError):
    """(b): a check said no. `error` is a sentence, or {place: code} for compute rules. `wanted`: what is allowed, by
    field, where the sentence is Ocean Provider's and does not say it.
    """

    def __init__(
        self, error: str | Mapping[str, str], status: int = 400, *, wanted: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error if isinstance(error, str) else ", ".join(f"{k}: {v}" for k, v in error.items()))
        self.error, self.status, self.wanted = error, status, dict(wanted or {})

    def body(self) -> Any:
        body = {"error": clean(self.error) if isinstance(self.error, str) else dict(self.error)}
        return body | ({"wanted": self.wanted} if self.wanted else {})


class NotOffered(ApiError):
    """(c): no such path or method, or a request beyond the limits. `allow`: the methods that a path has, for 405."""

    def __init__(self, status: int = 404, allow: str = "") -> None:
        self.name = _NAMES[status]
        super().__init__(f"{status} {self.name}: {_TEXTS[status]}")
        self.status, self.allow = status, allow

    def headers(self) -> dict[str, str]:
        return {"Allow": self.allow} if self.allow else {}


class NeighbourAway(ApiError):
    """(d): chain, Argo, or result store does not answer. Nothing was claimed or changed, or asking again is safe."""

    status = 503

    def __init__(self, text: str, retry_after_seconds: int = 5) -> None:
        super().__init__(text)
        self.retry_after_seconds = retry_after_seconds

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_seconds)}


class SourcesBusy(NeighbourAway):
    """(d): as many connections to files' sources are open as there may be, in all or to one host."""

    def __init__(self) -> None:
        super().__init__("Too many files are being fetched from there at the moment.")


class TooMuchAsked(ApiError):
    """(d): a client asks for more than is spent on requests that nobody has signed. Asking later will help."""

    status = 429

    def __init__(self, text: str, retry_after_seconds: int = 5) -> None:
        super().__init__(text)
        self.retry_after_seconds = retry_after_seconds

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_seconds)}


class NeighbourFailed(ApiError):
    """(d): a neighbour answered, but not what it should have: asking again will not help."""

    status = 502


def clean(text: str) -> str:
    """Words that are URLs are replaced, white space becomes single blanks: what Ocean Provider does to error texts."""
    return " ".join(_hide_url(word) for word in text.split())


def _hide_url(word: str) -> str:
    try:
        parts = urlsplit(word)
    except ValueError:
        return "<URL stripped for security reasons>"
    if (parts.scheme and parts.netloc) or re.search(r"[a-zA-Z][a-zA-Z0-9+.-]*://", word):
        return "<URL stripped for security reasons>"
    return word


def render(error: ApiError) -> Response:
    """The one place where an error becomes an answer."""
    return json_response(error.body(), status=error.status, headers=error.headers())
