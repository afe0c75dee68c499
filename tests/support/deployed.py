"""A deployed service as end-to-end tests see it: an address, a chain, and what is in the cluster if there is one."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ocean.chain.network import Network

JOBS, SERVICE, ARGO = "jobs", "c2d", "argo"  # namespaces
_WORKFLOW = "workflows.argoproj.io/workflow"


class Cluster:
    """What the tests ask of Kubernetes, with the rights of whoever runs them."""

    def __init__(self) -> None:
        from kubernetes import client, config

        config.load_kube_config()
        self._core = client.CoreV1Api()

    def left_of(self, job_id: str) -> list[str]:
        """Pods and volumes of a job that are still there."""
        pods = self._core.list_namespaced_pod(JOBS, label_selector=f"{_WORKFLOW}={job_id}").items
        claims = self._core.list_namespaced_persistent_volume_claim(JOBS).items
        names = [pod.metadata.name for pod in pods]
        return names + [claim.metadata.name for claim in claims if claim.metadata.name.startswith(job_id)]

    def kill(self, namespace: str, selector: str) -> int:
        """Delete the pods without grace, as a node that is lost; how many."""
        pods = self._core.list_namespaced_pod(namespace, label_selector=selector).items
        for pod in pods:
            self._core.delete_namespaced_pod(pod.metadata.name, namespace, grace_period_seconds=0)
        return len(pods)


@dataclass(frozen=True)
class Deployed:
    """Stands where tests of one machine have their `Service`. `cluster` None: that machine."""

    url: str
    chain_url: str
    address_file: Path
    data_url: str  # a text file that jobs may download
    seconds: float  # for a job
    cluster: Cluster | None = None
    machine: Any = field(default=None, repr=False)  # the Service of one machine

    async def network(self) -> Network:
        return await Network.open(self.chain_url, self.address_file)


def from_environment() -> Deployed | None:
    """The deployment that the environment names; None: it names none.

    C2D_E2E_URL          the service's address, as in `serviceEndpoint` of documents
    C2D_E2E_CHAIN        a node of its chain, on which the development accounts have money
    C2D_E2E_ADDRESSES    the address file of that chain
    C2D_E2E_DATA         a text file that jobs may download
    KUBECONFIG           the cluster; without it what is left there is not looked at
    """
    url = os.environ.get("C2D_E2E_URL")
    if not url:
        return None
    return Deployed(
        url=url.rstrip("/"),
        chain_url=os.environ["C2D_E2E_CHAIN"],
        address_file=Path(os.environ["C2D_E2E_ADDRESSES"]),
        data_url=os.environ["C2D_E2E_DATA"],
        seconds=600,
        cluster=Cluster() if os.environ.get("KUBECONFIG") else None,
    )
