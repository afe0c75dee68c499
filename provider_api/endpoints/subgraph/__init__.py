"""The questions that clients of Ocean ask a subgraph, answered from the events of the own index.

Clients append the path to the address that they are given, so a chain is named in front of it: `/chains/ID`. Without
that the first chain answers that the service was told of. Every answer is one for the block that the chain had when it
was asked: clients ask right after their own transaction.
"""

from typing import Final

from provider_api.endpoints.subgraph import route

ENDPOINTS: Final = (route.first_chain, route.one_chain)
