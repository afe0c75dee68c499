"""A control plane with Argo's kinds and settings, and argo/gitops applied to it as the pages say."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.deployment import copied_gitops
from tests.support.kubernetes_cluster import ControlPlane

KINDS = {
    "ClusterWorkflowTemplate": "Cluster",
    "CronWorkflow": "Namespaced",
    "Workflow": "Namespaced",
    "WorkflowArtifactGCTask": "Namespaced",
    "WorkflowEventBinding": "Namespaced",
    "WorkflowTaskResult": "Namespaced",
    "WorkflowTaskSet": "Namespaced",
    "WorkflowTemplate": "Namespaced",
}


def kind(name: str, scope: str = "Namespaced", group: str = "argoproj.io", served: str = "v1alpha1") -> dict[str, Any]:
    """As Argo's own minimal definitions: any fields. (What fields there are is checked by tests/unit/gitops.)"""
    plural = name.lower() + "s"
    version = {
        "name": served,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"kind": name, "plural": plural, "singular": name.lower(), "listKind": f"{name}List"},
            "versions": [version],
        },
    }


@pytest.fixture(scope="session")
def gitops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied_gitops(tmp_path_factory.mktemp("deployment"))


@contextlib.contextmanager
def with_argo(folder: Path) -> Iterator[ControlPlane]:
    """A control plane with Argo's kinds and its namespace; nothing of ours."""
    with ControlPlane(folder) as cluster:
        cluster.apply(*(kind(name, scope) for name, scope in KINDS.items()))
        cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        cluster.kubectl("create", "namespace", "argo")
        yield cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, gitops: Path) -> Iterator[ControlPlane]:
    """With Argo's settings and the overlay of one machine, applied as docs/how-to/deploy-gitops.md says."""
    with with_argo(tmp_path_factory.mktemp("kubernetes")) as running:
        running.kubectl("create", "namespace", "other-jobs")  # helm/ci/environments-values.yaml
        running.apply(kind("ExternalSecret", group="external-secrets.io", served="v1"))
        running.kubectl("apply", "--server-side", "--kustomize", str(gitops / "with-settings"))
        running.kubectl("apply", "--server-side", "--validate=strict", "--kustomize", str(gitops / "overlays" / "kind"))
        yield running
