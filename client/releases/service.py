"""The calls of a service as an owner of datasets makes them: bounded while they are read, no redirect followed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import httpx

from client.accounts.keystore import Owner
from client.exits import Refused, Trouble, Unreachable, Unusable
from client.text import bounded_object, said_in
from ocean.signing import releases_message, sign
from records.decision import Decision, statement_of
from records.envelope import sign_payload
from records.trust import Trust, statement_of_trust

SECONDS: Final = 20.0  # that the service may be silent
MOST_SECONDS: Final = 120.0  # that one answer may take
MOST_ANSWER_BYTES: Final = 16 << 20
_MOST_NONCE: Final = Decimal(10) ** 300  # the service's own have at most 240 digits
_RELEASES: Final = "/api/v1/releases"
_TRUST: Final = "/api/v1/trust"
_NONCE: Final = "/api/services/nonce"


@dataclass(frozen=True, slots=True)
class Service:
    """The calls of a service as one owner makes them. All of them raise Refused, Unusable and Unreachable."""

    url: str
    owner: Owner
    http: httpx.Client

    def releases(self, history: bool) -> dict[str, Any]:
        return self._send("GET", _RELEASES, self._signed() | ({"history": "true"} if history else {}))

    def release(self, job_id: str) -> dict[str, Any]:
        return self._send("GET", f"{_RELEASES}/{job_id}", self._signed(job_id))

    def decide(self, decision: Decision) -> dict[str, Any]:
        """The signature in the envelope is the authentication: no nonce is needed."""
        body = sign_payload(statement_of(decision).encoded(), self.owner.key).encoded()
        return self._send("PUT", f"{_RELEASES}/{decision.job_id}", {}, body)

    def trust(self, trust: Trust) -> dict[str, Any]:
        """Likewise."""
        body = sign_payload(statement_of_trust(trust).encoded(), self.owner.key).encoded()
        return self._send("PUT", _TRUST, {}, body)

    def file(self, job_id: str, index: int, most: int) -> Iterator[bytes]:
        """The bytes of one file that waits, at most so many."""
        left = most
        with self._answer("GET", f"{_RELEASES}/{job_id}/files/{index}", self._signed(f"{job_id}/{index}/")) as answer:
            for piece in answer.iter_raw():
                left -= len(piece)
                if left < 0:
                    raise Unreachable(f"{self.url} sends more than the {most} bytes that the file has")
                yield piece

    def _signed(self, subject: str = "") -> dict[str, str]:
        """The query of a call that is signed for a job, or for a file of one, with the nonce after the service's."""
        answer = self._send("GET", _NONCE, {"userAddress": self.owner.address})
        try:
            known = Decimal(str(answer.get("nonce")))
        except InvalidOperation:
            known = Decimal(-1)
        if not (known.is_finite() and 0 <= known < _MOST_NONCE):
            raise Unreachable(f"{self.url} does not answer as a provider does: it says no nonce")
        nonce = int(known) + 1
        text = releases_message(self.owner.address, subject, nonce)
        return {
            "consumerAddress": self.owner.address,
            "nonce": str(nonce),
            "signature": sign(text, self.owner.key),
        }

    def _send(self, method: str, path: str, query: Mapping[str, str], content: bytes | None = None) -> dict[str, Any]:
        with self._answer(method, path, query, content) as answer:
            body = self._bounded(answer)
        try:
            return bounded_object(body)
        except ValueError:
            raise Unreachable(f"{self.url} does not answer as a provider does: {path} is no JSON object") from None

    @contextmanager
    def _answer(
        self, method: str, path: str, query: Mapping[str, str], content: bytes | None = None
    ) -> Iterator[httpx.Response]:
        """An answer that is no refusal, whose body is not read yet."""
        headers = {"accept": "application/json", "accept-encoding": "identity"}  # what is compressed has no bound
        if content is not None:
            headers["content-type"] = "application/json"
        try:
            with self.http.stream(
                method, self.url + path, params=dict(query), content=content, headers=headers
            ) as answer:
                if not answer.is_success:
                    raise self._refusal(answer)
                yield answer
        except httpx.HTTPError as exc:
            raise Unreachable(f"{self.url} does not answer: {str(exc) or type(exc).__name__}") from None

    def _refusal(self, answer: httpx.Response) -> Trouble:
        """Raises httpx.HTTPError."""
        if answer.is_redirect:
            return Unusable(
                f"{self.url} answers with a redirect ({answer.status_code}), and none is followed: give the address"
                " that it leads to as --url"
            )
        try:
            body: Any = bounded_object(self._bounded(answer))
        except ValueError:
            body = None
        said = f"{said_in(body)} ({answer.status_code})"
        if answer.is_client_error:
            return Refused(f"the service refuses: {said}")
        wait = answer.headers.get("retry-after", "")
        return Unreachable(f"the service cannot answer: {said}; try again{f' in {wait} seconds' if wait else ' later'}")

    def _bounded(self, answer: httpx.Response) -> bytes:
        """Raises Unreachable while it is read, and httpx.HTTPError."""
        body, end = bytearray(), time.monotonic() + MOST_SECONDS
        for piece in answer.iter_raw():
            body += piece
            if len(body) > MOST_ANSWER_BYTES:
                raise Unreachable(f"{self.url} answers with more than {MOST_ANSWER_BYTES} bytes, which no service does")
            if time.monotonic() > end:
                raise Unreachable(f"{self.url} takes more than {MOST_SECONDS:.0f} seconds for one answer")
        return bytes(body)


def checked_url(given: str) -> str:
    """Raises Unusable. What was given is not repeated: a password may be in it."""
    try:
        url = httpx.URL(given)
        # What a socket would refuse with an error of its own: a host that cannot be looked up, a port too high.
        named = url.host.encode("idna") != b"" and (url.port or 1) < 1 << 16
    except (httpx.InvalidURL, UnicodeError):
        named = False
    if not named or url.scheme not in ("http", "https") or set(given) & set("@?#"):
        raise Unusable(
            "--url is not the address of a service: http:// or https://, a host and perhaps a path are expected,"
            " without user, query and fragment"
        )
    return str(url).rstrip("/")
