"""What `c2d verify` asks others, if told to: the service that it trusts to sign, and the chain, who was paid."""

from __future__ import annotations

import asyncio
from typing import Final

import httpx

from client.answers import accounts_in
from client.exits import Unusable
from client.text import bounded_object
from ocean.addresses import checksum
from ocean.chain.errors import ChainUnavailable
from ocean.chain.fee_takers import fee_takers
from ocean.chain.node import Node, connected
from records.verify import Verified, agreed_order, require_paid

SECONDS: Final = 20.0  # for each neighbour that is asked
MOST_ANSWER_BYTES: Final = 1 << 20


def accounts_of(url: str) -> list[str]:
    """Checksum addresses that the root document of a service names. Raises Unusable."""
    content = bytearray()
    try:
        with httpx.Client(timeout=SECONDS) as client, client.stream("GET", url) as answer:
            answer.raise_for_status()
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > MOST_ANSWER_BYTES:
                    raise Unusable(f"{url} answers with more than any service does")
    except httpx.HTTPError as exc:
        raise Unusable(str(exc) or type(exc).__name__) from None
    try:
        document = bounded_object(bytes(content))
        found: list[str] = [checksum(each) for each in accounts_in(document)]
    except (ValueError, AttributeError, TypeError):  # AddressInvalid is a ValueError
        found = []
    if not found:
        raise Unusable(f"{url} does not answer as a provider does: its root document names no account")
    return found


def require_paid_on(url: str, verified: Verified) -> None:
    """Ask a node of a chain whether the order that the passport names paid its fee to the signer. Raises NotVerified,
    Unusable."""
    try:
        asyncio.run(_require_paid(url, verified))
    except (ChainUnavailable, httpx.HTTPError, OSError) as exc:
        raise Unusable(str(exc) or type(exc).__name__) from None


async def _require_paid(url: str, verified: Verified) -> None:
    order = agreed_order(verified.passport)
    node = Node(await connected(url))
    try:
        if node.chain_id != order.chain_id:
            raise Unusable(f"the order is on chain {order.chain_id}, and this node is of chain {node.chain_id}")
        require_paid(verified, await fee_takers(node, order.did, order.order))
    finally:
        await node.close()
