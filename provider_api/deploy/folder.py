"""The data folder of one machine: where things lie, the keys made at the first start, the manifests made from both.

provider.key                     Ethereum key of the provider; everything else of the service is derived from it
argo/secrets/NAME/FILE           what pods may mount as Secrets: environments' keys, where results go
argo/templates/*.yaml            the committed manifests plus the two annotations that belong to this deployment
results/, chain/, argo/, logs/   results of jobs, the development chain's state, the embedded Argo server's, output
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from nacl.public import PublicKey

from argo.local.private import private_folder
from contract import names
from contract.keys import ETHEREUM_KEY_FILE, encode_key, generate_keys
from ocean.keys import address_of
from ocean.kit.atomic import SECRET, replace_file
from pods.publishing.facts import FACTS_FILE, KEY_FILE
from provider_api.deploy.pods_store import RESULTS_IN_POD
from provider_api.keys import ProviderKeys, keys_of
from workflow_templates.parts import Publication
from workflow_templates.publication import add_publication


@dataclass(frozen=True, slots=True)
class DataFolder:
    root: Path

    @property
    def chain(self) -> Path:
        return self.root / "chain"

    @property
    def argo(self) -> Path:
        return self.root / "argo"

    @property
    def templates(self) -> Path:
        return self.argo / "templates"

    @property
    def secrets(self) -> Path:
        return self.argo / "secrets"

    @property
    def results(self) -> Path:
        return self.root / "results"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def provider_key(self) -> Path:
        return self.root / "provider.key"

    def make(self) -> None:
        """The folders, closed to other people of this machine. Pods get at theirs through mounts made for them.

        Raises FolderNotOurs, OSError.
        """
        for path in (self.root, self.chain, self.argo, self.templates, self.secrets, self.logs):
            private_folder(path)
        self.results.mkdir(mode=0o700, parents=True, exist_ok=True)  # its mode is a matter of who writes there

    def provider_keys(self) -> ProviderKeys:
        """The provider's keys, made at the first call. Raises KeyMissing for a spoiled file."""
        return provider_keys(self.provider_key)

    def deploy(
        self,
        manifests: Path,
        service: PublicKey,
        store: dict[str, Any] | None = None,
        publication_chain: int | None = None,
    ) -> list[str]:
        """Write templates and secrets for every environment of the rendered manifests. Returns the environments' ids.

        `store` is what publishing pods read as store.json; None: files on the results volume. `publication_chain`: in
        all environments results may become assets there.
        """
        write_secret(
            self.secrets / names.RESULT_STORE_SECRET / "store.json", json.dumps(store or {"url": RESULTS_IN_POD}) + "\n"
        )
        environments = []
        kept = set()
        for path in sorted(manifests.rglob("*.yaml")):
            documents = [document for document in yaml.safe_load_all(path.read_text()) if document]
            for document in documents:
                if document.get("kind") == "WorkflowTemplate":
                    environment = str(document["metadata"]["name"])
                    self._add_keys(document, environment, service)
                    if publication_chain is not None:
                        _add_publication(document, publication_chain)
                    environments.append(environment)
            target = self.templates / path.relative_to(manifests).as_posix().replace("/", "-")
            _replace(target, yaml.safe_dump_all(documents, sort_keys=False))
            kept.add(target.name)
        for path in self.templates.glob("*.yaml"):
            if path.name not in kept:
                path.unlink()
        return environments

    def write_publication(self, facts: dict[str, Any], key: str) -> None:
        """What publishing pods read of the chain on which results become assets, and the key that pays there."""
        folder = self.secrets / names.PUBLICATION_SECRET
        write_secret(folder / FACTS_FILE, json.dumps(facts) + "\n")
        write_secret(folder / KEY_FILE, key.strip() + "\n")

    def _add_keys(self, manifest: dict[str, Any], environment: str, service: PublicKey) -> None:
        found = environment_keys(self.secrets / names.environment_secret(environment), service)
        manifest["metadata"].setdefault("annotations", {}).update(found)


def _add_publication(manifest: dict[str, Any], chain_id: int) -> None:
    """An environment that names a chain itself keeps it."""
    if names.PUBLICATION_CHAIN not in manifest["metadata"].get("annotations", {}):
        add_publication(manifest, Publication(chain_id=chain_id))


def provider_keys(path: Path) -> ProviderKeys:
    """The provider's keys from its file, which is made if there is none. Raises KeyMissing for a spoiled one."""
    if not path.exists():
        write_secret(path, "0x" + secrets.token_hex(32) + "\n")
    return keys_of(path.read_text())


def environment_keys(folder: Path, service: PublicKey) -> dict[str, str]:
    """Make an environment's keys in a folder, or complete them. Returns the annotations that its template needs."""
    key_file = folder / ETHEREUM_KEY_FILE
    if not key_file.exists():
        write_secret(key_file, "0x" + secrets.token_hex(32) + "\n")
    return {
        names.CONSUMER_ADDRESS: address_of(key_file.read_text().strip()),
        names.BOX_PUBLIC_KEY: encode_key(generate_keys(folder, service)),
    }


def write_secret(path: Path, text: str) -> None:
    """Write a file that only we may read; whoever reads it sees the old text or the new, never a part."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(path, text, mode=SECRET, durable=True)


def _replace(path: Path, text: str) -> None:
    """Leave the file alone where nothing changed: the server reads changed templates anew."""
    if not path.exists() or path.read_text() != text:
        replace_file(path, text)
