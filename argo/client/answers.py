"""What Argo's error answers mean. The one place that reads them; the body is `{"code": grpc code, "message": text}`.

409 with code 6 stands for two things: the name is taken, or somebody changed the object meanwhile. And 500 with code 13
is also Argo's answer to stopping a finished workflow. Only the message tells them apart.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from argo.client.errors import (
    ArgoError,
    ArgoRefused,
    ArgoUnavailable,
    SubmissionRefused,
    WorkflowExists,
    WorkflowFinished,
    WorkflowNotFound,
)

_LONGEST_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success."""

    status: int
    message: str

    @classmethod
    def read(cls, status: int, body: str | bytes | None) -> Refusal:
        """A proxy's answer may be anything; a stream's error stands under `error`."""
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body or ""
        try:
            document = json.loads(text)
        except ValueError:
            return cls(status, text.strip()[:_LONGEST_MESSAGE])
        if isinstance(document, dict) and isinstance(document.get("error"), dict):
            document = document["error"]
        message = document.get("message") if isinstance(document, dict) else None
        return cls(status, str(message or text)[:_LONGEST_MESSAGE])


def submission_error(name: str, refusal: Refusal) -> ArgoError:
    """Why a create failed, and whether it certainly did."""
    match refusal.status:
        case 409 if "already exists" in refusal.message:
            return WorkflowExists(name)
        case 429:
            return ArgoUnavailable("it asks for fewer requests", definite=True)
        case 400 | 401 | 403 | 404 | 405 | 413 | 415 | 422 | 501:
            return SubmissionRefused(refusal.status, refusal.message)
        case _:
            return ArgoUnavailable(f"it answered {refusal.status}", definite=False)


def query_error(name: str, refusal: Refusal) -> ArgoError:
    """Why a request about an existing workflow (or a list, then `name` is "") failed."""
    match refusal.status:
        case 404 if name:
            return WorkflowNotFound(name)
        case 500 if "cannot shutdown a completed workflow" in refusal.message:
            return WorkflowFinished(name)
        case 409 | 410 | 429:  # 410: it does not remember what changed since then
            return ArgoUnavailable(f"it answered {refusal.status}: {refusal.message}", definite=True)
        case status if 400 <= status < 500 or status == 501:
            return ArgoRefused(status, refusal.message)
        case _:
            return ArgoUnavailable(f"it answered {refusal.status}", definite=False)
