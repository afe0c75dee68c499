"""`c2d admin keys`: the keys that a deployment in a cluster needs, as files that become Secrets.

FOLDER/c2d/c2d-provider/provider.key                    the provider's Ethereum key; a file that is there is kept
FOLDER/jobs/c2d-environment-ID/…                        per environment, what its configuration pods mount

Namespace, Secret, file: `kubectl create secret generic --from-file` takes each folder as it is. The folder is the only
copy of these keys until they are in the cluster, and should not lie where the manifests lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import typer
import yaml

from contract import names
from provider_api.deploy.folder import environment_keys, provider_keys
from workflow_templates.environment import FOLDER, read_environments

SERVICE_NAMESPACE: Final = "c2d"
JOBS_NAMESPACE: Final = "jobs"
PROVIDER_SECRET: Final = "c2d-provider"  # noqa: S105  (a name)


def make_keys(folder: Path, descriptions: Path | None, kustomize: bool) -> int:
    """Prints values of the chart, or a kustomize component. Exit code: 0, or 1 for a file that cannot be used."""
    try:
        environments = read_environments(descriptions or FOLDER)
        provider = provider_keys(folder / SERVICE_NAMESPACE / PROVIDER_SECRET / "provider.key")
        found = {}
        for environment in environments:
            place = folder / JOBS_NAMESPACE / names.environment_secret(environment.id)
            found[environment.id] = environment_keys(place, provider.box.public_key)
    except (ValueError, OSError) as trouble:  # of the files: none of them repeats what stands in it
        typer.echo(str(trouble), err=True)
        return 1
    typer.echo(f"# Public keys of the environments; the provider is {provider.address}. Made by `c2d admin keys`.")
    typer.echo(yaml.safe_dump(_component(found) if kustomize else _values(found), sort_keys=False), nl=False)
    return 0


def _values(found: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    keys = {
        name: {
            "consumerAddress": annotations[names.CONSUMER_ADDRESS],
            "boxPublicKey": annotations[names.BOX_PUBLIC_KEY],
        }
        for name, annotations in found.items()
    }
    return {"environments": {"keys": keys}}


def _component(found: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    patches = [
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "WorkflowTemplate",
            "metadata": {"name": name, "annotations": dict(annotations)},
        }
        for name, annotations in found.items()
    ]
    return {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "patches": [{"patch": yaml.safe_dump(patch, sort_keys=False)} for patch in patches],
    }
