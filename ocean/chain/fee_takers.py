"""Who was paid a provider's fee by an order, as the chain tells it to somebody who has only the order and the asset."""

from __future__ import annotations

from ocean.addresses import checksum
from ocean.chain.contracts import event
from ocean.chain.errors import AnswerMalformed
from ocean.chain.logs import Receipt, receipt_of
from ocean.chain.node import Node
from ocean.did import did_of

_PROVIDER_FEE = event("ERC20Template", "ProviderFee")


async def fee_takers(node: Node, did: str, tx_hash: str) -> frozenset[str]:
    """Checksum addresses to which this transaction paid a fee for the asset; none where there is no such order.

    Only logs of a datatoken count that the asset's own NFT knows, because everybody can make a contract that logs what
    it likes. That an address is in here says that it signed the fee of this order: a datatoken takes any signer, so it
    does not say that the asset's publisher has chosen this provider. Raises ChainUnavailable.
    """
    receipt: Receipt | None = await node.ask(receipt_of(tx_hash))
    if receipt is None or not receipt.succeeded:
        return frozenset()
    found = set[str]()
    for log in receipt.logs:
        if log.topics and log.topics[0] == _PROVIDER_FEE.topic and await _is_of(node, log.address, did):
            try:
                found.add(checksum(_PROVIDER_FEE.decode(log)["providerFeeAddress"]))
            except AnswerMalformed:
                continue  # the event of another contract, of the same name
    return frozenset(found)


async def _is_of(node: Node, datatoken: str, did: str) -> bool:
    """The DID names the NFT, and the NFT its datatokens."""
    (nft,) = await node.read(node.function("ERC20Template", datatoken, "getERC721Address"))
    if nft is None or did_of(nft, node.chain_id) != did:
        return False
    (deployed,) = await node.read(node.function("ERC721Template", nft, "isDeployed", checksum(datatoken)))
    return deployed is True
