"""Profiles: which service, chain and account a command is for. TOML, in the user's configuration folder.

    current = "work"

    [profiles.work]
    provider = "https://provider.example.org"
    account = "keystore:/home/ada/ada.json"

Names that stand in no file are presets: `local` is the service that `c2d serve` runs on this machine, with an
account of its development chain, whose key everybody knows.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from client.exits import Unusable
from contract.local_service import LocalService, announced
from ocean.kit.atomic import SECRET, replace_file

LOCAL: Final = "local"
KEYSTORE, DEVELOPMENT = "keystore:", "development:"
_ADDRESS = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]
_URL = Annotated[str, StringConstraints(pattern=r"^https?://[^\s@?#]+$")]
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


class Contracts(BaseModel):
    """Ocean's contracts on a chain, by the names of its address file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ERC721Factory: _ADDRESS
    Ocean: _ADDRESS
    FixedPrice: _ADDRESS | None = None
    Dispenser: _ADDRESS | None = None


class Profile(BaseModel):
    """What commands need to know.

    `metadata`: a metadata store (Aquarius); "" for the provider's own. `chain`: a node of the chain; "" where nothing
    is bought or published. `chain_id`: needed where a provider serves several chains. `contracts`: their addresses, or
    a file in the form of Ocean's address file; None for the addresses that come with ocean-contracts. `account`:
    `keystore:` and a file, `development:` and the number of an account of the development chain, or "" for none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: _URL
    metadata: _URL | Literal[""] = ""
    chain: _URL | Literal[""] = ""
    chain_id: int | None = None
    contracts: Contracts | Path | None = None
    account: Annotated[str, StringConstraints(pattern=r"^(keystore:.+|development:[0-9]{1,4}|)$")] = ""

    @property
    def keystore(self) -> Path | None:
        """The keystore's file, if the account is in one."""
        return Path(self.account.removeprefix(KEYSTORE)).expanduser() if self.account.startswith(KEYSTORE) else None

    @property
    def development_account(self) -> int | None:
        number = self.account.removeprefix(DEVELOPMENT)
        return int(number) if self.account.startswith(DEVELOPMENT) else None


_PONTUS_X_STORE: Final = "https://aquarius.pontus-x.eu"
PRESETS: Final = {
    LOCAL: Profile(provider="http://127.0.0.1:8030", account=f"{DEVELOPMENT}2"),
    "pontus-x-test": Profile(
        provider="https://provider.test.pontus-x.eu",
        metadata=_PONTUS_X_STORE,
        chain="https://rpc.test.pontus-x.eu",
        chain_id=32457,
        contracts=Contracts(
            ERC721Factory="0x2C4d542ff791890D9290Eec89C9348A4891A6Fd2",
            Ocean="0x5B190F9E2E721f8c811E4d584383E3d57b865C69",
            FixedPrice="0xcE0F39abB6DA2aE4d072DA78FA0A711cBB62764E",
            Dispenser="0xaB5B68F88Bc881CAA427007559E9bbF8818026dE",
        ),
    ),
    "pontus-x-dev": Profile(
        provider="https://provider.dev.pontus-x.eu",
        metadata=_PONTUS_X_STORE,
        chain="https://rpc.dev.pontus-x.eu",
        chain_id=32456,
        contracts=Contracts(
            ERC721Factory="0xFdC4a5DEaCDfc6D82F66e894539461a269900E13",
            Ocean="0xdF171F74a8d3f4e2A789A566Dce9Fa4945196112",
            FixedPrice="0x8372715D834d286c9aECE1AcD51Da5755B32D505",
            Dispenser="0x5461b629E01f72E0A468931A36e039Eea394f9eA",
        ),
    ),
}


class Profiles:
    """The profiles of a user. All methods raise Unusable: a file that cannot be read, a name that is not there."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or configuration_folder() / "profiles.toml"

    def current(self) -> str:
        """The name of the one that commands take where they are not told another one."""
        found = self._read().get("current", LOCAL)
        return found if isinstance(found, str) else LOCAL

    def names(self) -> list[str]:
        return sorted({*PRESETS, *self._own()})

    def get(self, name: str) -> Profile:
        own = self._own()
        if name in own:
            try:
                return Profile.model_validate(own[name])
            except ValidationError as exc:
                raise Unusable(f"profile {name} in {self.file}: {_first(exc)}") from None
        if name in PRESETS:
            return PRESETS[name]
        raise Unusable(f"there is no profile {name}; there are {', '.join(self.names())}")

    def set(self, name: str, **changes: Any) -> Profile:
        """Change some fields of a profile, or make it; what it is then."""
        if not _NAME.fullmatch(name):
            raise Unusable(f"{name!r} cannot be a profile's name: letters, digits, and . _ - in between")
        try:
            before = self.get(name).model_dump() if name in self.names() else {}
            profile = Profile.model_validate(before | changes)
        except ValidationError as exc:
            raise Unusable(f"profile {name}: {_first(exc)}") from None
        self._write(self._read() | {"profiles": {**self._own(), name: _stored(profile)}})
        return profile

    def use(self, name: str) -> None:
        self.get(name)
        self._write(self._read() | {"current": name})

    def remove(self, name: str) -> None:
        own = self._own()
        if name not in own:
            raise Unusable(f"{name} is a preset" if name in PRESETS else f"there is no profile {name}")
        document = self._read() | {"profiles": {key: value for key, value in own.items() if key != name}}
        if document.get("current") == name:
            del document["current"]
        self._write(document)

    def _own(self) -> dict[str, Any]:
        found = self._read().get("profiles", {})
        return found if isinstance(found, dict) else {}

    def _read(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as exc:  # TOMLDecodeError is a ValueError
            raise Unusable(f"{self.file} cannot be read: {exc}") from None

    def _write(self, document: dict[str, Any]) -> None:
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(self.file, tomli_w.dumps(document), mode=SECRET)
        except OSError as exc:
            raise Unusable(f"{self.file} cannot be written: {exc.strerror}") from None


def local_service(profile: Profile) -> LocalService | None:
    """What a service on this machine has told about itself, if the profile is for it."""
    host = profile.provider.partition("://")[2].partition("/")[0].rpartition(":")[0]
    return announced(profile.provider) if host in ("127.0.0.1", "localhost", "[::1]") else None


def configuration_folder() -> Path:
    given = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(given) if given else Path.home() / ".config") / "compute-to-data"


def _stored(profile: Profile) -> dict[str, Any]:
    """Only what is not a default; TOML has no null."""
    return profile.model_dump(mode="json", exclude_defaults=True, exclude_none=True)


def _first(problem: ValidationError) -> str:
    error = problem.errors()[0]
    return f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"
