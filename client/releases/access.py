"""Which service an owner's commands ask, and as whom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from client.accounts.keystore import Owner, unlock
from client.profiles import Profiles
from client.session import owner_of


@dataclass(frozen=True, slots=True)
class Access:
    """Which service is asked, and the keystore of the account that asks. Without a file the password is asked for.
    What is None is the profile's; `profile`: None for the current one."""

    url: str | None = None
    keystore: Path | None = None
    password_file: Path | None = None
    profile: str | None = None

    def found(self) -> tuple[str, Owner]:
        """The service's address, and the account with its key. Raises Unusable, SignedOut."""
        if self.url is not None and self.keystore is not None:
            return self.url, unlock(self.keystore, self.password_file)
        profiles = Profiles()
        name = self.profile or profiles.current()
        profile = profiles.get(name)
        url = self.url or profile.provider
        if self.keystore is not None:
            return url, unlock(self.keystore, self.password_file)
        return url, owner_of(name, profile, self.password_file)
