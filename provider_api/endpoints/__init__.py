"""The HTTP endpoints: parameters in, one call, answer out."""

from fastapi import APIRouter

from provider_api.endpoints.files import decrypt, download, encrypt, fileinfo, initialize
from provider_api.endpoints.jobs import (
    compute,
    environments,
    initialize_compute,
    published,
    results,
    validate_container,
    why_not,
)
from provider_api.endpoints.service import api_pages as description
from provider_api.endpoints.service import auth, health, nonce, root

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
