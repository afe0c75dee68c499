"""Starting workflows, with Hera.

A workflow of ours is a name, labels, annotations, the reference to its template, where in it to begin, its arguments,
and nothing else: that is all a controller in `templateReferencing: Strict` accepts. Hera sets no time limits and makes
nothing of unusual error answers, so one session of ours does both for all calls. Blocking; the client runs it in a
thread.
"""

from __future__ import annotations

from typing import Any

import requests
from hera.workflows import Workflow as HeraWorkflow
from hera.workflows import WorkflowsService
from hera.workflows import models as m
from pydantic import ValidationError
from requests.adapters import HTTPAdapter

from argo.client.answers import Refusal, submission_error
from argo.client.connection import NEVER_SENT, Connection, has_untrusted_peer
from argo.client.errors import ArgoUnavailable
from argo.client.parsing import parse_workflow
from argo.client.records import NewWorkflow, Workflow


class _Refused(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.status)
        self.refusal = refusal


class _CreateRequest(m.WorkflowCreateRequest):
    """Hera still calls pydantic's old name of this method, which warns at every call."""

    def json(self, **options: Any) -> str:
        return self.model_dump_json(**options)


class _Session(requests.Session):
    """One pool of connections with time limits and today's token. Safe for several threads: it keeps no state."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self.trust_env = False  # neither a proxy nor a .netrc file of this machine may change what is sent where
        adapter = HTTPAdapter(pool_maxsize=connection.calls_at_once, max_retries=0)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def request(self, method: str, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["headers"] = dict(kwargs.get("headers") or {}) | {"Authorization": self._connection.authorization()}
        kwargs["timeout"] = self._connection.timeouts
        kwargs["allow_redirects"] = False
        response = super().request(method, url, *args, **kwargs)
        if response.status_code != requests.codes.ok:
            raise _Refused(Refusal.read(response.status_code, response.content))
        return response


class Submission:
    """One shared Hera service."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._session = _Session(connection)
        verify = connection.verify
        self._service = WorkflowsService(
            host=connection.base,
            verify_ssl=verify if isinstance(verify, bool) else str(verify),  # type: ignore[arg-type]  # (requests' rule)
            namespace=connection.namespace,
            session=self._session,
        )

    def create(self, new: NewWorkflow) -> Workflow | None:
        """Create it; None when it was created but the answer cannot be read. Raises as `ArgoClient.submit` says."""
        model = HeraWorkflow(
            name=new.name,
            namespace=self._connection.namespace,
            labels=dict(new.labels),
            annotations=dict(new.annotations),
            workflow_template_ref=m.WorkflowTemplateRef(name=new.template),
            arguments=dict(new.arguments),
            entrypoint=new.entrypoint or None,
        ).build()
        try:
            created = self._service.create_workflow(_CreateRequest(workflow=model))
            return parse_workflow(created.model_dump(mode="json", by_alias=True, exclude_none=True))
        except _Refused as exc:
            raise submission_error(new.name, exc.refusal) from exc
        except (ValidationError, ValueError):
            return None
        except requests.RequestException as exc:
            raise ArgoUnavailable(type(exc).__name__, definite=_never_sent(exc)) from exc

    def close(self) -> None:
        self._session.close()


def _never_sent(exc: requests.RequestException) -> bool:
    """Whether the request surely did not leave: no address, no connection, no trust."""
    reason = getattr(exc.args[0], "reason", None) if exc.args else None
    return isinstance(reason, NEVER_SENT) or has_untrusted_peer(reason)
