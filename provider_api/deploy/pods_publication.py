"""`publication.json`: what publishing pods are told of the chain on which results become assets. In a cluster a
Secret's file, beside the key of the account that pays (`pods.publishing.facts`).
"""

from __future__ import annotations

from typing import Any

from ocean.chain.network import distributed_addresses, read_address_file
from ocean.ecies import public_key_of
from provider_api.keys import ProviderKeys
from provider_api.settings import ChainSettings, Settings


class PublicationUnset(ValueError):
    """The settings do not say all that publishing pods must know."""


def chain_of(settings: Settings, chain_id: int) -> ChainSettings:
    """Raises PublicationUnset."""
    for chain in settings.chains:
        if chain.chain_id == chain_id:
            return chain
    raise PublicationUnset(f"C2D_CHAINS has no entry with chain_id {chain_id}")


def provider_url_of(settings: Settings) -> str:
    """The service's address as it stands in the assets. Raises PublicationUnset."""
    if not settings.server.public_urls:
        raise PublicationUnset("C2D_SERVER__PUBLIC_URLS is empty: the first one will stand in the assets")
    return settings.server.public_urls[0]


def pods_publication(
    chain: ChainSettings, chain_id: int, keys: ProviderKeys, *, provider_url: str, files_url: str = ""
) -> dict[str, Any]:
    """The document. The node's address may hold an access key. Raises NetworkMisconfigured."""
    return {
        "chain_id": chain_id,
        "rpc_url": chain.url,
        "addresses": read_address_file(chain.address_file or distributed_addresses(), chain_id),
        "provider_url": provider_url,
        "provider_public_key": "0x" + public_key_of(keys.private_key).hex(),
        "files_url": files_url,
        "confirmations": max(1, chain.confirmations),
    }
