"""The HTTP endpoints: parameters in, one call, answer out."""

from fastapi import APIRouter

from provider_api.routes import (
    auth,
    compute,
    decrypt,
    description,
    encrypt,
    environments,
    health,
    initialize_compute,
    nonce,
    results,
    root,
    why_not,
)

router = APIRouter()
for part in (
    root,
    description,
    nonce,
    auth,
    encrypt,
    decrypt,
    environments,
    initialize_compute,
    compute,
    results,
    health,
    why_not,
):
    router.include_router(part.router)
