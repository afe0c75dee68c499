"""argo/gitops as somebody deploys it: with keys, and on an installed Argo."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from provider_api.deploy.folder import environment_keys, provider_keys
from workflow_templates.environment import read_environments
from workflow_templates.render import GITOPS

ARGO_INSTALLED = [
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "workflow-controller-configmap", "namespace": "argo"},
        "data": {},
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "workflow-controller", "namespace": "argo"},
        "spec": {
            "selector": {"matchLabels": {"app": "workflow-controller"}},
            "template": {
                "metadata": {"labels": {"app": "workflow-controller"}},
                "spec": {
                    "containers": [
                        {
                            "name": "workflow-controller",
                            "image": "workflow-controller:v4.1.2",
                            "env": [{"name": "LEADER_ELECTION_IDENTITY", "value": "x"}],
                        }
                    ]
                },
            },
        },
    },
]


BUILDS = ["cluster", "base", "overlays/kind", "overlays/production", "with-settings"]


def copied_gitops(folder: Path) -> Path:
    """A copy in which the kind overlay has its keys, and an installed Argo has the settings of the components."""
    copied = folder / "gitops"
    shutil.copytree(GITOPS, copied, ignore=shutil.ignore_patterns("keys"))
    secrets = copied.parent / "secrets"
    service = provider_keys(secrets / "provider.key").box.public_key
    patches = [
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "WorkflowTemplate",
            "metadata": {"name": each.id, "annotations": environment_keys(secrets / each.id, service)},
        }
        for each in read_environments()
    ]
    component = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "patches": [{"patch": yaml.safe_dump(patch)} for patch in patches],
    }
    (copied / "overlays" / "kind" / "keys").mkdir()
    (copied / "overlays" / "kind" / "keys" / "kustomization.yaml").write_text(yaml.safe_dump(component))
    installed = copied / "with-settings"
    installed.mkdir()
    (installed / "argo.yaml").write_text(yaml.safe_dump_all(ARGO_INSTALLED))
    components = ["../components/argo-settings", "../components/argo-archive"]
    (installed / "kustomization.yaml").write_text(
        yaml.safe_dump({"kind": "Kustomization", "resources": ["argo.yaml"], "components": components})
    )
    return copied
