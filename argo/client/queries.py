"""Reading and ending workflows, with the argo-workflows client.

The client is made for Argo 3.7 and raises on normal answers of 4.x as long as it checks their types, so it runs
unchecked: what it returns is the JSON. Every call has time limits and, where Argo knows it, a list of fields: without
one each workflow brings a copy of its whole template. Blocking; `ArgoClient` runs it in threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import argo_workflows
import urllib3
from argo_workflows.api.archived_workflow_service_api import ArchivedWorkflowServiceApi
from argo_workflows.api.info_service_api import InfoServiceApi
from argo_workflows.api.workflow_service_api import WorkflowServiceApi
from argo_workflows.api.workflow_template_service_api import WorkflowTemplateServiceApi
from argo_workflows.model.io_argoproj_workflow_v1alpha1_workflow_resume_request import (
    IoArgoprojWorkflowV1alpha1WorkflowResumeRequest,
)
from argo_workflows.model.io_argoproj_workflow_v1alpha1_workflow_stop_request import (
    IoArgoprojWorkflowV1alpha1WorkflowStopRequest,
)
from argo_workflows.model.io_argoproj_workflow_v1alpha1_workflow_terminate_request import (
    IoArgoprojWorkflowV1alpha1WorkflowTerminateRequest,
)

from argo.client.answers import Refusal, query_error
from argo.client.connection import NEVER_SENT, Connection, has_untrusted_peer
from argo.client.errors import ArgoUnavailable
from argo.client.parsing import Json

_BRIEF: Final = (
    "metadata.name",
    "metadata.uid",
    "metadata.labels",
    "metadata.creationTimestamp",
    "spec.entrypoint",
    "status.phase",
)
_FIELDS: Final = (
    *_BRIEF,
    "metadata.annotations",
    "spec.shutdown",
    "status.message",
    "status.startedAt",
    "status.finishedAt",
    "status.nodes",
    "status.compressedNodes",
    "status.offloadNodeStatusVersion",
)
GET_FIELDS: Final = ",".join(["metadata.resourceVersion", *_FIELDS])
LIST_FIELDS: Final = ",".join(["metadata", *(f"items.{field}" for field in _FIELDS)])
BRIEF_FIELDS: Final = ",".join(["metadata", *(f"items.{field}" for field in _BRIEF)])
COUNT_FIELDS: Final = "metadata,items.metadata.name"

# Without it Argo asks only its archive whether there is more, and a list without an archive ends after its first page.
_REMAINING: Final = "ext.showRemainingItemCount=true"


class Queries:
    def __init__(self, connection: Connection) -> None:
        self._namespace = connection.namespace
        self._connection = connection
        configuration = argo_workflows.Configuration(host=connection.base.rstrip("/"))
        configuration.verify_ssl = connection.verify is not False
        configuration.ssl_ca_cert = None if isinstance(connection.verify, bool) else str(connection.verify)
        configuration.connection_pool_maxsize = connection.calls_at_once
        # A read may meet a connection that the server has just closed; only reads are repeated, and once. (What never
        # left this machine may be repeated always, and urllib3 does.)
        configuration.retries = urllib3.Retry(total=1, redirect=0, status=0, allowed_methods={"GET"})
        if connection.token is not None:
            configuration.api_key = {"BearerToken": ""}
            configuration.refresh_api_key_hook = lambda config: _refresh(config, connection)
        self._api = argo_workflows.ApiClient(configuration)
        self._workflows = WorkflowServiceApi(self._api)
        self._archived = ArchivedWorkflowServiceApi(self._api)
        self._templates = WorkflowTemplateServiceApi(self._api)
        self._info = InfoServiceApi(self._api)

    def get(self, name: str, *, arguments: bool) -> Json:
        """From Kubernetes itself, never stale; from the archive when that one is gone. Raises WorkflowNotFound."""
        fields = GET_FIELDS + ",spec.arguments" if arguments else GET_FIELDS
        return self._call(name, self._workflows.get_workflow, self._namespace, name, fields=fields)

    def find(self, selector: str, *, limit: int, offset: str, brief: bool = False) -> tuple[Sequence[Json], str]:
        """One page of the workflows that the label selector matches, and where the next one begins ("": nowhere).
        `brief`: names, labels and phases, and no more.

        Lists lag a little behind the truth.
        """
        page = self._page(selector, BRIEF_FIELDS if brief else LIST_FIELDS, limit, offset)
        items = page.get("items") or ()
        return items, str((page.get("metadata") or {}).get("continue") or "") if items else ""

    def count(self, selector: str) -> int:
        """How many workflows the label selector matches."""
        page = self._page(selector, COUNT_FIELDS, 1, "")
        return len(page.get("items") or ()) + int((page.get("metadata") or {}).get("remainingItemCount") or 0)

    def version_of_list(self, selector: str) -> str:
        """Where a watch may begin: a version that everything had which a later read finds. Raises ArgoUnavailable
        as long as the server has none."""
        metadata = self._page(selector, COUNT_FIELDS, 1, "").get("metadata") or {}
        version = metadata.get("resourceVersion")
        if not isinstance(version, str) or version in ("", "0"):
            raise ArgoUnavailable("its lists have no version", definite=True)
        return version

    def _page(self, selector: str, fields: str, limit: int, offset: str) -> Json:
        more = {"list_options_continue": offset} if offset else {}
        return self._call(
            "",
            self._workflows.list_workflows,
            self._namespace,
            list_options_label_selector=selector,
            list_options_field_selector=_REMAINING,
            list_options_limit=str(limit),
            fields=fields,
            **more,
        )

    def stop(self, name: str) -> None:
        body = IoArgoprojWorkflowV1alpha1WorkflowStopRequest(name=name, namespace=self._namespace)
        self._call(name, self._workflows.stop_workflow, self._namespace, name, body)

    def terminate(self, name: str) -> None:
        body = IoArgoprojWorkflowV1alpha1WorkflowTerminateRequest(name=name, namespace=self._namespace)
        self._call(name, self._workflows.terminate_workflow, self._namespace, name, body)

    def resume(self, name: str) -> None:
        body = IoArgoprojWorkflowV1alpha1WorkflowResumeRequest(name=name, namespace=self._namespace)
        self._call(name, self._workflows.resume_workflow, self._namespace, name, body)

    def delete(self, name: str) -> None:
        """The live one. Raises WorkflowNotFound, also for one that is only archived."""
        self._call(name, self._workflows.delete_workflow, self._namespace, name)

    def delete_archived(self, name: str, uid: str) -> None:
        """Raises WorkflowNotFound."""
        self._call(name, self._archived.delete_archived_workflow, uid, namespace=self._namespace)

    def templates(self, selector: str) -> list[Json]:
        found = self._call(
            "", self._templates.list_workflow_templates, self._namespace, list_options_label_selector=selector
        )
        return list(found.get("items") or ())

    def version(self) -> str:
        return str(self._call("", self._info.get_version).get("version") or "")

    def close(self) -> None:
        self._api.close()
        self._api.rest_client.pool_manager.clear()

    def _call(self, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Json:
        try:
            answer = method(*args, _check_return_type=False, _request_timeout=self._connection.timeouts, **kwargs)
        except argo_workflows.ApiException as exc:
            raise query_error(name, Refusal.read(exc.status, exc.body)) from exc
        except urllib3.exceptions.HTTPError as exc:
            raise ArgoUnavailable(type(exc).__name__, definite=_never_sent(exc)) from exc
        except (TypeError, ValueError) as exc:  # a success whose body is no object that Argo would send
            raise ArgoUnavailable("its answer cannot be read", definite=False) from exc
        found = answer.to_dict() if hasattr(answer, "to_dict") else answer
        return found if isinstance(found, Mapping) else {}


def _refresh(configuration: Any, connection: Connection) -> None:
    configuration.api_key["BearerToken"] = connection.authorization()


def _never_sent(exc: urllib3.exceptions.HTTPError) -> bool:
    reason = getattr(exc, "reason", None) or exc
    return isinstance(reason, NEVER_SENT) or has_untrusted_peer(reason)
