"""Every endpoint, in the order in which the description shows them."""

from typing import Final

from provider_api.openapi.operation import Operation
from provider_api.openapi.operations import files, jobs, metadata_store, operator, service, subgraph

OPERATIONS: Final[tuple[Operation, ...]] = (
    *service.OPERATIONS,
    *files.OPERATIONS,
    *jobs.OPERATIONS,
    *metadata_store.OPERATIONS,
    *subgraph.OPERATIONS,
    *operator.OPERATIONS,
)
