"""`c2d keys`: the keys of a deployment, as files that kustomize and secret stores take. Existing ones are kept.

FOLDER/kustomization.yaml          a component: the Secrets below, and the environments' public halves as patches
FOLDER/announced.yaml              those public halves alone; may be in Git, where secrets come from elsewhere
FOLDER/NAME/FILE                   one Secret each: c2d-environment-ID, c2d-result-store (namespace jobs), c2d-provider (c2d)

Nothing but public halves is printed. The folder ignores itself in Git.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import yaml

from ocean.keys import address_of
from pods.keys import ETHEREUM_KEY_FILE, KeyFileInvalid, encode_key, generate_keys
from pods.store import STORE_FILE, StoreConfig, StoreInvalid
from provider_api.keys import KeyMissing, ProviderKeys, keys_of
from provider_api.machine.folder import RESULTS_IN_POD, write_secret
from workflow_templates import names
from workflow_templates.environment import FOLDER, Environment, EnvironmentInvalid, read_environments

PROVIDER_SECRET: Final = "c2d-provider"  # noqa: S105  (a name)
PROVIDER_FILE: Final = "provider.key"
JOBS, SERVICE = "jobs", "c2d"  # namespaces


def make_keys(
    folder: Path,
    environments: Iterable[Environment],
    *,
    provider_key_file: Path | None = None,
    store_url: str = RESULTS_IN_POD,
    store_options: dict[str, str] | None = None,
) -> dict[str, str]:
    """Make what is missing. Returns what may be told: addresses by whose they are.

    Raises KeyMissing (a provider key that is none), StoreInvalid, OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    provider = _provider_keys(folder, provider_key_file)
    if store_url != RESULTS_IN_POD:  # that folder is there in pods only
        StoreConfig(store_url, store_options or {}, provider.results.public_key).open()
    store = {
        "url": store_url,
        "options": store_options or {},
        "seal_for": encode_key(provider.results.public_key),
    }
    write_secret(folder / names.RESULT_STORE_SECRET / STORE_FILE, json.dumps(store) + "\n")
    told, announced = {"provider": provider.address}, []
    made = {PROVIDER_SECRET: SERVICE, names.RESULT_STORE_SECRET: JOBS}
    for environment in environments:
        name = names.environment_secret(environment.id)
        key_file = folder / name / ETHEREUM_KEY_FILE
        if not key_file.exists():
            write_secret(key_file, "0x" + secrets.token_hex(32) + "\n")
        address = address_of(key_file.read_text().strip())
        public = generate_keys(folder / name, provider.box.public_key)
        announced.append(_announced(environment.id, address, encode_key(public)))
        told[environment.id] = address
        made[name] = JOBS
    (folder / "announced.yaml").write_text(yaml.safe_dump_all(announced, sort_keys=False))
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(_component(folder, made), sort_keys=False))
    return told


def _provider_keys(folder: Path, given: Path | None) -> ProviderKeys:
    path = folder / PROVIDER_SECRET / PROVIDER_FILE
    if given is not None:
        keys = keys_of(given.read_text())
        write_secret(path, keys.private_key + "\n")
        return keys
    if not path.exists():
        write_secret(path, "0x" + secrets.token_hex(32) + "\n")
    return keys_of(path.read_text())


def _announced(environment: str, address: str, public: str) -> dict[str, Any]:
    annotations = {names.CONSUMER_ADDRESS: address, names.BOX_PUBLIC_KEY: public}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {"name": environment, "namespace": JOBS, "annotations": annotations},
    }


def _component(folder: Path, made: dict[str, str]) -> dict[str, Any]:
    """Secrets keep their names: templates refer to them."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "generatorOptions": {"disableNameSuffixHash": True},
        "secretGenerator": [
            {
                "name": name,
                "namespace": namespace,
                "files": sorted(f"{name}/{path.name}" for path in (folder / name).iterdir()),
            }
            for name, namespace in sorted(made.items())
        ],
        "patches": [{"path": "announced.yaml"}],
    }


def keys_command(
    folder: Path, source: Path | None, provider_key_file: Path | None, store_url: str, store_options: Path | None
) -> int:
    """The exit code."""
    try:
        told = make_keys(
            folder,
            read_environments(source or FOLDER),
            provider_key_file=provider_key_file,
            store_url=store_url or RESULTS_IN_POD,
            store_options=None if store_options is None else _options(store_options),
        )
    except (EnvironmentInvalid, KeyMissing, KeyFileInvalid, StoreInvalid, OSError) as problem:
        print(problem, file=sys.stderr)
        return 1
    for whose, address in told.items():
        print(f"{whose}\t{address}")
    print(f"keys are in {folder}; keep a copy of it in a safe place, and out of Git")
    return 0


def _options(path: Path) -> dict[str, str]:
    """Raises StoreInvalid, OSError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise StoreInvalid("the options of the result store are not JSON") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise StoreInvalid("the options of the result store are not a JSON object of texts")
    return found
