"""What a second cluster has of its own, on the same node: a namespace of jobs, a controller and a server of Argo.

They are copies of what the pages have installed, with one environment under another name. The two controllers know
their workflows by Argo's instance id. The service announces both, and results lie in one bucket (`production`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any, Final

import yaml

from tools.cluster import install, production
from tools.cluster.places import CHECKOUT, ROOT, RUN

JOBS, ARGO, NUMBER = "jobs-2", "argo-2", "01"
ENVIRONMENT: Final = "second-compute"
_COPIED_FROM: Final = "ocean-compute"  # of the free environment
_INSTANCE: Final = "second"
_INSTANCE_LABEL: Final = "workflows.argoproj.io/controller-instanceid"
_KINDS: Final = "serviceaccount,role,rolebinding,networkpolicy,limitrange,resourcequota"
_READY: Final = RUN / "second"
_BY_KUBERNETES: Final = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "ownerReferences",
)

Json = dict[str, Any]


def up() -> None:
    """Once; said again, it does nothing."""
    if _READY.exists():
        return
    production.up()
    _copy_everything()
    for name in ("workflow-controller", "argo-server"):
        _wait_for(ARGO, name)
    _tell_the_service()
    _READY.touch()


def _copy_everything() -> None:
    install.apply(*(_copy(_get("namespace", old), old, new) for old, new in (("jobs", JOBS), ("argo", ARGO))))
    install.apply(*(_copy(each, "jobs", JOBS) for each in _list("jobs", _KINDS)))
    install.apply(*(_copy(each, "jobs", JOBS) for each in _of_the_environment()), _claim())
    install.apply(*(_copy(each, "argo", ARGO) for each in _list("argo", "serviceaccount,role,rolebinding,service")))
    install.apply(*_argo(), *_bindings())


def _tell_the_service() -> None:
    """Where it is, and with what token it answers."""
    install.apply(_token_of_the_service())
    ask = [
        "kubectl",
        "--namespace",
        "c2d",
        "get",
        "secret",
        "provider-api-second",
        "--output",
        "jsonpath={.data.token}",
    ]
    install.until("the service's token for the second", lambda: install.run(*ask) != "")
    meta = {"name": "argo-tokens", "namespace": "c2d"}
    token = {"second": base64.b64decode(install.run(*ask)).decode()}
    install.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": token})
    url = f"http://argo-server.{ARGO}.svc:2746"
    server = {"url": url, "namespace": JOBS, "token_file": "/etc/c2d/secrets/argo/second", "timeout_seconds": 10}
    values = {
        "settings": {"argo_servers": {NUMBER: server}},
        "secrets": {"argoTokens": {"name": "argo-tokens"}},
        "networkPolicy": {"egress": [*_egress(), {"namespace": ARGO, "ports": [2746]}]},
    }
    (CHECKOUT / "second-values.yaml").write_text(yaml.safe_dump(values))
    chart = ["--reuse-values", "--values", str(CHECKOUT / "second-values.yaml")]
    install.run("helm", "upgrade", "c2d", str(ROOT / "helm"), "--namespace", "c2d", *chart)
    _wait_for("c2d", "c2d")


def _wait_for(namespace: str, name: str) -> None:
    install.run("kubectl", "--namespace", namespace, "rollout", "status", f"deployment/{name}", "--timeout", "5m")


def _of_the_environment() -> Iterator[Json]:
    """Its template, its keys, its limit, and where results go."""
    template = _get("workflowtemplate", _COPIED_FROM, "jobs")
    template["metadata"]["labels"][_INSTANCE_LABEL] = _INSTANCE
    yield _renamed(template)
    yield _renamed(_get("secret", f"c2d-environment-{_COPIED_FROM}", "jobs"))
    yield _get("secret", "c2d-result-store", "jobs")
    limits = _get("configmap", "c2d-limits", "jobs")
    yield _renamed({**limits, "data": {_COPIED_FROM: limits["data"][_COPIED_FROM]}})
    token = _get("secret", "job-executor.service-account-token", "jobs")
    yield {key: value for key, value in token.items() if key != "data"}  # Kubernetes makes another one


def _claim() -> Json:
    """The template mounts it; results go to the bucket."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    meta = {"name": "c2d-results", "namespace": JOBS}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def _argo() -> Iterator[Json]:
    config = _get("configmap", "workflow-controller-configmap", "argo")
    config["data"] = {key: text for key, text in config["data"].items() if key != "persistence"}
    config["data"]["instanceID"] = _INSTANCE
    yield _copy(config, "argo", ARGO)
    for name in ("workflow-controller", "argo-server"):
        deployment = _get("deployment", name, "argo")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        container["args"] = [*container.get("args", ()), "--namespaced", "--managed-namespace", JOBS]
        yield _copy(deployment, "argo", ARGO)


def _bindings() -> Iterator[Json]:
    for name in ("argo-binding", "argo-server-binding"):
        binding = _copy(_get("clusterrolebinding", name), "argo", ARGO)
        yield {**binding, "metadata": {"name": f"second-{name}"}}


def _token_of_the_service() -> Json:
    meta = {
        "name": "provider-api-second",
        "namespace": "c2d",
        "annotations": {"kubernetes.io/service-account.name": "provider-api"},
    }
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token", "metadata": meta}


def _egress() -> list[Json]:
    found = yaml.safe_load(install.run("helm", "get", "values", "c2d", "--namespace", "c2d", "--output", "yaml"))
    egress: list[Json] = found["networkPolicy"]["egress"]
    return egress


def _get(kind: str, name: str, namespace: str = "default") -> Json:
    found: Json = json.loads(install.run("kubectl", "--namespace", namespace, "get", kind, name, "--output", "json"))
    return found


def _list(namespace: str, kinds: str) -> list[Json]:
    """Without what Kubernetes makes in each namespace."""
    found = json.loads(install.run("kubectl", "--namespace", namespace, "get", kinds, "--output", "json"))["items"]
    return [each for each in found if each["metadata"]["name"] not in ("default", "argo-postgres")]


def _copy(document: Json, old: str, new: str) -> Json:
    """The same in the other namespace, as if it had never been anywhere."""
    metadata = {key: value for key, value in document["metadata"].items() if key not in _BY_KUBERNETES}
    metadata.get("annotations", {}).pop("kubectl.kubernetes.io/last-applied-configuration", None)
    metadata.get("annotations", {}).pop("kubernetes.io/service-account.uid", None)
    if document["kind"] == "Namespace":
        metadata = {"name": new, "labels": {**metadata.get("labels", {}), "kubernetes.io/metadata.name": new}}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    made = {key: value for key, value in document.items() if key != "status"} | {"metadata": metadata}
    if "namespace" in metadata:
        metadata["namespace"] = new
    if document["kind"] == "Service":
        made["spec"] = {key: made["spec"][key] for key in ("ports", "selector")}
    for subject in made.get("subjects", ()):
        if subject.get("namespace") == old:
            subject["namespace"] = new
    return made


def _renamed(document: Json) -> Json:
    renamed: Json = json.loads(json.dumps(document).replace(_COPIED_FROM, ENVIRONMENT))
    return renamed
