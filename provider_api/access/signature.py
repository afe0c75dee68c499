"""Is a request signed by the one it speaks for, with a nonce that is still good?

Errors go into `errors.signature`: a list when no signature came, a plain text when it is wrong. Both texts are the
peer's; its tests compare them.
"""

from __future__ import annotations

from collections.abc import Callable

from ocean import signing
from ocean.addresses import canonical
from provider_api.errors import InvalidRequest
from provider_api.parameters import Input, is_present
from provider_api.storage import nonces

_ABSENT = "Invalid signature provided. Please check the nonce or documentId."
_SHOWN = 300  # characters of a caller's own value in an error


def signature_given(name: str, value: object, given: Input) -> str | None:
    """Rule of the field `signature`."""
    return None if is_present(value) else _ABSENT


def require_fresh(stored: str | None, given: str) -> None:
    """Raises InvalidRequest with the peer's text for a nonce that is not greater than the stored one."""
    try:
        nonces.require_newer(stored, given)
    except nonces.NonceStale as exc:
        raise stale(exc) from None


def stale(exc: nonces.NonceStale) -> InvalidRequest:
    text = f"Invalid signature expected nonce ({exc.stored}) > current nonce ({exc.given})."
    return InvalidRequest({"signature": text})


def require_signer(given: Input, message: Callable[[str], str]) -> str:
    """The canonical address that the request speaks for, proven by its signature.

    `message` builds the signed text for a nonce. Raises InvalidRequest.
    """
    consumer, nonce, signature = given.text("consumerAddress"), given.text("nonce"), given.text("signature")
    signer = reason = ""
    try:
        signer = signing.recover(message(nonce), signature).lower()
    except signing.SignatureInvalid as exc:
        reason = str(exc)
    if signer == canonical(consumer):
        return signer
    text = (
        f"Invalid signature {_spelled(signature)} for ethereum address {consumer[:_SHOWN]}, "
        f"message {message('')[:_SHOWN]} and nonce {nonce}. Got {signer or reason}"
    )
    raise InvalidRequest({"signature": text})


def _spelled(signature: str) -> str:
    """The signature as the peer shows it: hex with v as 0 or 1 where it can be read."""
    text = signature.removeprefix("0x").removeprefix("0X").lower()
    last = {"1b": "00", "1c": "01"}.get(text[128:])
    if len(text) == 130 and last is not None:
        return "0x" + text[:128] + last
    return signature[:_SHOWN]
