"""The cluster as the doctor reads it: Kubernetes' own JSON, through the kubernetes client. Blocking.

Only this module uses the client, which is in the extra `doctor`, and imports it when a cluster is opened. A missing
object is None; what an answer that is no success becomes is in refusals.py. Nothing is repeated.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

from contract import names
from provider_api.doctor.refusals import Forbidden, NoAnswer, Refused, refusal

Json = Mapping[str, Any]

_ARGO: Final = ("argoproj.io", "v1alpha1")
_NO_WAY_IN: Final = "no usable kubeconfig, and no token of a pod for the cluster: run the doctor where kubectl works"
_KUEUE: Final = "kueue.x-k8s.io"
_KUEUE_VERSIONS: Final = ("v1beta2", "v1beta1")
_CLIENT_MISSING: Final = "the Kubernetes client is not installed; pip install 'compute-to-data[doctor]' installs it"


class NoCluster(Exception):
    """There is no way into a cluster. `asked_for`: one was named, so that this is an error of the caller."""

    def __init__(self, reason: str, *, asked_for: bool) -> None:
        super().__init__(reason)
        self.asked_for = asked_for


@dataclass(frozen=True, slots=True)
class Right:
    """`resource` may name a subresource: pods/log. `namespace` "": of the whole cluster."""

    verb: str
    resource: str
    namespace: str
    group: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f" in {self.namespace}" if self.namespace else "")


def open_cluster(kubeconfig: Path | None, context: str | None, timeout_seconds: float) -> Cluster:
    """The kubeconfig that is named (KUBECONFIG names one too), else the usual one, else the pod's own identity.

    Raises NoCluster. `timeout_seconds`: of one request.
    """
    asked_for = kubeconfig is not None or context is not None or "KUBECONFIG" in os.environ
    try:
        import kubernetes
        import urllib3
    except ModuleNotFoundError:
        raise NoCluster(_CLIENT_MISSING, asked_for=asked_for) from None
    configuration = kubernetes.client.Configuration()
    configuration.retries = urllib3.Retry(0, redirect=0)
    config: Any = kubernetes.config  # (has no types)
    try:
        try:
            config.load_kube_config(
                None if kubeconfig is None else str(kubeconfig),
                context,
                client_configuration=configuration,
                persist_config=False,
            )
        except kubernetes.config.ConfigException:
            if asked_for:
                raise
            config.load_incluster_config(client_configuration=configuration)
    except Exception as exc:  # noqa: BLE001  (whatever is wrong with such a file; its text may hold secrets)
        if asked_for:
            raise NoCluster(f"the kubeconfig cannot be used ({type(exc).__name__})", asked_for=True) from None
        raise NoCluster(_NO_WAY_IN, asked_for=False) from None
    return Cluster(kubernetes.client, configuration, timeout_seconds)


class Cluster:
    """`client`: the module kubernetes.client."""

    def __init__(self, client: Any, configuration: Any, timeout_seconds: float) -> None:
        self._client = client
        self._configuration = configuration
        self._timeouts = (min(3.0, timeout_seconds), timeout_seconds)
        self._api = self._client.ApiClient(configuration)
        self._core = self._client.CoreV1Api(self._api)
        self._custom = self._client.CustomObjectsApi(self._api)
        self._reviews_refused = False
        self._acting: dict[str, Any] = {}

    # --- the server --------------------------------------------------------------------------------------------------

    def version(self) -> tuple[str, float | None]:
        """Its version, and its clock: Unix seconds, None where the answer has no date."""
        answer = self._answer(self._client.VersionApi(self._api).get_code)
        date = answer.headers.get("Date")
        moment = parsedate_to_datetime(date).timestamp() if date else None
        return str(json.loads(answer.data).get("gitVersion") or ""), moment

    def resources(self, group: str, version: str) -> frozenset[str] | None:
        """The names (plural) of the resources of an API group; None: there is no such group."""
        document = self._find(self._custom.get_api_resources, group, version)
        return None if document is None else frozenset(str(each["name"]) for each in document.get("resources") or ())

    # --- objects -----------------------------------------------------------------------------------------------------

    def namespace(self, name: str) -> Json | None:
        return self._find(self._core.read_namespace, name)

    def config_map(self, namespace: str, name: str) -> Json | None:
        return self._find(self._core.read_namespaced_config_map, name, namespace)

    def secret(self, namespace: str, name: str) -> Json | None:
        """With its values: the caller keeps names and public parts only."""
        return self._find(self._core.read_namespaced_secret, name, namespace)

    def service_account(self, namespace: str, name: str) -> Json | None:
        return self._find(self._core.read_namespaced_service_account, name, namespace)

    def claim(self, namespace: str, name: str) -> Json | None:
        return self._find(self._core.read_namespaced_persistent_volume_claim, name, namespace)

    def deployment(self, namespace: str, name: str) -> Json | None:
        return self._find(self._client.AppsV1Api(self._api).read_namespaced_deployment, name, namespace)

    def quotas(self, namespace: str) -> Sequence[Json]:
        return self._list(self._core.list_namespaced_resource_quota, namespace)

    def network_policies(self, namespace: str) -> Sequence[Json]:
        return self._list(self._client.NetworkingV1Api(self._api).list_namespaced_network_policy, namespace)

    def api_server_places(self) -> Sequence[tuple[str, int]]:
        """Addresses and ports behind the Service `kubernetes`, in their order."""
        api = self._client.DiscoveryV1Api(self._api)
        label = "kubernetes.io/service-name=kubernetes"
        slices = self._list(api.list_namespaced_endpoint_slice, "default", label_selector=label)
        return sorted(
            {
                (str(address), int(port["port"]))
                for each in slices
                for endpoint in each.get("endpoints") or ()
                for address in endpoint.get("addresses") or ()
                for port in each.get("ports") or ()
            }
        )

    def admission_policies(self) -> tuple[Sequence[Json], Sequence[Json]]:
        """ValidatingAdmissionPolicies, and their bindings."""
        api = self._client.AdmissionregistrationV1Api(self._api)
        bindings = self._list(api.list_validating_admission_policy_binding)
        return self._list(api.list_validating_admission_policy), bindings

    def storage_classes(self) -> Sequence[Json]:
        return self._list(self._client.StorageV1Api(self._api).list_storage_class)

    def nodes(self) -> Sequence[Json]:
        return self._list(self._core.list_node)

    def runtime_class(self, name: str) -> Json | None:
        return self._find(self._client.NodeV1Api(self._api).read_runtime_class, name)

    def priority_class(self, name: str) -> Json | None:
        return self._find(self._client.SchedulingV1Api(self._api).read_priority_class, name)

    def queue_version(self) -> str | None:
        """Of Kueue's LocalQueues; None: the cluster does not know the kind."""
        return next((each for each in _KUEUE_VERSIONS if "localqueues" in (self.resources(_KUEUE, each) or ())), None)

    def local_queue(self, version: str, namespace: str, name: str) -> Json | None:
        method = self._custom.get_namespaced_custom_object
        return self._find(method, _KUEUE, version, namespace, "localqueues", name)

    def has_autoscaler(self) -> bool:
        """Whether Kubernetes' Cluster Autoscaler, which tells of itself in a ConfigMap, or Karpenter makes nodes."""
        status = self.config_map("kube-system", "cluster-autoscaler-status")
        return status is not None or self.resources("karpenter.sh", "v1") is not None

    def templates(self, namespace: str, selector: str) -> Sequence[Json] | None:
        """WorkflowTemplates; None: the cluster does not know the kind."""
        group, version = _ARGO
        method = self._custom.list_namespaced_custom_object
        found = self._find(method, group, version, namespace, "workflowtemplates", label_selector=selector)
        return None if found is None else list(found.get("items") or ())

    # --- rights ------------------------------------------------------------------------------------------------------

    def identity(self) -> str:
        """The user name that the API server sees in us."""
        api = self._client.AuthenticationV1Api(self._api)
        review = self._call(api.create_self_subject_review, {"apiVersion": "authentication.k8s.io/v1"})
        return str(review["status"]["userInfo"].get("username") or "")

    def may_we(self, right: Right) -> bool:
        return self._self_review(self._api, right)

    def may(self, namespace: str, account: str, right: Right) -> bool | None:
        """Whether a service account may. None: we may neither ask that nor act for it."""
        user = f"system:serviceaccount:{namespace}:{account}"
        if not self._reviews_refused:
            groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
            spec = {"user": user, "groups": groups, "resourceAttributes": _attributes(right)}
            api = self._client.AuthorizationV1Api(self._api)
            try:
                return _allowed(self._call(api.create_subject_access_review, {"spec": spec}))
            except Forbidden:
                self._reviews_refused = True
        try:
            return self._self_review(self._acting_as(user), right)
        except Forbidden:
            return None

    def _acting_as(self, user: str) -> Any:
        if user not in self._acting:
            client: Any = self._client.ApiClient(self._configuration)
            client.set_default_header("Impersonate-User", user)
            self._acting[user] = client
        return self._acting[user]

    def _self_review(self, client: Any, right: Right) -> bool:
        api = self._client.AuthorizationV1Api(client)
        return _allowed(
            self._call(api.create_self_subject_access_review, {"spec": {"resourceAttributes": _attributes(right)}})
        )

    # --- what the service's account may make: dry runs ---------------------------------------------------------------

    def try_workflow(self, namespace: str, workflow: Json, user: str) -> str | None:
        """Why a workflow that this user makes is refused; None: it is admitted. Raises Forbidden if we may not ask."""
        method = self._custom_as(user).create_namespaced_custom_object
        return self._try(method, *_ARGO, namespace, "workflows", workflow)

    def try_change(self, namespace: str, name: str, patch: Json, user: str) -> str | None:
        """The same of a change to one that exists."""
        method = self._custom_as(user).patch_namespaced_custom_object
        return self._try(method, *_ARGO, namespace, "workflows", name, patch)

    def unfinished_jobs(self, namespace: str, most: int = 500) -> Sequence[Json]:
        """Workflows that belong to an environment and have not ended; not more than `most`."""
        selector = f"{names.ENVIRONMENT},workflows.argoproj.io/completed!=true"
        method = self._custom.list_namespaced_custom_object
        return self._list(method, *_ARGO, namespace, "workflows", label_selector=selector, limit=most)

    def some_workflow(self, namespace: str, selector: str) -> str | None:
        """The name of one with these labels, whichever."""
        method = self._custom.list_namespaced_custom_object
        found = self._list(method, *_ARGO, namespace, "workflows", label_selector=selector, limit=1)
        return str(found[0]["metadata"]["name"]) if found else None

    def _custom_as(self, user: str) -> Any:
        if user not in self._acting and self.identity() == user:
            self._acting[user] = self._api
        return self._client.CustomObjectsApi(self._acting_as(user))

    def _try(self, method: Callable[..., Any], *args: Any) -> str | None:
        try:
            self._call(method, *args, dry_run="All")
        except Refused as exc:
            return exc.message
        except Forbidden as exc:
            if "denied" not in str(exc):  # (by an admission policy or webhook; by rights it is "cannot")
                raise
            return str(exc)
        return None

    # --- jobs of the probe -------------------------------------------------------------------------------------------

    def create_job(self, namespace: str, manifest: Json) -> None:
        self._call(self._client.BatchV1Api(self._api).create_namespaced_job, namespace, manifest)

    def delete_job(self, namespace: str, name: str) -> None:
        """With its pods. Gone already is fine."""
        method = self._client.BatchV1Api(self._api).delete_namespaced_job
        self._find(method, name, namespace, propagation_policy="Background", grace_period_seconds=0)

    def pods_of_job(self, namespace: str, name: str) -> Sequence[Json]:
        selector = f"batch.kubernetes.io/job-name={name}"
        return self._list(self._core.list_namespaced_pod, namespace, label_selector=selector)

    # --- calls -------------------------------------------------------------------------------------------------------

    def _list(self, method: Callable[..., Any], *args: Any, **more: Any) -> Sequence[Json]:
        return list(self._call(method, *args, **more).get("items") or ())

    def _find(self, method: Callable[..., Any], *args: Any, **more: Any) -> Json | None:
        try:
            return self._call(method, *args, **more)
        except Refused as exc:
            if exc.status == 404:
                return None
            raise

    def _call(self, method: Callable[..., Any], *args: Any, **more: Any) -> Json:
        document = json.loads(self._answer(method, *args, **more).data)
        return document if isinstance(document, dict) else {}

    def _answer(self, method: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """Raises Forbidden, NoAnswer, Refused."""
        from urllib3.exceptions import HTTPError

        try:
            answer = method(*args, _preload_content=False, _request_timeout=self._timeouts, **more)
            content = answer.data  # read here, where what goes wrong is translated
        except HTTPError as exc:
            cause = getattr(exc, "reason", None) or exc
            raise NoAnswer(f"the API server does not answer ({type(cause).__name__})") from None
        except self._client.ApiException as exc:
            raise refusal(int(exc.status or 0), exc.body) from None
        if not 200 <= answer.status < 300:
            raise refusal(answer.status, content)
        return answer


def _attributes(right: Right) -> dict[str, str]:
    resource, _, sub = right.resource.partition("/")
    given = {"verb": right.verb, "group": right.group, "resource": resource, "subresource": sub}
    return {key: value for key, value in {**given, "namespace": right.namespace}.items() if value}


def _allowed(review: Json) -> bool:
    return bool((review.get("status") or {}).get("allowed"))
