"""The commands of docs/how-to/deploy-helm.md and deploy-gitops.md on a real control plane, with Helm and kubectl.

What they need of Docker and the internet is left out: kind, images, Argo's manifests. Nothing runs; that pods begin and
end is said in their nodes' place.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from functools import partial
from pathlib import Path

import pytest
import yaml

from contract import names
from provider_api.deploy.chart_files import environment_values
from provider_api.doctor.checks.cluster import CHECKS as CLUSTER_CHECKS
from provider_api.doctor.checks.environments import CHECKS as ENVIRONMENT_CHECKS
from tests.integration.cluster.conftest import with_argo
from tests.support.clients import ROOT
from tests.support.deployment import ARGO_INSTALLED
from tests.support.doctor import run_doctor
from tests.support.helm_chart import CASES
from tests.support.how_to import ADDRESSES, blocks, commands_of
from tests.support.kubernetes_cluster import ControlPlane
from workflow_templates.environment import read_environments

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ARGO_SERVER = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "argo-server", "namespace": "argo"},
    "spec": {
        "selector": {"matchLabels": {"app": "argo-server"}},
        "template": {
            "metadata": {"labels": {"app": "argo-server"}},
            "spec": {"containers": [{"name": "argo-server", "image": "argocli:v4.1.2", "args": ["server"]}]},
        },
    },
}
KIND_HAS = (
    {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "rancher.io/local-path",
        "volumeBindingMode": "WaitForFirstConsumer",
    },
)
ELSEWHERE = ("kind ", "docker ", "socat ", "make ", "curl ", "gateway=", ".venv/bin/c2d serve")
ELSEWHERE += (".venv/bin/c2d admin templates render --argo",)
commands = partial(commands_of, leave_out=ELSEWHERE)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parts of a checkout that the pages use, so that their files come to lie elsewhere."""
    folder = tmp_path_factory.mktemp("user") / "checkout"
    folder.mkdir()
    for name in (".venv", "helm", "examples"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "argo" / "gitops", folder / "argo" / "gitops", ignore=shutil.ignore_patterns("keys"))
    addresses = folder / ADDRESSES
    addresses.parent.mkdir(parents=True)
    addresses.write_text('{"development": {}}')
    return folder


class Nodes:
    """Pods of these namespaces begin at once, and those of jobs end well."""

    def __init__(self, cluster: ControlPlane, *namespaces: str) -> None:
        self._cluster, self._namespaces, self._ended = cluster, namespaces, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with self._cluster.http() as http:
            while not self._ended.wait(0.3):
                for namespace in self._namespaces:
                    place = f"/api/v1/namespaces/{namespace}/pods"
                    for pod in http.get(place).json().get("items", []):
                        if pod["status"]["phase"] == "Pending":
                            ends = pod["metadata"]["ownerReferences"][0]["kind"] == "Job"
                            now = pod["metadata"]["creationTimestamp"]
                            ready = {"type": "Ready", "status": "False" if ends else "True", "lastTransitionTime": now}
                            status = {"phase": "Succeeded" if ends else "Running", "conditions": [ready]}
                            http.patch(
                                f"{place}/{pod['metadata']['name']}/status",
                                json={"status": status},
                                headers={"Content-Type": "application/merge-patch+json"},
                            )


