"""Contract wallets on a real chain, friendly and hostile: whether a signature is theirs."""

from __future__ import annotations

import pytest

from ocean.chain.errors import ChainUnavailable
from ocean.chain.network import Network
from ocean.chain.wallets import MAX_SIGNATURE_BYTES, signed_by_contract
from ocean.signing import digest, sign, signature_bytes
from provider_api.deploy.addresses import free_port
from tests.support import wallets
from tests.support.chain import Chain, consumer, provider, stranger

pytestmark = pytest.mark.integration

HASH = digest("did:op:1" + "5")


def signature(text: str = "did:op:15", key: str = consumer.key.hex()) -> bytes:
    found = signature_bytes(sign(text, key))
    assert found is not None
    return found


async def test_a_wallet_with_one_owner(chain: Chain) -> None:
    wallet = await wallets.deploy(chain.network, stranger, wallets.owned_by(consumer.address))
    assert await signed_by_contract(chain.network, wallet.lower(), HASH, signature()) is True
    assert await signed_by_contract(chain.network, wallet, HASH, signature("another text")) is False
    assert await signed_by_contract(chain.network, wallet, HASH, signature(key=provider.key.hex())) is False
    assert await signed_by_contract(chain.network, wallet, digest("another"), signature()) is False
    assert await signed_by_contract(chain.network, wallet, HASH, b"") is False


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (wallets.YES, True),
        (wallets.NO, False),
        (wallets.REVERTS, False),
        (wallets.ENDLESS, False),
        (wallets.INVALID, False),
        (wallets.SHORT, False),
        (wallets.TRUE, False),
    ],
    ids=["yes", "no", "reverts", "endless", "invalid", "short", "true"],
)
@pytest.mark.parametrize("size", [0, 1, 31, 32, 65, 520, MAX_SIGNATURE_BYTES])
async def test_whatever_else_a_contract_says_is_a_no(chain: Chain, code: str, expected: bool, size: int) -> None:
    wallet = await wallets.deploy(chain.network, stranger, code)
    assert await signed_by_contract(chain.network, wallet, HASH, bytes(size)) is expected


async def test_where_there_is_no_contract(chain: Chain) -> None:
    assert await signed_by_contract(chain.network, consumer.address, HASH, signature()) is None
    assert await signed_by_contract(chain.network, chain.network.ocean, HASH, signature()) is False, "no wallet"
    assert await signed_by_contract(chain.network, chain.network.ocean, HASH, bytes(MAX_SIGNATURE_BYTES + 1)) is None


async def test_a_node_that_is_away(chain: Chain) -> None:
    away = Network(type(chain.network.rpc)(f"http://127.0.0.1:{free_port()}"), chain.network.addresses, 1)
    try:
        with pytest.raises(ChainUnavailable):
            await signed_by_contract(away, consumer.address, HASH, signature())
    finally:
        await away.close()
