"""Who is calling? A request speaks for an address if that address has signed it, or has given it a token, and if its
nonce is greater than any that the address has used before.

Order: the nonce first, and if it is not good nothing else is reported; then the signature if one was sent, even if it
is wrong and a token came too; then the header `AuthToken`. A signature is that of a key over the plain text of the call
or over its typed form, or one that a contract wallet takes for its own.

Errors go into `errors.signature`: a list when neither came or the token is not good, a plain text when nonce or
signature are wrong. The texts are Ocean Provider's; its tests compare them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ocean import signing
from ocean.addresses import canonical
from ocean.typed_calls import typed_digest
from provider_api.calls.fields import is_nonce
from provider_api.calls.parameters import Call, is_present, plain
from provider_api.calls.signed_text import remembered
from provider_api.calls.tokens import TokenRefused, Tokens
from provider_api.calls.wallets import Wallets
from provider_api.http.errors import InvalidRequest
from provider_api.settings import TypedSignatures
from provider_api.storage import nonces
from provider_api.storage.nonces import SignedText

Message = Callable[[str], str]  # the text that is signed, for a nonce

_TYPED_WANTED = (
    "Invalid signature: for this call the provider asks for one of the typed form (EIP-712), which names provider,"
    " call and parameters."
)
_ABSENT = "Invalid signature provided. Please check the nonce or documentId."
_SHOWN = 300  # characters of a caller's own value in an error


def signature_given(name: str, value: object, call: Call) -> str | None:
    """Rule of the field `signature` where a token does not stand for one."""
    return None if is_present(value) else _ABSENT


def signature_or_token(name: str, value: object, call: Call) -> str | None:
    """Rule of the field `signature`."""
    return None if call.token else signature_given(name, value, call)


@dataclass(frozen=True, slots=True)
class Caller:
    address: str  # canonical
    nonce: str | None  # to be used up; None: the signature covers none
    text: SignedText | None = None  # what was signed, where it could be read as another request


@dataclass(frozen=True, slots=True)
class Signed:
    """What the caller of a call signs: a text for each nonce. A contract wallet is asked whether it has signed it, on
    the chain of `chain_id` or those of `dids` (assets), where the call is about one; else on every chain."""

    message: Message
    by: str = "consumerAddress"  # parameter with the address that the call speaks for
    dids: tuple[str, ...] = ()
    chain_id: int = 0


class Callers:
    """All methods raise InvalidRequest; ChainUnavailable where a signature may be that of a contract wallet. Address
    and nonce of a call have passed the rules of their format. Addresses that come back are canonical."""

    def __init__(
        self, known: nonces.Nonces, tokens: Tokens, wallets: Wallets, provider: str, typed: TypedSignatures
    ) -> None:
        self._nonces, self._tokens, self._wallets = known, tokens, wallets
        self._provider, self._typed = provider, typed

    async def require(self, call: Call, signed: Signed) -> Caller:
        """The proven caller, with a nonce that was fresh a moment ago. Nothing is stored."""
        await self._require_fresh(call, signed)
        return await self._prove(call, signed)

    async def require_viewer(self, call: Call, signed: Signed) -> Caller:
        """As `require`, for calls that only show something, which a page repeats by itself: a token is enough there,
        without an address and a nonce, and none is used up."""
        if is_present(call.get("signature")):
            return await self.require(call, signed)
        claimed = call.text(signed.by)
        try:
            address = (await self._tokens.holder(call.token)).address
        except TokenRefused as exc:
            raise InvalidRequest({"signature": [_ABSENT]}, {"signature": f"a signature, or a token; {exc}"}) from None
        if claimed and canonical(claimed) != address:
            wanted = f"a signature of {canonical(claimed)}, or a token that is good for it"
            raise InvalidRequest({"signature": [_ABSENT]}, {"signature": wanted})
        return Caller(address, None)

    async def require_signer(self, call: Call, signed: Signed) -> Caller:
        """As `require`, but a token does not do. For calls about tokens."""
        await self._require_fresh(call, signed)
        return await self._signer(call, signed, typed_only=self._typed != "accepted")

    async def identify(self, call: Call, signed: Signed) -> Caller:
        """The proven caller of a start, whose nonce is judged with its claim: the identical start may come again."""
        try:
            return await self._prove(call, signed)
        except InvalidRequest:
            await self._require_fresh(call, signed)
            raise

    async def require_with_lost_nonce(self, call: Call, signed: Signed, *, may_sign_none: bool) -> Caller:
        """As `require`, for clients that do not send the nonce they have signed, or (`may_sign_none`) sign none.

        A client counts on from what it has read here, so the nonce it does not send is known. A nonce that is sent but
        not signed is nobody's word: it is not used up, or a stranger could set it as high as there are numbers.
        """
        claimed, sent = canonical(call.text(signed.by)), call.text("nonce")
        stored = await self._nonces.find(claimed)
        if sent:
            require_fresh(stored, sent)
        if is_present(call.get("signature")) and self._typed != "demanded":
            for nonce in (sent,) if sent else following(stored):
                if _judged(claimed, text := signed.message(nonce), call.text("signature"))[0]:
                    return Caller(claimed, nonce, remembered(text, nonce))
            if may_sign_none and _judged(claimed, signed.message(""), call.text("signature"))[0]:
                return Caller(claimed, None)
        if not sent:
            raise InvalidRequest({"nonce": ["The nonce field is required."]})
        return await self._prove(call, signed)

    async def use_up(self, caller: Caller) -> None:
        """Compare and store the nonce in one step. After the read-only checks, before the first effect. Nothing where
        the signature covers no nonce."""
        if caller.nonce is None:
            return
        try:
            await self._nonces.consume(caller.address, caller.nonce, caller.text)
        except nonces.NonceRefused as exc:
            raise stale(exc) from None

    async def _require_fresh(self, call: Call, signed: Signed) -> None:
        require_fresh(await self._nonces.find(canonical(call.text(signed.by))), call.text("nonce"))

    async def _prove(self, call: Call, signed: Signed) -> Caller:
        if is_present(call.get("signature")):
            return await self._signer(call, signed, typed_only=self._typed == "demanded")
        address = canonical(call.text(signed.by))
        try:
            await self._tokens.require(call.token, address)
        except TokenRefused as exc:
            wanted = f"a signature, or a token in the header AuthToken that is good for {address}; {exc}"
            raise InvalidRequest({"signature": [_ABSENT]}, {"signature": wanted}) from None
        return Caller(address, call.text("nonce"))

    async def _signer(self, call: Call, signed: Signed, *, typed_only: bool) -> Caller:
        claimed, nonce = canonical(call.text(signed.by)), call.text("nonce")
        text = signed.message(nonce)
        plain_good, plain_found = _judged(claimed, text, call.text("signature"))
        if plain_good and not typed_only:
            return Caller(claimed, nonce, remembered(text, nonce))
        if await self._has_signed_otherwise(call, signed, None if typed_only else text):
            return Caller(claimed, nonce, None if typed_only else remembered(text, nonce))
        raise InvalidRequest({"signature": _TYPED_WANTED if plain_good else _refusal(call, signed, plain_found)})

    async def _has_signed_otherwise(self, call: Call, signed: Signed, text: str | None) -> bool:
        """The typed form, by a key or a contract wallet; or the text, by a contract wallet."""
        claimed, raw = canonical(call.text(signed.by)), signing.signature_bytes(call.text("signature"))
        if raw is None:
            return False
        try:
            digests = [self._typed_digest(call, signed), *([] if text is None else [signing.digest(text)])]
        except UnicodeEncodeError:
            return False
        try:
            if signing.recover_signer(digests[0], signing.parse(call.text("signature"))).lower() == claimed:
                return True
        except signing.SignatureInvalid:
            pass  # a contract wallet's may have any form
        for digest in digests:
            if await self._wallets.accepts(claimed, digest, raw, dids=signed.dids, chain_id=signed.chain_id):
                return True
        return False

    def _typed_digest(self, call: Call, signed: Signed) -> bytes:
        left_out = ("signature", "nonce", signed.by)
        parameters = {
            name: plain(value) if isinstance(value, dict | list) else value
            for name, value in call.values.items()
            if name not in left_out
        }
        return typed_digest(self._provider, canonical(call.text(signed.by)), call.route, parameters, call.text("nonce"))


def require_fresh(stored: str | None, given: str) -> None:
    """Raises InvalidRequest, with Ocean Provider's text for a nonce that is not greater than the stored one."""
    try:
        nonces.require_newer(stored, given)
    except nonces.NonceRefused as exc:
        raise stale(exc) from None


