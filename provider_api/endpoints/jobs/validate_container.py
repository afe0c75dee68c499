"""POST validateContainer: would a start take this container? The same rule answers; no image registry is asked."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from provider_api.access.image import AlgorithmContainer, problem
from provider_api.calls.parameters import plain
from provider_api.endpoints.request import parameters_of
from provider_api.http.errors import Refused
from provider_api.http.responses import json_response

router = APIRouter()


@router.post("/api/services/validateContainer")
async def validate_container(request: Request) -> Response:
    given = await parameters_of(request, ())
    texts = (value if isinstance(value := given.get(name), str) else "" for name in ("entrypoint", "image", "checksum"))
    if (code := problem(AlgorithmContainer(*texts))) is not None:
        raise Refused(code)
    return json_response(plain(dict(given.values)))
