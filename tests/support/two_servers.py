"""Two Argo Servers for one service: the free environment on the first, the paid one, without a price, on server 01."""

from __future__ import annotations

from pathlib import Path

from contract import names
from contract.keys import ETHEREUM_KEY_FILE
from provider_api.deploy.folder import DataFolder, write_secret
from provider_api.keys import keys_of
from tests.support.argo_server import ArgoServer
from tests.support.chain import environment as environment_account
from tests.support.chain import provider as provider_account
from tests.support.service import FREE, PAID
from workflow_templates.environment import read_environments
from workflow_templates.render import write


def write_manifests(folder: Path) -> Path:
    """Manifests of both in `first` and `second`; those that the service is started with."""
    free, paid = (next(each for each in read_environments() if each.id == name) for name in (FREE, PAID))
    write(folder / "first", [free])
    write(folder / "second", [paid.model_copy(update={"price_per_minute": "0"})])
    return folder / "first" / "base"


def second_server(folder: Path) -> ArgoServer:
    """Server 01, not yet started. It shares the result store of the service in `service`, as it must."""
    data = DataFolder(folder / "other")
    data.make()
    secret = data.secrets / names.environment_secret(PAID)
    write_secret(secret / ETHEREUM_KEY_FILE, "0x" + bytes(environment_account.key).hex() + "\n")
    data.deploy(folder / "second" / "base", keys_of("0x" + bytes(provider_account.key).hex()).box.public_key)
    results = DataFolder(folder / "service").results
    results.mkdir(mode=0o700, parents=True)
    claim = f"{names.RESULTS_CLAIM}={results}"
    return ArgoServer(data.argo, "--namespace", "jobs", "--templates", str(data.templates), "--claim", claim)
