"""Who is calling? A request speaks for an address if that address has signed it, or has given it a token, and if its
nonce is greater than any that the address has used before.

Order: the nonce first, and if it is not good nothing else is reported; then the signature if one was sent, even if it
is wrong and a token came too; then the header `AuthToken`. Errors go into `errors.signature`: a list when neither came
or the token is not good, a plain text when nonce or signature are wrong. The texts are the peer's; its tests compare
them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from starlette.requests import Request

from ocean import signing
from ocean.addresses import canonical
from provider_api.errors import InvalidRequest
from provider_api.fields import nonce_number
from provider_api.parameters import Input, is_present
from provider_api.storage import nonces
from provider_api.tokens import TokenRefused, Tokens

Message = Callable[[str], str]  # the text that is signed, for a nonce

_ABSENT = "Invalid signature provided. Please check the nonce or documentId."
_SHOWN = 300  # characters of a caller's own value in an error


def signature_given(name: str, value: object, given: Input) -> str | None:
    """Rule of the field `signature` where a token does not stand for one."""
    return None if is_present(value) else _ABSENT


def signature_or_token(name: str, value: object, given: Input) -> str | None:
    """Rule of the field `signature`."""
    return None if given.token_sent else signature_given(name, value, given)


def token_of(request: Request) -> str:
    """The header `AuthToken`, "" if absent."""
    return request.headers.get("authtoken", "")


@dataclass(frozen=True, slots=True)
class Caller:
    address: str  # canonical
    nonce: str | None  # to be used up; None: the signature covers none


class Callers:
    """All methods raise InvalidRequest. `field` names the parameter with the address that the request speaks for; it
    has passed its format rule, as has the nonce. Addresses that come back are canonical."""

    def __init__(self, known: nonces.Nonces, tokens: Tokens) -> None:
        self._nonces, self._tokens = known, tokens

    async def require(self, request: Request, given: Input, message: Message, field: str = "consumerAddress") -> str:
        """The proven caller, with a nonce that was fresh a moment ago. Nothing is stored."""
        await self._require_fresh(given, field)
        return await self._prove(request, given, message, field)

    async def require_signer(self, given: Input, message: Message, field: str = "consumerAddress") -> str:
        """As `require`, but a token does not do."""
        await self._require_fresh(given, field)
        return prove_signer(given, message, field)

    async def identify(self, request: Request, given: Input, message: Message, field: str = "consumerAddress") -> str:
        """The proven caller of a start, whose nonce is judged with its claim: the identical start may come again."""
        try:
            return await self._prove(request, given, message, field)
        except InvalidRequest:
            await self._require_fresh(given, field)
            raise

    async def require_with_lost_nonce(
        self, request: Request, given: Input, message: Message, *, may_sign_none: bool
    ) -> Caller:
        """As `require`, for clients that do not send the nonce they have signed, or (`may_sign_none`) sign none.

        A client counts on from what it has read here, so the nonce it does not send is known. A nonce that is sent but
        not signed is nobody's word: it is not used up, or a stranger could set it as high as there are numbers.
        """
        stored, sent = await self._nonces.find(canonical(given.text("consumerAddress"))), given.text("nonce")
        if sent:
            require_fresh(stored, sent)
        if is_present(given.get("signature")):
            for nonce in (sent,) if sent else following(stored):
                if (signer := _signer(given, message(nonce), "consumerAddress")) is not None:
                    return Caller(signer, nonce)
            if may_sign_none and (signer := _signer(given, message(""), "consumerAddress")) is not None:
                return Caller(signer, None)
        if not sent:
            raise InvalidRequest({"nonce": ["The nonce field is required."]})
        return Caller(await self._prove(request, given, message, "consumerAddress"), sent)

    async def consume(self, address: str, nonce: str) -> None:
        """Compare and store in one step. After the read-only checks, before the first effect."""
        try:
            await self._nonces.consume(address, nonce)
        except nonces.NonceStale as exc:
            raise stale(exc) from None

    async def use_up(self, caller: Caller) -> None:
        """`consume` for a caller whose signature may cover no nonce."""
        if caller.nonce is not None:
            await self.consume(caller.address, caller.nonce)

    async def _require_fresh(self, given: Input, field: str) -> None:
        require_fresh(await self._nonces.find(canonical(given.text(field))), given.text("nonce"))

    async def _prove(self, request: Request, given: Input, message: Message, field: str) -> str:
        if is_present(given.get("signature")):
            return prove_signer(given, message, field)
        address = canonical(given.text(field))
        try:
            await self._tokens.require(token_of(request), address)
        except TokenRefused as exc:
            wanted = f"a signature, or a token in the header AuthToken that is good for {address}; {exc}"
            raise InvalidRequest({"signature": [_ABSENT]}, {"signature": wanted}) from None
        return address


def require_fresh(stored: str | None, given: str) -> None:
    """Raises InvalidRequest with the peer's text for a nonce that is not greater than the stored one."""
    try:
        nonces.require_newer(stored, given)
    except nonces.NonceStale as exc:
        raise stale(exc) from None


def stale(exc: nonces.NonceStale) -> InvalidRequest:
    text = f"Invalid signature expected nonce ({exc.stored}) > current nonce ({exc.given})."
    return InvalidRequest({"signature": text})


def prove_signer(given: Input, message: Message, field: str = "consumerAddress") -> str:
    """The canonical address that the request speaks for, proven by its signature. Raises InvalidRequest."""
    claimed, nonce, signature = given.text(field), given.text("nonce"), given.text("signature")
    try:
        found = signing.recover(message(nonce), signature).lower()
    except signing.SignatureInvalid as exc:
        found = str(exc)
    if found == canonical(claimed):
        return found
    text = (
        f"Invalid signature {_spelled(signature)} for ethereum address {claimed[:_SHOWN]}, "
        f"message {message('')[:_SHOWN]} and nonce {nonce}. Got {found}"
    )
    raise InvalidRequest({"signature": text})


def _signer(given: Input, signed: str, field: str) -> str | None:
    """The canonical address that the request speaks for, if it has signed this text."""
    claimed = canonical(given.text(field))
    try:
        return claimed if signing.recover(signed, given.text("signature")).lower() == claimed else None
    except signing.SignatureInvalid:
        return None


def following(stored: str | None) -> Sequence[str]:
    """The nonces that ocean.js may count on to from the stored one: `Number(stored) + 1` as JavaScript prints it, or,
    up to 3.1.3, the text with a "1" behind. Only those that are a nonce, and newer."""
    shown = "1" if stored is None else stored
    added = format(Decimal(repr(float(shown) + 1)), "f").removesuffix(".0")
    return [
        nonce
        for nonce in (added, f"{shown}1")
        if nonce_number("nonce", nonce, Input({})) is None
        and (stored is None or nonces.number_of(nonce) > nonces.number_of(stored))
    ]


def _spelled(signature: str) -> str:
    """The signature as the peer shows it: hex with v as 0 or 1 where it can be read."""
    text = signature.removeprefix("0x").removeprefix("0X").lower()
    last = {"1b": "00", "1c": "01"}.get(text[128:])
    if len(text) == 130 and last is not None:
        return "0x" + text[:128] + last
    return signature[:_SHOWN]
