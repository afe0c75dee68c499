"""Everything the service asks of an Argo Server, real or embedded. Argo's words end here.

Submission goes through Hera, queries through the argo-workflows client, logs and the watch of workflows over plain
streaming HTTP; callers see `ArgoServers` over several `ArgoClient`, the values of `records` and the errors of `errors`.
"""

from argo.client.client import ArgoClient
from argo.client.errors import (
    ArgoError,
    ArgoRefused,
    ArgoUnavailable,
    ArgumentsMismatch,
    SubmissionRefused,
    WorkflowExists,
    WorkflowFinished,
    WorkflowNotFound,
)
from argo.client.records import NewWorkflow, Node, Template, Workflow
from argo.client.servers import ArgoServers

__all__ = [
    "ArgoClient",
    "ArgoError",
    "ArgoRefused",
    "ArgoServers",
    "ArgoUnavailable",
    "ArgumentsMismatch",
    "NewWorkflow",
    "Node",
    "SubmissionRefused",
    "Template",
    "Workflow",
    "WorkflowExists",
    "WorkflowFinished",
    "WorkflowNotFound",
]
