"""The HTTP endpoints: parameters in, one call, answer out."""

from fastapi import APIRouter

from provider_api.routes import compute, encrypt, environments, health, initialize_compute, nonce, results, root

router = APIRouter()
for part in (root, nonce, encrypt, environments, initialize_compute, compute, results, health):
    router.include_router(part.router)
