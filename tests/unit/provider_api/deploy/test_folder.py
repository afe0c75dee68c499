"""The data folder: keys are made once, kept, readable by nobody else; templates get the deployment's annotations."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from contract import names
from contract.keys import decode_public_key, read_key_ring
from ocean.keys import address_of
from provider_api.deploy.folder import DataFolder
from provider_api.keys import KeyMissing
from workflow_templates.render import GITOPS

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.make()
    return folder


def deployed(folder: DataFolder) -> dict[str, dict[str, str]]:
    manifests = (yaml.safe_load(path.read_text()) for path in folder.templates.glob("environments-*.yaml"))
    return {manifest["metadata"]["name"]: manifest["metadata"]["annotations"] for manifest in manifests}


def test_keys_are_made_once(folder: DataFolder) -> None:
    first = folder.provider_keys()
    assert folder.provider_keys().address == first.address
    assert stat.S_IMODE(folder.provider_key.stat().st_mode) == 0o600


def test_a_spoiled_key_is_refused_and_not_replaced(folder: DataFolder) -> None:
    folder.provider_key.write_text("0x1234\n")
    with pytest.raises(KeyMissing) as refusal:
        folder.provider_keys()
    assert "1234" not in str(refusal.value)
    assert folder.provider_key.read_text() == "0x1234\n"


def test_each_environment_gets_its_own_keys_and_keeps_them(folder: DataFolder) -> None:
    service = folder.provider_keys().box.public_key
    environments = folder.deploy(GITOPS / "base", service)
    before = deployed(folder)
    assert sorted(before) == sorted(environments)
    assert len({a[names.CONSUMER_ADDRESS] for a in before.values()}) == len(environments)
    for name, announced in before.items():
        secret = folder.secrets / names.environment_secret(name)
        ring = read_key_ring(secret)
        assert ring.environment_keys[0].public_key == decode_public_key(announced[names.BOX_PUBLIC_KEY])
        assert ring.service_keys == (service,)
        assert address_of((secret / "ethereum.key").read_text().strip()) == announced[names.CONSUMER_ADDRESS]
    folder.deploy(GITOPS / "base", service)
    assert deployed(folder) == before


def test_secrets_are_closed_to_others(folder: DataFolder) -> None:
    folder.deploy(GITOPS / "base", folder.provider_keys().box.public_key)
    assert stat.S_IMODE(folder.secrets.stat().st_mode) == 0o700
    for path in folder.secrets.rglob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_results_may_become_assets_where_a_chain_is_named(folder: DataFolder) -> None:
    service = folder.provider_keys().box.public_key
    folder.deploy(GITOPS / "base", service)
    assert not any(names.PUBLICATION_CHAIN in announced for announced in deployed(folder).values())
    folder.deploy(GITOPS / "base", service, publication_chain=8996)
    assert {announced[names.PUBLICATION_CHAIN] for announced in deployed(folder).values()} == {"8996"}
    folder.write_publication({"chain_id": 8996}, "0x" + "11" * 32)
    secret = folder.secrets / names.PUBLICATION_SECRET
    assert {path.name for path in secret.iterdir()} == {"publication.json", "publisher.key"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret.iterdir()} == {0o600}


def test_a_removed_environment_is_deployed_no_longer(folder: DataFolder, tmp_path: Path) -> None:
    service = folder.provider_keys().box.public_key
    folder.deploy(GITOPS / "base", service)
    empty = tmp_path / "manifests"
    empty.mkdir()
    assert folder.deploy(empty, service) == []
    assert deployed(folder) == {}
