"""What can keep the service from starting on a machine, as one clear line each."""

from __future__ import annotations

from pydantic import ValidationError

from contract.keys import KeyFileInvalid
from ocean.chain.anvil import AnvilFailed, AnvilMissing
from ocean.chain.errors import ChainUnavailable
from ocean.chain.network import NetworkMisconfigured
from provider_api.deploy.addresses import AddressUnusable, PortTaken
from provider_api.deploy.children import ChildFailed
from provider_api.deploy.lock import FolderInUse
from provider_api.deploy.pods_publication import PublicationUnset
from provider_api.keys import KeyMissing
from provider_api.settings import PREFIX, UnknownSetting
from provider_api.settings.text import SettingUnreadable, problems
from workflow_templates.environment import EnvironmentInvalid

TROUBLES = (
    AddressUnusable,
    AnvilFailed,
    AnvilMissing,
    ChainUnavailable,
    ChildFailed,
    EnvironmentInvalid,
    FolderInUse,
    KeyFileInvalid,
    KeyMissing,
    NetworkMisconfigured,
    OSError,
    PortTaken,
    PublicationUnset,
    SettingUnreadable,
    UnknownSetting,
    ValidationError,
)


def explain(trouble: BaseException) -> str:
    """One line; for wrong settings the names of the fields, never their values."""
    if isinstance(trouble, ValidationError):
        return "settings: " + problems(trouble, PREFIX)
    if isinstance(trouble, SettingUnreadable):
        return f"settings: {trouble}"
    return str(trouble)
