"""A deployed service as end-to-end tests see it: an address, a chain, and what is in the cluster if there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract.argo_releases import NEWEST, release_of
from contract.names import PUBLISHING
from ocean.chain.network import Network

JOBS, SERVICE, ARGO = "jobs", "c2d", "argo"  # namespaces
_WORKFLOW = "workflows.argoproj.io/workflow"


class Cluster:
    """What the tests ask of Kubernetes, with the rights of whoever runs them."""

    def __init__(self) -> None:
        from kubernetes import client, config

        config.load_kube_config()
        self._core, self._objects = client.CoreV1Api(), client.CustomObjectsApi()
        controller = client.AppsV1Api().read_namespaced_deployment("workflow-controller", ARGO)
        version = controller.spec.template.spec.containers[0].image.rpartition(":")[2]
        self.argo = release_of(version) or NEWEST
        # The programs of the node can be killed where this project has started it (tools/cluster).
        self.ours = os.environ.get("C2D_E2E_NODE") == "here"

    def left_of(self, job_id: str) -> list[str]:
        """Pods and volumes of a job that are still there.

        Without the pod that an older Argo forgets: it published a job that was stopped, and so had ended already, or it
        waits for the volume that went with that end.
        """
        pods = self._core.list_namespaced_pod(JOBS, label_selector=f"{_WORKFLOW}={job_id}").items
        claims = self._core.list_namespaced_persistent_volume_claim(JOBS).items
        forgotten = not self.argo.stop_waits_for_exit_handler
        names = [
            pod.metadata.name
            for pod in pods
            if not (
                forgotten
                and pod.status.phase in ("Succeeded", "Failed", "Pending")
                and f"-{PUBLISHING}-" in pod.metadata.name
            )
        ]
        return names + [claim.metadata.name for claim in claims if claim.metadata.name.startswith(job_id)]

    def as_service(self, verb: str, workflow: Mapping[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
        """kubectl with the service's own rights."""
        account = f"system:serviceaccount:{SERVICE}:provider-api"
        command = ["kubectl", verb, "--as", account, "--namespace", JOBS, "--validate=false", *words, "--filename", "-"]
        if verb == "delete":
            command.remove("--validate=false")
        return subprocess.run(
            command, input=json.dumps(workflow), capture_output=True, text=True, timeout=120, check=False
        )

    def templates_of(self, environment: str) -> list[dict[str, Any]]:
        """As the environment's WorkflowTemplate has them."""
        found = self._objects.get_namespaced_custom_object(
            "argoproj.io", "v1alpha1", JOBS, "workflowtemplates", environment
        )
        templates: list[dict[str, Any]] = found["spec"]["templates"]
        return templates

    def pods_of(self, job_id: str, number: int, seconds: float = 300) -> list[Any]:
        """So many pods of the job as there were, each as it was seen last; fewer where the time is over."""
        deadline, found = time.monotonic() + seconds, dict[str, Any]()
        while len(found) < number and time.monotonic() < deadline:
            pods = self._core.list_namespaced_pod(JOBS, label_selector=f"{_WORKFLOW}={job_id}").items
            found |= {pod.metadata.name: pod for pod in pods}
            time.sleep(0.5)
        return list(found.values())

    def of_the_node(self, *words: str) -> None:
        """A command of tools/cluster."""
        subprocess.run([sys.executable, "-m", "tools.cluster", *words], check=True, timeout=900)

    def kill(self, namespace: str, selector: str) -> int:
        """Delete the pods without grace, as a node that is lost; how many."""
        pods = self._core.list_namespaced_pod(namespace, label_selector=selector).items
        for pod in pods:
            self._core.delete_namespaced_pod(pod.metadata.name, namespace, grace_period_seconds=0)
        return len(pods)


def kubectl(namespace: str, *words: str, text: str | None = None) -> str:
    """What it printed, with the rights of whoever runs the tests. Raises RuntimeError with its words."""
    command = ["kubectl", "--namespace", namespace, *words]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"kubectl {' '.join(words)}: {done.stderr}")
    return done.stdout


def restart(namespace: str, deployment: str) -> None:
    """New pods of it; the old ones are gone afterwards. Raises RuntimeError."""
    kubectl(namespace, "rollout", "restart", f"deployment/{deployment}")
    rolled_out(namespace, deployment)


def rolled_out(namespace: str, deployment: str) -> None:
    """Wait until all its pods are as they should be. Raises RuntimeError."""
    kubectl(namespace, "rollout", "status", f"deployment/{deployment}", "--timeout", "5m")


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
