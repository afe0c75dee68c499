"""What can be wrong with a call to a stranger's address. No error shows a URL, a host, a header or a body."""

from __future__ import annotations

from typing import Literal

RefusalReason = Literal[
    "scheme",  # neither http nor https
    "url",  # cannot be read as a URL
    "host",  # a number in disguise, or no name at all
    "userinfo",  # a redirect that carries credentials
    "headers",  # header fields that cannot be sent
    "address",  # the name has an address that is not public and not allowed
    "forbidden",  # a port of our own
]
FailureReason = Literal[
    "name",  # the name does not resolve
    "connection",  # cannot connect, or the connection broke
    "tls",  # no trusted connection
    "timeout",
    "redirects",  # too many, or one without a target
    "status",  # the server answered with an error, see `status`
    "too_large",
    "incomplete",  # fewer or more bytes than announced
    "range",  # the server answered a resumption with another part
    "encoding",  # a compression that nobody asked for
    "protocol",  # not HTTP
    "key",  # the request must be signed, and there is no key to sign with
    "busy",  # as many calls as there may be are under way, in all or to this host
    "nonce",  # others who sign with the same key were faster, again and again
]


class OutgoingError(Exception):
    """A call to a stranger's address did not succeed."""


class OutgoingRefused(OutgoingError):
    """We do not make this call, now or later."""

    def __init__(self, reason: RefusalReason) -> None:
        super().__init__(f"outgoing request refused: {reason}")
        self.reason = reason


class OutgoingFailed(OutgoingError):
    """The call was made and failed. `retriable`: another attempt may succeed; `status`: the HTTP status, if any;
    `retry_after_seconds`: what the server asks for, if it does; `content`: the beginning of its answer, for those who
    asked for that. It is a stranger's text and not shown."""

    def __init__(
        self,
        reason: FailureReason,
        *,
        retriable: bool,
        status: int | None = None,
        retry_after_seconds: int | None = None,
        content: bytes = b"",
    ) -> None:
        super().__init__(f"outgoing request failed: {reason}" + (f" {status}" if status else ""))
        self.reason = reason
        self.retriable = retriable
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.content = content