def stale(exc: nonces.NonceRefused) -> InvalidRequest:
    between = "" if isinstance(exc, nonces.NonceStale) else ": "
    return InvalidRequest({"signature": f"Invalid signature{between or ' '}{exc}"})


def _judged(claimed: str, text: str, signature: str) -> tuple[bool, str]:
    """Whether the canonical address has signed the text with a key, and who has, or why nobody."""
    try:
        found = signing.recover(text, signature).lower()
    except signing.SignatureInvalid as exc:
        return False, str(exc)
    return found == claimed, found


def _refusal(call: Call, signed: Signed, found: str) -> str:
    claimed, nonce, signature = call.text(signed.by), call.text("nonce"), call.text("signature")
    return (
        f"Invalid signature {_spelled(signature)} for ethereum address {claimed[:_SHOWN]}, "
        f"message {signed.message('')[:_SHOWN]} and nonce {nonce}. Got {found}"
    )


def following(stored: str | None) -> Sequence[str]:
    """The nonces that ocean.js may count on to from the stored one: `Number(stored) + 1` as JavaScript prints it, or,
    up to 3.1.3 where it was told a text, that with a "1" behind. Only those that are a nonce, and newer."""
    shown = "1" if stored is None else stored
    return [
        nonce
        for nonce in (javascript(float(shown) + 1), f"{shown}1")
        if is_nonce(nonce) and (stored is None or nonces.number_of(nonce) > nonces.number_of(stored))
    ]


def javascript(number: float) -> str:
    """As JavaScript prints it: with an exponent from 22 digits on."""
    return repr(number) if number >= 1e21 else format(Decimal(repr(number)), "f").removesuffix(".0")


def _spelled(signature: str) -> str:
    """The signature as Ocean Provider shows it: hex with v as 0 or 1 where it can be read."""
    text = signature.removeprefix("0x").removeprefix("0X").lower()
    last = {"1b": "00", "1c": "01"}.get(text[128:])
    if len(text) == 130 and last is not None:
        return "0x" + text[:128] + last
    return signature[:_SHOWN]