def run(cluster: ControlPlane, folder: Path, script: str) -> str:
    done = subprocess.run(
        ["sh", "-euc", script],
        cwd=folder,
        env=cluster.environ(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_helm_with_environments(tmp_path: Path, checkout: Path) -> None:
    """The chart brings the environments; the rest of the namespace comes from argo/gitops/cluster."""
    with with_argo(tmp_path / "kubernetes") as cluster, Nodes(cluster, "c2d"):
        cluster.kubectl("apply", "--server-side", "--kustomize", str(checkout / "argo" / "gitops" / "cluster"))
        (checkout / "kind-values.yaml").write_text(blocks("deploy-helm.md", "yaml")[0])
        shown = run(cluster, checkout, commands("deploy-helm.md", "## 3. Keys", "## The first job"))
        assert "successfully rolled out" in shown
        assert "c2d doctor --probe" in shown
        found = cluster.kubectl("get", "workflowtemplates", "--namespace", "jobs", "--output", "name").split()
        assert len(found) == 2
        (pod,) = json.loads(cluster.kubectl("get", "pods", "--namespace", "c2d", "--output", "json"))["items"]
        assert pod["spec"]["serviceAccountName"] == "provider-api"
        assert "c2d-jobs" in cluster.kubectl("get", "quota", "--namespace", "jobs", "--output", "name")
        helm(cluster, "uninstall", "c2d", "--namespace", "c2d")
        assert cluster.kubectl("get", "workflowtemplates", "--namespace", "jobs", "--output", "name") == ""


def test_gitops_and_the_doctor(tmp_path: Path, checkout: Path) -> None:
    """Argo with its settings, argo/gitops with the environments, the chart with only the service: the doctor agrees."""
    with with_argo(tmp_path / "kubernetes") as cluster, Nodes(cluster, "c2d", "argo"):
        cluster.apply(*KIND_HAS)
        (checkout.parent / "install.yaml").write_text(yaml.safe_dump_all([*ARGO_INSTALLED, ARGO_SERVER]))
        first = commands("deploy-gitops.md", "## 1. Argo", "## 2. Keys").replace("kubectl create namespace argo\n", "")
        first = first.replace("mkdir argo-install", "mkdir argo-install; cp ../install.yaml argo-install")
        assert "successfully rolled out" in run(cluster, checkout, first)
        second = commands("deploy-gitops.md", "## 2. Keys", "Whether everything is as it should be")
        assert "ocean-compute" in run(cluster, checkout, second)
        (checkout / "kind-values.yaml").write_text(blocks("deploy-helm.md", "yaml")[0])
        third = commands("deploy-helm.md", "## 3. Keys", "## The first job")
        third = third.replace("--values helm/environments.yaml", "").replace("--values ../c2d-keys.yaml", "")
        assert "successfully rolled out" in run(cluster, checkout, third)

        bound = ("--for=jsonpath={.status.phase}=Bound", "persistentvolumeclaim/c2d-results", "--timeout=60s")
        cluster.kubectl("wait", *bound, "--namespace", "jobs")
        cluster.kubectl("get", "workflows", "--namespace", "jobs")  # patient while a new kind is being set up
        key = checkout.parent / "c2d-keys" / "c2d" / "c2d-provider" / "provider.key"
        report = run_doctor(tmp_path, settings={"C2D_PROVIDER__KEY_FILE": str(key)}, kubeconfig=cluster.kubeconfig)
        names = {item.name for check in (*CLUSTER_CHECKS, *ENVIRONMENT_CHECKS) for item in check.items}
        assert {line["name"] for line in report.lines} >= names
        # A control plane without nodes does not say where it is.
        assert [trouble[:2] for trouble in report.troubles() if trouble[0] in names] == [
            ("api-server-policy", "not checked")
        ]

        cluster.kubectl("delete", "networkpolicy", "nothing", "--namespace", "jobs")
        cluster.kubectl("create", "rolebinding", "too-much", "--clusterrole=edit", "--serviceaccount=jobs:job-runner",
                        "--namespace=jobs")  # fmt: skip
        report = run_doctor(tmp_path, settings={"C2D_PROVIDER__KEY_FILE": str(key)}, kubeconfig=cluster.kubeconfig)
        failures = {name for name, level, _ in report.troubles() if level == "failure" and name in names}
        assert failures == {"network-policies", "rights-forbidden"}
        assert report.code == 1


@pytest.mark.parametrize("case", CASES)
def test_each_variant_of_the_chart_is_accepted(cluster: ControlPlane, case: str) -> None:
    """Every object, by the API server's own rules; kinds of other projects are not there."""
    rendered = helm(cluster, "template", "c2d", str(ROOT / "helm"), "--namespace", "c2d", "--values", str(CASES[case]))
    ours = [
        each for each in yaml.safe_load_all(rendered) if each and each["kind"] not in ("HTTPRoute", "ServiceMonitor")
    ]
    text = yaml.safe_dump_all(ours)
    words = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
    cluster.kubectl("apply", *words, "--filename", "-", text=text)


def test_a_limit_stays_when_its_environment_goes(cluster: ControlPlane, tmp_path: Path) -> None:
    """Jobs may still hold it."""
    environments = read_environments()
    release = ("upgrade", "--install", "limits", str(ROOT / "helm"), "--namespace", "other-jobs", "--no-hooks")
    for described in (environments, environments[:1]):
        values = tmp_path / "values.yaml"
        given = yaml.safe_load(environment_values(described, "a test", "this file"))
        given["environments"]["namespace"] = "other-jobs"
        values.write_text(yaml.safe_dump(given))
        helm(cluster, *release, "--values", str(CASES["minimal"]), "--values", str(values))
    kept = cluster.get("configmap", names.LIMITS_CONFIG_MAP, "other-jobs")
    assert kept is not None
    assert kept["data"] == {each.id: str(each.max_jobs) for each in environments}
    found = cluster.kubectl("get", "workflowtemplates", "--namespace", "other-jobs", "--output", "name").split()
    assert len(found) == 1
    helm(cluster, "uninstall", "limits", "--namespace", "other-jobs")


def test_migrations_run_before_the_service(cluster: ControlPlane, tmp_path: Path) -> None:
    """Install, upgrade with more replicas, roll back, remove, with PostgreSQL: Helm waits for the hook each time."""
    options = ("--namespace", "c2d", "--values", str(CASES["minimal"]), "--timeout", "60s")
    with Nodes(cluster, "c2d"):
        helm(cluster, "upgrade", "--install", "c2d", str(ROOT / "helm"), *options)
        assert cluster.get("job", "c2d-migrations", "c2d") is None  # removed when it is done
        helm(cluster, "upgrade", "c2d", str(ROOT / "helm"), *options, "--set", "replicas=3", "--wait")
        deployment = cluster.get("deployment", "c2d", "c2d")
        assert deployment is not None
        assert deployment["status"]["readyReplicas"] == 3
        helm(cluster, "rollback", "c2d", "1", "--namespace", "c2d", "--wait", "--timeout", "60s")
        helm(cluster, "uninstall", "c2d", "--namespace", "c2d", "--wait", "--timeout", "60s")


def helm(cluster: ControlPlane, *words: str) -> str:
    done = subprocess.run(
        ["helm", *words], env=cluster.environ(), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
