"""Tokens of providers, kept between commands: a file for each profile, for this user only.

A token is no key: it lets who has it see, stop and fetch jobs until it ends, and pays nothing.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from contract.local_service import state_folder
from ocean.kit.atomic import SECRET, replace_file


@dataclass(frozen=True, slots=True)
class Token:
    """`provider`: whose it is; it is shown to nobody else. `expires`: Unix seconds."""

    provider: str
    address: str
    token: str
    expires: int

    def __repr__(self) -> str:
        return f"Token(provider={self.provider!r}, address={self.address!r}, expires={self.expires})"


def kept(profile: str, provider: str) -> Token | None:
    """The token of a profile for that provider, if it has not ended."""
    try:
        found = json.loads(_place(profile).read_text(encoding="utf-8"))
        token = Token(str(found["provider"]), str(found["address"]), str(found["token"]), int(found["expires"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return token if token.provider == provider and token.expires > time.time() + 5 else None


def keep(profile: str, token: Token) -> None:
    """Raises OSError."""
    place = _place(profile)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(place, json.dumps(asdict(token)) + "\n", mode=SECRET)


def forget(profile: str) -> None:
    """Raises OSError."""
    _place(profile).unlink(missing_ok=True)


def _place(profile: str) -> Path:
    return state_folder() / "tokens" / f"{profile}.json"
