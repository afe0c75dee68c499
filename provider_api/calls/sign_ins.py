"""People who sign in with a wallet (EIP-4361): the text they are offered, and the token that the signed text is worth.

    nonce = 32 hex digits at random || 8 of the second it expires || 32 of HMAC(key, domain, chain, account, the rest)

So a nonce is ours, for this domain, chain and account, and for some minutes, without a record of it; that it was used
is recorded (`storage.revocations`), and it is good once, whichever process is asked. The text itself is written here
and must come back as it was: what is not in it, nobody signs.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ocean import signing
from ocean.addresses import canonical, checksum
from ocean.keys import personal_digest
from ocean.sign_in import SignIn, SignInInvalid, moment_of, parse_sign_in, time_text
from provider_api.calls.tokens import Tokens
from provider_api.calls.wallets import Wallets
from provider_api.http.errors import Refused
from provider_api.http.origins import origin_of, public_url
from provider_api.keys import ProviderKeys
from provider_api.settings import Settings
from provider_api.storage.revocations import AlreadyRevoked, Revocations

OFFER_SECONDS: Final = 300  # that a text may be signed and sent
SESSION_SECONDS: Final = 12 * 3600  # that somebody stays signed in, or as long as the settings let a token live
STATEMENT: Final = "Sign in to see and manage your Compute-to-Data jobs. This costs nothing and starts nothing."
_MOST_SIGNATURE_BYTES: Final = 4096  # of a contract wallet with several owners
_NONCE: Final = re.compile(r"([0-9a-f]{32})([0-9a-f]{8})([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in. `address`: checksum spelling; `expires_at`: Unix seconds."""

    token: str
    address: str
    expires_at: int


class SignIns:
    """One for the whole service. Every method raises Refused with a sentence for the person who signs in."""

    def __init__(
        self,
        settings: Settings,
        keys: ProviderKeys,
        chain_ids: Sequence[int],
        tokens: Tokens,
        wallets: Wallets,
        revocations: Revocations,
    ) -> None:
        self._public, self._key = settings.server.public_urls, keys.sign_in
        self._seconds = min(SESSION_SECONDS, settings.limits.token_seconds)
        self._chain_ids, self._tokens, self._wallets, self._revocations = chain_ids, tokens, wallets, revocations

    def offer(self, origin: str, address: str, chain_id: int) -> str:
        """The text for an account whose browser is at this origin. `chain_id`: of the wallet; if this service does not
        serve it, the text names one that it serves."""
        found = origin_of(origin)
        place = None if found is None else public_url(found, self._public)
        if found is None or place is None:
            raise Refused(
                "A wallet signs in only at an address that this service knows as its own. Open the page there, let the"
                " operator add this one to C2D_SERVER__PUBLIC_URLS, or paste a token.",
                403,
            )
        chain = chain_id if chain_id in self._chain_ids else self._chain_ids[0]
        now = int(time.time())
        account = checksum(address)
        nonce = self._nonce(secrets.token_hex(16), now + OFFER_SECONDS, found.domain, chain, account)
        return SignIn(
            domain=found.domain,
            address=account,
            uri=place,
            chain_id=chain,
            nonce=nonce,
            issued_at=time_text(now),
            expiration_time=time_text(now + OFFER_SECONDS),
            statement=STATEMENT,
        ).text()

    async def redeem(self, text: str, signature: str) -> Session:
        """For a text that was offered here and is signed now. Raises ChainUnavailable besides, where the account may be
        a contract wallet's."""
        said = self._read(text)
        expires_at = self._require_ours(said)
        if not await self._has_signed(said, text, signature):
            raise Refused(f"The text was not signed by {said.address}. Sign in again with that account.", 403)
        try:
            await self._revocations.use_once(hashlib.sha256(said.nonce.encode()).hexdigest(), expires_at)
        except AlreadyRevoked:
            raise Refused("This signature was used to sign in before. Sign in again to get a new one.", 403) from None
        return await self._session(said.address, int(time.time()) + self._seconds)

    async def exchange(self, token: str) -> Session:
        """For a token that its account has made elsewhere. What comes of it is another token, so that signing out
        leaves that one alone. Raises TokenRefused."""
        claims = await self._tokens.holder(token)
        return await self._session(claims.address, min(claims.expires_at - 1, int(time.time()) + self._seconds))

    async def _session(self, address: str, expires_at: int) -> Session:
        account = checksum(address)
        return Session(await self._tokens.issue(account, expires_at), account, expires_at)

    def _read(self, text: str) -> SignIn:
        try:
            return parse_sign_in(text)
        except SignInInvalid as exc:
            raise Refused(f"This is no text to sign in with: {exc}.") from exc

    def _require_ours(self, said: SignIn) -> int:
        """When it expires, Unix seconds."""
        origins = (origin_of(f"{scheme}://{said.domain}") for scheme in ("https", "http"))
        if said.uri not in (public_url(origin, self._public) for origin in origins if origin is not None):
            raise Refused("The text was signed for another site than this one. Sign in again here.", 403)
        if said.chain_id not in self._chain_ids:
            raise Refused(f"This service does not work with chain {said.chain_id}. Sign in again here.", 403)
        found = _NONCE.fullmatch(said.nonce)
        expires_at = 0 if found is None else int(found[2], 16)
        if found is None or not hmac.compare_digest(
            said.nonce, self._nonce(found[1], expires_at, said.domain, said.chain_id, said.address)
        ):
            raise Refused("The text was not made by this service, or was changed. Sign in again here.", 403)
        stated = moment_of(said.expiration_time or "")
        if stated is None or int(stated.timestamp()) != expires_at or said.statement != STATEMENT:
            raise Refused("The text was not made by this service, or was changed. Sign in again here.", 403)
        if expires_at <= time.time():
            raise Refused("The text was signed too late: it is good for five minutes. Sign in again.", 403)
        return expires_at

    async def _has_signed(self, said: SignIn, text: str, signature: str) -> bool:
        """The account's own key, or its contract on the chain that the text names."""
        raw = signing.signature_bytes(signature)
        if raw is None or len(raw) > _MOST_SIGNATURE_BYTES:
            return False
        digest = personal_digest(text.encode())
        try:
            if signing.recover_signer(digest, signing.parse(signature)) == said.address:
                return True
        except signing.SignatureInvalid:
            pass  # a contract wallet's may have any form
        return await self._wallets.accepts(canonical(said.address), digest, raw, chain_id=said.chain_id)

    def _nonce(self, random: str, expires_at: int, domain: str, chain_id: int, address: str) -> str:
        said = "\n".join((random, str(expires_at), domain, str(chain_id), canonical(address)))
        proof = hmac.new(self._key, said.encode(), hashlib.sha256).hexdigest()[:32]
        return f"{random}{expires_at:08x}{proof}"
