"""The calls of a metadata store (Aquarius) that publishers' and consumers' clients make, answered from the own index.

ocean.py finds them below the address it takes for a metadata store, whose `GET /` must answer 200: our root document
does. Answers have the store's shapes; a neighbour that is away gets the service's own (503 with Retry-After).
"""

from fastapi import APIRouter

from provider_api.endpoints.metadata_store import assets, chains, query, validation

PREFIX = "/api/aquarius"

router = APIRouter(prefix=PREFIX)
for part in (assets, chains, query, validation):
    router.include_router(part.router)
