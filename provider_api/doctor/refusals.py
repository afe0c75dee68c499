"""What an answer of Kubernetes' API server that is no success means to the doctor."""

from __future__ import annotations

import json


class Forbidden(Exception):
    """This identity may not ask that."""


class NoAnswer(Exception):
    """The API server cannot be reached, is not trusted, or does not know who we are."""


class Refused(Exception):
    """Any other answer that is no success."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(f"the API server answered {status}")
        self.status, self.message = status, message


def refusal(status: int, body: str | bytes | None) -> Forbidden | NoAnswer | Refused:
    """The error to raise for a status that is no success, with the reason that the answer's body gives."""
    if status == 401:
        return NoAnswer("the API server does not accept this identity")
    if status == 403:
        return Forbidden(f"this identity may not: {_message(body)}")
    return Refused(status, _message(body))


def _message(body: str | bytes | None) -> str:
    """What Kubernetes says of a refusal: who may not do what. No object's content."""
    try:
        text = str(json.loads(body or "").get("message") or "")
    except (ValueError, AttributeError):
        text = ""
    return text[:300] or "the answer gives no reason"
