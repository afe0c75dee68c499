"""The calls of a metadata store (Aquarius) that publishers' and consumers' clients make, answered from the own index.

ocean.py finds them below the address it takes for a metadata store, whose `GET /` must answer 200: our root document
does. Answers have the store's shapes; a neighbour that is away gets the service's own (503 with Retry-After).
"""

from typing import Final

from provider_api.endpoints.metadata_store import assets, chains, query, validation

ENDPOINTS: Final = (
    assets.document,
    assets.metadata,
    assets.names,
    query.query,
    validation.validate,
    validation.schema,
    chains.listed,
    chains.status,
)
