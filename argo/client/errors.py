"""What can go wrong between us and Argo, as data. Nothing below carries a token, an argument or a manifest.

Policy of the client: a definite answer of Argo becomes an error that says what it means; everything else (no
connection, time over, a fault of the server) is `ArgoUnavailable`, which says whether the request may have had an
effect. Reads are repeated once on a lost connection; nothing that may have changed state is ever repeated in here.
"""

from __future__ import annotations


class ArgoError(Exception):
    """Base of all errors of the client."""


class ArgoUnavailable(ArgoError):
    """No usable answer. `definite`: the request certainly had no effect; otherwise nobody knows, so ask by name."""

    def __init__(self, reason: str, *, definite: bool) -> None:
        super().__init__(f"Argo is unavailable: {reason}")
        self.reason, self.definite = reason, definite


class ArgoRefused(ArgoError):
    """Argo understood and said no: our token lacks a right, a selector is wrong, … A fault of ours or of the set-up."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"Argo refused with {status}: {message}")
        self.status, self.message = status, message


class SubmissionRefused(ArgoRefused):
    """The workflow was certainly not created: no such template (404), missing argument (400), no right (403), …"""


class WorkflowExists(ArgoError):
    """The name is taken by a live workflow, so the submission has happened before."""

    def __init__(self, name: str) -> None:
        super().__init__(f"workflow {name} already exists")
        self.name = name


class WorkflowNotFound(ArgoError):
    """Neither live nor archived."""

    def __init__(self, name: str) -> None:
        super().__init__(f"workflow {name} not found")
        self.name = name


class WorkflowFinished(ArgoError):
    """A finished workflow can no longer be stopped or terminated."""

    def __init__(self, name: str) -> None:
        super().__init__(f"workflow {name} has already finished")
        self.name = name


class ArgumentsMismatch(ValueError):
    """The arguments are not exactly the declared ones. Argo would ignore a misspelt one in silence."""

    def __init__(self, missing: set[str], unknown: set[str]) -> None:
        parts = [f"missing {sorted(missing)}"] * bool(missing) + [f"unknown {sorted(unknown)}"] * bool(unknown)
        super().__init__("arguments: " + ", ".join(parts))
        self.missing, self.unknown = missing, unknown
