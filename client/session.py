"""One command's connection: the provider as an account meets it, and the chain, both opened when they are needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from client.accounts.tokens import kept
from client.accounts.turns import turn
from client.exits import Refused, SignedOut, Unreachable, Unusable
from client.profiles import Profile, Profiles, local_service
from client.provider import Provider
from contract.local_service import LocalService
from ocean.client import AnswerUnusable, bounded, checked, json_of
from ocean.ddo import DDO, DDOMalformed, Metadata
from ocean.did import is_did

if TYPE_CHECKING:  # what takes long to load is loaded where it is needed
    from client.accounts.keystore import Owner
    from ocean.chain.network import Network

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Given:
    """What every command may be told: which profile, and where the password of its keystore is."""

    profile: str | None = None
    as_json: bool = False
    password_file: Path | None = None


@dataclass
class Session:
    """`name`: of the profile. `local`: what a service on this machine has told about itself."""

    name: str
    profile: Profile
    given: Given
    consumer: Provider
    local: LocalService | None
    _network: Network | None = field(default=None, repr=False)
    _key: str | None = field(default=None, repr=False)
    _http: httpx.AsyncClient | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """Of the account. Raises SignedOut."""
        if not self.consumer.address:
            raise SignedOut(
                f"profile {self.name} has no account: c2d login --keystore FILE, or c2d profile set {self.name}"
                " --account keystore:FILE"
            )
        return self.consumer.address

    def key(self) -> str:
        """The account's key, whose password is asked for once. Raises SignedOut, Unusable."""
        if self._key is None:
            self._key = "0x" + owner_of(self.name, self.profile, self.given.password_file).key.hex()
            self.consumer.sign_with(self._key)
        return self._key

    async def turn(self) -> AbstractAsyncContextManager[None]:
        """The time in which this account sends transactions, and no other command of it. Raises Unusable, OSError."""
        return turn(await self.chain_id(), self.address)

    def sign_in(self) -> None:
        """Be able to make calls that must be signed: with the token of before, else with the key. Raises as `key`."""
        if self.consumer.token is None:
            self.key()

    def signs_quietly(self) -> bool:
        """Be able to make calls that must be signed, if that takes no question; whether it is so."""
        if self.profile.development_account is not None:
            self.key()
        return self.consumer.token is not None or self._key is not None

    async def chain_id(self) -> int:
        """Raises Unusable where the provider serves several chains and the profile names none."""
        if self.profile.chain_id is not None:
            return self.profile.chain_id
        named = (await self.consumer.root()).get("providerAddresses") or {}
        if len(named) == 1 and next(iter(named)).isdecimal():
            return int(next(iter(named)))
        raise Unusable(
            f"the provider serves the chains {', '.join(named)}: say which one with c2d profile set {self.name}"
            " --chain-id NUMBER"
        )

    async def network(self) -> Network:
        """The chain, for what is bought or published. Raises Unusable, ChainUnavailable, NetworkMisconfigured."""
        if self._network is None:
            url = self.profile.chain or (self.local.chain_url if self.local else "")
            if not url:
                raise Unusable(
                    f"profile {self.name} names no node of the chain: c2d profile set {self.name} --chain URL"
                    + ("; c2d serve does not run on this machine" if self.name == "local" else "")
                )
            from ocean.chain.network import Network

            self._network = await Network.open(url, self._contracts(), await self.chain_id())
        return self._network

    def _contracts(self) -> Mapping[str, Any] | Path:
        named = self.profile.contracts
        if isinstance(named, Path):
            return named.expanduser()
        if named is not None:
            return named.model_dump(exclude_none=True)
        if self.local is not None and self.local.address_file:
            return Path(self.local.address_file)
        from ocean.chain.network import distributed_addresses

        return distributed_addresses()

    async def addition(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of a call that this project's service has and Ocean Provider has not; None where there is none.
        Raises ConsumerError, httpx.TransportError."""
        answer = await bounded(self._client(), method, self.profile.provider.rstrip("/") + path, **options)
        if answer.status_code in (404, 405):
            return None
        return json_of(checked(answer))

    async def asset(self, given: str) -> DDO:
        """The document of an asset, by its DID, or by its name if only one has it. Raises Refused, Unreachable."""
        if is_did(given):
            found = await self._store("GET", f"/api/aquarius/assets/ddo/{quote(given)}", missing=f"no asset {given}")
        else:
            found = await self._named(given)
        try:
            asset = DDO.parse(found)
        except DDOMalformed as exc:
            raise Unreachable(f"the metadata store's document of {given} cannot be used: {exc}") from None
        if is_did(given) and asset.id.lower() != given.lower():
            raise Unreachable(f"the metadata store was asked for {given} and answers with {asset.id}")
        return asset

    async def _named(self, name: str) -> Any:
        query = {"query": {"bool": {"filter": [{"match": {"metadata.name": {"query": name, "operator": "and"}}}]}}}
        answer = await self._store("POST", "/api/aquarius/assets/query", {**query, "size": 50})
        try:
            hits = [dict(hit["_source"]) for hit in answer["hits"]["hits"]]
            exact = [hit for hit in hits if hit.get("metadata", {}).get("name") == name]
        except (LookupError, TypeError, ValueError, AttributeError):
            raise Unreachable("the metadata store does not answer a search as Aquarius does") from None
        if len(exact) == 1:
            return exact[0]
        if not exact:
            raise Refused(f"no asset is called {name!r}, and it is no DID (did:op: and 64 digits)")
        raise Refused(f"{len(exact)} assets are called {name!r}: {', '.join(str(hit.get('id')) for hit in exact)}")

    async def _store(self, method: str, path: str, body: Any = None, missing: str = "") -> Any:
        """Raises Refused, Unreachable."""
        url = (self.profile.metadata or self.profile.provider).rstrip("/")
        try:
            answer = await bounded(self._client(), method, url + path, json=body)
        except (httpx.TransportError, AnswerUnusable) as exc:
            raise Unreachable(f"the metadata store {url} does not answer: {str(exc) or type(exc).__name__}") from None
        if answer.status_code == 404 and missing:
            raise Refused(f"{missing} is known to {url}")
        if not answer.is_success:
            raise Unreachable(f"the metadata store {url} answers {answer.status_code}")
        try:
            return json_of(answer)
        except AnswerUnusable:
            raise Unreachable(f"{url} does not answer as a metadata store does") from None

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = httpx.AsyncClient(timeout=_SECONDS, trust_env=False)
        return self._http

    async def close(self) -> None:
        await self.consumer.close()
        if self._http is not None:
            await self._http.aclose()
        if self._network is not None:
            await self._network.close()


def owner_of(name: str, profile: Profile, password_file: Path | None, *, ask: bool = True) -> Owner:
    """The account of a profile, with its key. `ask`: the password, where it is not known otherwise. Raises SignedOut,
    Unusable."""
    from client.accounts.keystore import Owner, unlock

    number, keystore = profile.development_account, profile.keystore
    if number is not None:
        from ocean.chain.development_accounts import account

        known = account(number)
        return Owner(str(known.address), bytes(known.key))
    if keystore is not None:
        return unlock(keystore, password_file, ask=ask)
    raise SignedOut(
        f"this needs the key of the account, and profile {name} names no keystore: c2d login --keystore FILE"
    )


def said_of(asset: DDO) -> Metadata:
    """What a document says of its asset; a document without it says nothing."""
    return asset.metadata or Metadata()


@asynccontextmanager
async def opened(given: Given) -> AsyncIterator[Session]:
    """The session of a command. Raises Unusable."""
    profiles = Profiles()
    name = given.profile or profiles.current()
    profile = profiles.get(name)
    token = kept(name, profile.provider)
    consumer = Provider(
        profile.provider,
        None,
        address=token.address if token else _address(profile),
        token=token.token if token else None,
        timeout_seconds=_SECONDS,
    )
    session = Session(name, profile, given, consumer, local_service(profile))
    try:
        yield session
    finally:
        await session.close()


def _address(profile: Profile) -> str:
    """What can be told without a password; "" for nobody."""
    number, keystore = profile.development_account, profile.keystore
    if number is not None:
        from ocean.chain.development_accounts import account

        return str(account(number).address)
    if keystore is not None:
        from client.accounts.keystore import address_in

        return address_in(keystore) or ""
    return ""
