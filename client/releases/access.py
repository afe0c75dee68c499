"""Which service an owner's commands ask, and as whom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Access:
    """Which service is asked, and the keystore of the account that asks. Without a file the password is asked for."""

    url: str
    keystore: Path
    password_file: Path | None = None
