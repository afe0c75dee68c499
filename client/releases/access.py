"""Which service an owner's commands ask, and as whom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from client.accounts.keystore import Owner, unlock
from client.exits import SignedOut
from client.profiles import Profiles
from ocean.chain.development import account


@dataclass(frozen=True, slots=True)
class Access:
    """What a command is told. The rest is taken from the profile, and the password is asked for."""

    url: str | None
    keystore: Path | None
    password_file: Path | None = None
    profile: str | None = None

    def service(self) -> str:
        """Its address, as it was given. Raises Unusable."""
        return self.url if self.url is not None else Profiles().get(self._name()).provider

    def owner(self) -> Owner:
        """The account that asks, with its key. Raises SignedOut, Unusable."""
        if self.keystore is not None:
            return unlock(self.keystore, self.password_file)
        profile = Profiles().get(self._name())
        if profile.keystore is not None:
            return unlock(profile.keystore, self.password_file)
        if profile.development_account is not None:
            owner = account(profile.development_account)
            return Owner(owner.address, bytes(owner.key))
        raise SignedOut(f"profile {self._name()} names no account: --keystore FILE, or c2d login --keystore FILE")

    def _name(self) -> str:
        return self.profile or Profiles().current()
