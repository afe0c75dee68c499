"""Every endpoint, in the order in which the description shows them."""

from typing import Final

from provider_api.endpoints.files import description as files
from provider_api.endpoints.jobs import description as jobs
from provider_api.endpoints.metadata_store import description as metadata_store
from provider_api.endpoints.operator import description as operator
from provider_api.endpoints.service import description as service
from provider_api.endpoints.subgraph import description as subgraph
from provider_api.openapi.operation import Operation

OPERATIONS: Final[tuple[Operation, ...]] = (
    *service.OPERATIONS,
    *files.OPERATIONS,
    *jobs.OPERATIONS,
    *metadata_store.OPERATIONS,
    *subgraph.OPERATIONS,
    *operator.OPERATIONS,
)
