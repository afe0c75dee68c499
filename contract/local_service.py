"""What `c2d serve` tells other commands of the same user about itself, in a file that is there as long as it runs.

It lies in the user's state folder (XDG_STATE_HOME), one for each address: a consumer's command that talks to a service
on this machine finds the development chain, its contracts and the folder of published files there.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ocean.kit.atomic import SECRET, replace_file


@dataclass(frozen=True, slots=True)
class LocalService:
    """`url`: of the API. `chain_url`: a node of its chain. `address_file`: Ocean's address file of that chain; "" where
    the chain is not of this machine. `shelf`: folder whose files are served below `shelf_url`; "" without one."""

    url: str
    chain_url: str
    address_file: str
    shelf: str
    shelf_url: str


def state_folder() -> Path:
    """The user's folder of state of this project; it need not be there yet."""
    given = os.environ.get("XDG_STATE_HOME", "")
    return (Path(given) if given else Path.home() / ".local" / "state") / "compute-to-data"


def announce(service: LocalService) -> Path:
    """Write the file, for this user only. Raises OSError."""
    place = _place(service.url)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(place, json.dumps(asdict(service), indent=2) + "\n", mode=SECRET)
    return place


def announced(url: str) -> LocalService | None:
    """What the service at that address has told; None if it runs elsewhere, as another user, or not at all."""
    try:
        found = json.loads(_place(url).read_text(encoding="utf-8"))
        return LocalService(**{name: str(found[name]) for name in LocalService.__slots__})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _place(url: str) -> Path:
    """Raises ValueError for an address without a sensible port."""
    return state_folder() / "services" / f"{urlsplit(url).port or 80}.json"
