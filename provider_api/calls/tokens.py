"""Tokens: what a consumer may send in the header `AuthToken` instead of a signature.

    header  {"typ":"JWT","alg":"HS256"}      payload  {"exp":1767225600,"address":"0xf39F…"}      in this order, compact

The form is Ocean Provider's; the same address (as spelled) and expiration always give the same token. Differs from it:
the HMAC key is derived from the provider's key instead of being it, and a token has one spelling. Base64 can spell the
same bytes in several ways, so a token that is not letter for letter what we would make is refused; a deleted one would
come back to life otherwise.

An account that has taken all its tokens out of use has begun a new generation: its tokens say which one they are of,
`{"exp":…,"address":…,"generation":1}`, and those of another are deleted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final, Literal

import jwt

from ocean.addresses import AddressInvalid, canonical
from provider_api.keys import ProviderKeys
from provider_api.storage.nonces import SignedText
from provider_api.storage.revocations import AlreadyRevoked, Revocations

_ALGORITHM: Final = "HS256"
_LONGEST: Final = 256  # characters; ours have about 180
Reason = Literal["expired", "invalid", "deleted"]


class TokenRefused(Exception):
    """The token is not good for this address. The text is Ocean Provider's."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"Token is {reason}.")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Claims:
    address: str  # canonical
    expires_at: int  # Unix seconds
    generation: int


class Tokens:
    def __init__(self, keys: ProviderKeys, revocations: Revocations) -> None:
        self._key = keys.token
        self._revocations = revocations

    async def create(self, address: str, expires_at: int, nonce: str, text: SignedText | None = None) -> str:
        """The token of an address (as spelled) that has proven itself, and uses up its nonce. A deleted one is good
        again. Raises NonceRefused."""
        owner = canonical(address)
        token = encode(address, expires_at, self._key, await self._revocations.generation(owner))
        await self._revocations.remove(_digest(token), owner, nonce, text)
        return token

    async def require(self, token: str, address: str) -> None:
        """Raises TokenRefused unless the token speaks for the canonical address."""
        await self._require_in_use(token, self._read(token, address))

    async def holder(self, token: str) -> Claims:
        """For whom a token speaks that is in use. Raises TokenRefused."""
        claims = decode(token, self._key)
        await self._require_in_use(token, claims)
        return claims

    async def issue(self, address: str, expires_at: int) -> str:
        """A token of an address that has proven itself otherwise than by a nonce. It is not one that was deleted: then
        it ends some seconds earlier."""
        generation = await self._revocations.generation(canonical(address))
        while True:
            token = encode(address, expires_at, self._key, generation)
            if not await self._revocations.contains(_digest(token)):
                return token
            expires_at -= 1

    async def discard(self, token: str) -> None:
        """Take a token out of use whose holder asks for it. Raises TokenRefused."""
        claims = decode(token, self._key)
        try:
            await self._revocations.use_once(_digest(token), claims.expires_at)
        except AlreadyRevoked:
            raise TokenRefused("deleted") from None

    async def _require_in_use(self, token: str, claims: Claims) -> None:
        if claims.generation != await self._revocations.generation(claims.address):
            raise TokenRefused("deleted")
        if await self._revocations.contains(_digest(token)):
            raise TokenRefused("deleted")

    async def delete(self, token: str, address: str, nonce: str, text: SignedText | None = None) -> None:
        """Take the token of a canonical address that has proven itself out of use, and use up its nonce.

        Raises TokenRefused (the nonce stays usable then), NonceRefused.
        """
        claims = self._read(token, address)
        if claims.generation != await self._revocations.generation(address):
            raise TokenRefused("deleted")
        try:
            await self._revocations.add(_digest(token), claims.expires_at, address, nonce, text)
        except AlreadyRevoked:
            raise TokenRefused("deleted") from None

    async def delete_all(self, address: str, nonce: str, text: SignedText | None = None) -> None:
        """The same for all tokens of the address that there are. Raises NonceRefused."""
        await self._revocations.begin_generation(address, nonce, text)

    def _read(self, token: str, address: str) -> Claims:
        claims = decode(token, self._key)
        if claims.address != address:
            raise TokenRefused("invalid")
        return claims


def encode(address: str, expires_at: int, key: bytes, generation: int = 0) -> str:
    payload: dict[str, Any] = {"exp": expires_at, "address": address}
    if generation:
        payload["generation"] = generation
    return jwt.encode(payload, key, algorithm=_ALGORITHM, sort_headers=False)


def decode(token: str, key: bytes) -> Claims:
    """What an unexpired token of ours says. Raises TokenRefused."""
    if len(token) > _LONGEST:
        raise TokenRefused("invalid")
    try:
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=[_ALGORITHM], options={"require": ["exp", "address"]}
        )
        address, expires_at, generation = claims["address"], claims["exp"], claims.get("generation", 0)
        found = Claims(canonical(address), expires_at, generation)
    except jwt.ExpiredSignatureError:
        raise TokenRefused("expired") from None
    except (jwt.InvalidTokenError, AddressInvalid):
        raise TokenRefused("invalid") from None
    if type(expires_at) is not int or type(generation) is not int or generation < 0:
        raise TokenRefused("invalid")
    if token != encode(address, expires_at, key, generation):
        raise TokenRefused("invalid")
    return found


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
