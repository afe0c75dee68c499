"""The HTTP endpoints: parameters in, one call, answer out."""

from fastapi import APIRouter

from provider_api.routes import (
    auth,
    compute,
    decrypt,
    description,
    download,
    encrypt,
    environments,
    fileinfo,
    health,
    initialize,
    initialize_compute,
    nonce,
    published,
    results,
    root,
    validate_container,
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
    fileinfo,
    initialize,
    download,
    environments,
    validate_container,
    initialize_compute,
    compute,
    results,
    published,
    health,
    why_not,
):
    router.include_router(part.router)
