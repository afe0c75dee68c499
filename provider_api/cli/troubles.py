"""What can keep the service from starting on a machine, as one clear line each."""

from __future__ import annotations

from pydantic import ValidationError

from ocean.chain.anvil import AnvilFailed, AnvilMissing
from ocean.chain.errors import ChainUnavailable
from ocean.chain.network import NetworkMisconfigured
from pods.keys import KeyFileInvalid
from provider_api.keys import KeyMissing
from provider_api.machine.addresses import AddressUnusable, PortTaken
from provider_api.machine.children import ChildFailed
from provider_api.pods_publication import PublicationUnset
from provider_api.settings import UnknownSetting

TROUBLES = (
    AddressUnusable,
    AnvilFailed,
    AnvilMissing,
    ChainUnavailable,
    ChildFailed,
    KeyFileInvalid,
    KeyMissing,
    NetworkMisconfigured,
    OSError,
    PortTaken,
    PublicationUnset,
    UnknownSetting,
    ValidationError,
)


def explain(trouble: BaseException) -> str:
    """One line; for wrong settings the names of the fields, never their values."""
    if isinstance(trouble, ValidationError):
        problems = (f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in trouble.errors())
        return "settings: " + "; ".join(problems)
    return str(trouble)
