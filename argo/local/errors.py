"""Errors in Argo's shape: `{"code": gRPC code, "message": text}` with the HTTP status that Argo Server gives it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

_GRPC = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 500: 13, 501: 12, 503: 14}


class ApiError(Exception):
    """What a caller gets to see. Nothing of it is secret."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message

    def body(self) -> dict[str, Any]:
        return {"code": _GRPC[self.status], "message": self.message}

    def stream_body(self) -> dict[str, Any]:
        """The same error as the streaming endpoints (logs, watch) shape it."""
        return {
            "error": {
                "grpc_code": _GRPC[self.status],
                "http_code": self.status,
                "message": self.message,
                "http_status": HTTPStatus(self.status).phrase,
            }
        }


def invalid(message: str) -> ApiError:
    return ApiError(400, message)


def not_stored(cause: Exception) -> ApiError:
    """The store cannot be written at this moment; nothing has happened, and the same may work later."""
    return ApiError(503, f"the server cannot store anything at the moment: {cause}")


def workflow_not_found(name: str) -> ApiError:
    return ApiError(404, f'workflows.argoproj.io "{name}" not found')


def template_not_found(name: str) -> ApiError:
    return ApiError(404, f'workflowtemplates.argoproj.io "{name}" not found')


def already_exists(name: str) -> ApiError:
    return ApiError(409, f'workflows.argoproj.io "{name}" already exists')


def finished(name: str, namespace: str) -> ApiError:
    return ApiError(500, f'cannot shutdown a completed workflow: workflow: "{name}", namespace: "{namespace}"')
