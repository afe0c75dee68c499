"""Installs the product on the node by the commands of docs/how-to/deploy-gitops.md and deploy-helm.md, word by word.

What a cluster has before: names (CoreDNS), volumes (local-path-provisioner, as kind has). What cannot be had here:
Docker, whose place buildah takes; kind; Argo's release, whose manifests are in Argo's module for Go.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import yaml

from contract.argo_releases import NEWEST, release_of
from tests.support.how_to import blocks, commands_of
from tools.cluster import beside, images, node, supervisor
from tools.cluster.commands import output
from tools.cluster.network import within
from tools.cluster.places import BESIDE, CHECKOUT, DNS_ADDRESS, KUBECONFIG, MODULES, NODE, PROGRAMS, REGISTRY, ROOT, RUN
from tools.cluster.programs import ARGO, module_source, version_of
from tools.cluster.supervisor import Component, Machine

REACH = RUN / "reach"
SERVICE_URL = "http://127.0.0.1:8030"
ARGO_URL = "http://127.0.0.1:2746"
# Commands of the pages whose work is done otherwise here.
ELSEWHERE = (
    "kind ",
    "docker run",
    "docker network",
    "install -d",
    "make ",
    "curl ",
    "socat ",
    "gateway=",
    ".venv/bin/c2d serve",
    ".venv/bin/c2d admin templates render --argo",  # see `_rendered`
)
ENVIRONMENTS = "workflow_templates/environments"
_PATIENCE = 300
_PROVISIONER = "github.com/rancher/local-path-provisioner"


def checkout() -> None:
    """The parts of this checkout that the pages use, so that the files that they make lie elsewhere."""
    CHECKOUT.mkdir(parents=True)
    for name in (".venv", "helm", "examples"):
        (CHECKOUT / name).symlink_to(ROOT / name)
    tests = ROOT / "tests" / "e2e"
    for descriptions in (ROOT / ENVIRONMENTS, tests / "environments", tests / "environments_of_a_cluster"):
        shutil.copytree(descriptions, CHECKOUT / ENVIRONMENTS, dirs_exist_ok=True)
    ignored = shutil.ignore_patterns("keys")
    shutil.copytree(ROOT / "argo" / "gitops", CHECKOUT / "argo" / "gitops", ignore=ignored)


def what_clusters_have() -> None:
    """Names and volumes."""
    until("the API server", lambda: run("kubectl", "get", "--raw", "/readyz", check=False) == "ok")
    source = module_source("local-path-provisioner", _PROVISIONER) / "deploy" / "local-path-storage.yaml"
    documents = list(yaml.safe_load_all(source.read_text()))
    for each in documents:
        if each["kind"] == "StorageClass":
            each["metadata"] = {
                "name": "standard",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            }
        if each["kind"] == "ConfigMap":  # a folder that is the node's own
            each["data"]["config.json"] = each["data"]["config.json"].replace("/opt/", "/var/lib/")
    apply(*documents)
    apply(*_names())
    second = {"kind": "RuntimeClass", "metadata": {"name": node.SECOND_RUNTIME}, "handler": node.SECOND_RUNTIME}
    apply({"apiVersion": "node.k8s.io/v1", **second})
    until("the node", lambda: "True" in run("kubectl", "get", "node", NODE, "-o", _READY, check=False))
    for namespace, name in (("kube-system", "coredns"), ("local-path-storage", "local-path-provisioner")):
        run("kubectl", "--namespace", namespace, "rollout", "status", f"deployment/{name}", "--timeout", "5m")


_READY = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'


def argo_version() -> str:
    return version_of(MODULES / "argo", ARGO)


def argo_manifests(folder: Path) -> None:
    """What the page loads from Argo's releases: the same manifests with the version in them."""
    version = argo_version()
    source = module_source("argo", ARGO) / "manifests" / "cluster-install"
    names = ("workflow-controller", "argocli")
    (RUN / "argo").mkdir(exist_ok=True)
    kustomization = {
        "resources": [os.path.relpath(source, RUN / "argo")],
        "images": [{"name": f"quay.io/argoproj/{name}", "newTag": version} for name in names],
    }
    (RUN / "argo" / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    (folder / "install.yaml").write_text(
        run("kubectl", "kustomize", "--load-restrictor", "LoadRestrictionsNone", str(RUN / "argo"))
    )


def by_the_pages() -> None:
    """Argo with its settings, the namespaces, the environments, keys, results, the service."""
    (CHECKOUT / "argo-install").mkdir()
    argo_manifests(CHECKOUT / "argo-install")
    page = partial(commands_of, leave_out=ELSEWHERE)
    part("images", page("deploy-helm.md", "## 1. A cluster", "## 2. Argo"))
    part("Argo Workflows", page("deploy-gitops.md", "## 1. Argo", "## 2. Keys").replace("mkdir argo-install\n", ""))
    part("environments of the tests", _rendered())
    environments = page("deploy-gitops.md", "## 2. Keys", "Whether everything is as it should be")
    keys = f"c2d admin keys ../c2d-keys --environments {ENVIRONMENTS}"
    part("keys and environments", environments.replace("c2d admin keys ../c2d-keys", keys))
    (CHECKOUT / "kind-values.yaml").write_text(blocks("deploy-helm.md", "yaml")[0])
    until("the chain", lambda: beside.addresses().exists())
    service = page("deploy-helm.md", "## 3. Keys", "## The first job")
    for brought in ("--values helm/environments.yaml", "--values ../c2d-keys.yaml"):  # by deploy-gitops.md
        service = service.replace(brought, "")
    part("the service", service)


def _rendered() -> str:
    """The page's commands for one environment more, and for an older Argo."""
    release = release_of(argo_version()) or NEWEST
    return f".venv/bin/c2d admin templates render --argo {release.name} --from {ENVIRONMENTS} --to argo/gitops"


def reach() -> None:
    """Both services at loopback beside the node, at the ports at which the pages forward them, also after restarts."""
    places = {8030: ("c2d", "c2d"), 2746: ("argo", "argo-server")}
    components = []
    for port, (namespace, name) in places.items():
        host = run("kubectl", "--namespace", namespace, "get", "service", name, "-o", "jsonpath={.spec.clusterIP}")
        components.append(Component(name, beside.forwarding("127.0.0.1", port, host, port)))
    Machine(components).write(REACH)
    supervisor.start(BESIDE, REACH)
    until("the service", lambda: run("curl", "-sf", SERVICE_URL, check=False) != "")


def part(name: str, script: str, **variables: str) -> None:
    """Run commands of a page as its reader would, who has set these variables, and say how long it took."""
    began = time.monotonic()
    done = subprocess.run(
        within(BESIDE, "sh", "-euc", script),
        cwd=CHECKOUT,
        env=environment() | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    with (RUN / "pages.log").open("a") as log:
        log.write(f"### {name}\n{script}\n{done.stdout}{done.stderr}\n")
    if done.returncode != 0:
        raise RuntimeError(f"{name}: the commands of the pages failed ({RUN / 'pages.log'}):\n{done.stderr[-2000:]}")
    print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)


def environment() -> dict[str, str]:
    """For commands beside the node; without what tests are told, which `c2d` takes for unknown settings."""
    path = f"{PROGRAMS}:{images.DOCKER.parent}:{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("C2D_E2E_")}
    return {**inherited, "KUBECONFIG": str(KUBECONFIG), "PATH": path}


def environment_of_tests() -> dict[str, str]:
    """What docs/how-to/deploy-helm.md lists for the end-to-end tests."""
    return {
        **environment(),
        "C2D_E2E_URL": SERVICE_URL,
        "C2D_E2E_CHAIN": beside.CHAIN_URL,
        "C2D_E2E_ADDRESSES": str(beside.addresses()),
        "C2D_E2E_DATA": beside.DATA_URL,
        "C2D_E2E_IMAGE": f"{REGISTRY}/{images.ALGORITHM}@{images.digest_of(images.ALGORITHM)}",
        "C2D_E2E_ARGO_URL": ARGO_URL,
        "C2D_E2E_NODE": "here",
    }


def run(*command: str, text: str | None = None, check: bool = True) -> str:
    """A command beside the node: what it printed. Raises `RuntimeError` with its words."""
    return output(within(BESIDE, *command), environment=environment(), text=text, check=check)


def apply(*documents: object) -> None:
    run("kubectl", "apply", "--server-side", "--filename", "-", text=yaml.safe_dump_all(documents))


def until(what: str, condition: Callable[[], bool]) -> None:
    """Raises `TimeoutError` when that has not come after five minutes."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"{what} did not come; the logs are in {node.FOLDER / 'log'} and {beside.FOLDER / 'log'}"
            )
        time.sleep(0.3)


def _names() -> list[object]:
    """CoreDNS as kubeadm and kind have it, with the label that policies of clusters know it by."""
    version = version_of(MODULES / "coredns", "github.com/coredns/coredns")
    labels, here = {"k8s-app": "kube-dns"}, {"namespace": "kube-system"}
    plugins = ("errors", "ready", "kubernetes cluster.local in-addr.arpa", "cache 30")
    corefile = ".:53 {\n" + "".join(f"  {each}\n" for each in plugins) + "}\n"
    rule = {
        "apiGroups": ["", "discovery.k8s.io"],
        "resources": ["endpoints", "services", "pods", "namespaces", "endpointslices"],
        "verbs": ["list", "watch"],
    }
    subject = {"kind": "ServiceAccount", "name": "coredns", **here}
    ports = [{"name": f"dns-{protocol.lower()}", "port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    container = {
        "name": "coredns",
        "image": f"docker.io/coredns/coredns:{version}",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 2},
    }
    pod = {
        "serviceAccountName": "coredns",
        "dnsPolicy": "Default",
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "coredns", **here}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "system:coredns"},
         "rules": [rule]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
         "metadata": {"name": "system:coredns"}, "roleRef": role, "subjects": [subject]},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "coredns", **here},
         "data": {"Corefile": corefile}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", **here, "labels": labels},
         "spec": {"selector": labels, "clusterIP": DNS_ADDRESS, "ports": ports}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "coredns", **here, "labels": labels},
         "spec": {"selector": {"matchLabels": labels},
                  "template": {"metadata": {"labels": labels}, "spec": pod}}},
    ]  # fmt: skip
