"""The development chain in tests: published assets, orders, and what an attacker can put on a chain.

Keys are those of the public development mnemonic. `Chain` is one running chain with a network opened on it; use the
fixture `chain` (function scoped, the process behind it lives as long as the test session).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount

from ocean import ecies
from ocean.addresses import ZERO, checksum
from ocean.chain.contracts import event
from ocean.chain.development import CONSUMER, ENVIRONMENT, OWNER, PROVIDER, PUBLISHER, STRANGER, account
from ocean.chain.network import Network, NftState
from ocean.chain.ordering import start_order
from ocean.chain.orders import OrderRequest
from ocean.chain.publishing import AssetDraft, Encryption, mint, publish_asset
from ocean.chain.transactions import send
from ocean.ddo import DDO
from ocean.ecies import public_key_of
from ocean.fees import Quote, make_quote
from ocean.files import UrlFile

FREE, PAID = "free", "paid"  # names of environments
PROVIDER_URL = "http://127.0.0.1:8030"
ONE = 10**18

owner, publisher, consumer, provider, environment, stranger = (
    account(role) for role in (OWNER, PUBLISHER, CONSUMER, PROVIDER, ENVIRONMENT, STRANGER)
)


def for_key(public_key: bytes | str) -> Encryption:
    """Encryption on the spot with a provider's public key."""

    async def encrypt(plain: bytes) -> bytes:
        return ecies.encrypt(public_key, plain)

    return encrypt


async def set_state(network: Network, key: LocalAccount | str, nft: str, state: int) -> None:
    """0 active, 1 end of life, 2 deprecated, 3 revoked, 4 ordering disabled, 5 unlisted."""
    await send(network, key, network.function("ERC721Template", nft, "setMetaDataState", state))


async def nft_state(network: Network, nft: str) -> NftState | None:
    """None when there is no data NFT at that address."""
    (answer,) = await network.read(network.function("ERC721Template", nft, "getMetaData"))
    return NftState(*answer) if answer else None


async def is_deployed(network: Network, nft: str, datatoken: str) -> bool:
    """Whether this NFT created that datatoken."""
    (deployed,) = await network.read(network.function("ERC721Template", nft, "isDeployed", checksum(datatoken)))
    return bool(deployed)


@dataclass(frozen=True)
class Asset:
    """A published asset with one service."""

    ddo: DDO

    @property
    def nft(self) -> str:
        return self.ddo.nft_address

    @property
    def datatoken(self) -> str:
        return self.ddo.services[0].datatoken_address

    @property
    def service_id(self) -> str:
        return self.ddo.services[0].id


@dataclass(frozen=True)
class Chain:
    """`url` and `address_file` are what a service's settings need; `network` is open."""

    url: str
    address_file: str
    network: Network

    async def publish(self, *, key: LocalAccount = publisher, flags: int = 1, **draft: Any) -> Asset:
        """An asset of `publisher`, served by `provider`; keyword arguments go to AssetDraft."""
        details = {"name": "rain", "files": [UrlFile("http://127.0.0.1:9/rain.csv")], "timeout": 3600} | draft
        encrypt = for_key(public_key_of(provider))
        made = AssetDraft(**details)
        return Asset(
            await publish_asset(self.network, key, made, provider_url=PROVIDER_URL, encrypt=encrypt, flags=flags)
        )

    async def give(self, asset: Asset, to: LocalAccount = consumer, amount: int = ONE) -> None:
        """Datatokens, from the publisher who mints them."""
        await mint(self.network, publisher, asset.datatoken, to.address, amount)

    def quote(self, asset: Asset, **changes: Any) -> Quote:
        """The provider's quote for an hour in the free environment; keyword arguments go to make_quote, and `key`."""
        now = time.time()
        details: dict[str, Any] = {
            "environment": FREE,
            "datatoken": asset.datatoken,
            "service_id": asset.service_id,
            "fee_token": self.network.ocean,
            "amount": 0,
            "valid_until": int(now) + 3600,
            "now": now,
        }
        key = changes.pop("key", provider)
        return make_quote(key, **(details | changes))

    async def order(
        self,
        asset: Asset,
        quote: Quote | None = None,
        *,
        key: LocalAccount = consumer,
        to: str = environment.address,
        service_index: int = 0,
    ) -> str:
        """Give one datatoken to `key` and order with it; the transaction hash."""
        await self.give(asset, key)
        return await start_order(self.network, key, asset.datatoken, to, service_index, quote or self.quote(asset))

    def request(self, asset: Asset, tx_hash: str, **changes: Any) -> OrderRequest:
        """What the service asks when `consumer` wants to use the order in the free environment."""
        details: dict[str, Any] = {
            "tx_hash": tx_hash,
            "nft": asset.nft,
            "datatoken": asset.datatoken,
            "service_id": asset.service_id,
            "service_index": 0,
            "timeout": asset.ddo.services[0].timeout,
            "sender": consumer.address,
            "fee_address": provider.address,
            "fee_token": self.network.ocean,
            "environment": FREE,
            "required_consumer": environment.address,
        }
        return OrderRequest(**(details | changes))

    async def reach(self, timestamp: int) -> None:
        """Mine until the newest block is of `timestamp` or later: by the chain's clock, whatever a test did to it."""
        while int((await self.network.rpc.call("eth_getBlockByNumber", "latest", False))["timestamp"], 16) < timestamp:
            await asyncio.sleep(0.1)
            await self.network.rpc.call("evm_mine")

    async def snapshot(self) -> Any:
        return await self.network.rpc.call("evm_snapshot")

    async def revert(self, snapshot: Any) -> None:
        """Forget all blocks since the snapshot, as a reorganisation does.

        Anvil's clock falls back to the snapshot's time with it and goes on from there, so it is set again.
        """
        assert await self.network.rpc.call("evm_revert", snapshot)
        await self.network.rpc.call("evm_setTime", int(time.time()))

    # --- what an attacker can do --------------------------------------------------------------------------------------

    async def forge_logs(self, logs: Sequence[tuple[Sequence[bytes], bytes]], key: LocalAccount = stranger) -> str:
        """Emit any logs from a throw-away contract; the transaction hash. Only the emitter is true."""
        code = self.network.web3.eth.contract(abi=[], bytecode=emitting_code(logs))
        return (await send(self.network, key, code.constructor())).tx_hash

    async def forged_order(self, asset: Asset, quote: Quote, *, payer: str = consumer.address) -> str:
        """Logs of an order of `asset` that nobody paid for."""
        return await self.forge_logs(
            [
                order_started_log(environment.address, payer, 0, int(time.time())),
                provider_fee_log(quote),
            ]
        )

    async def attackers_asset(self) -> Asset:
        """A genuine asset of the attacker, who is its minter."""
        return await self.publish(key=stranger, name="trap")

    async def order_of_own_token(self, own: Asset, quote: Quote) -> str:
        """A real order of the attacker's datatoken that carries the victim's quote; the datatoken takes any."""
        await mint(self.network, stranger, own.datatoken, stranger.address)
        return await start_order(self.network, stranger, own.datatoken, environment.address, 0, quote)

    async def order_bundle(self, asset: Asset, quote: Quote, *, key: LocalAccount = consumer) -> str:
        """An order through the factory, which the datatoken then records as the payer."""
        await self.give(asset, key)
        function, factory = self.network.function, self.network.factory
        await send(self.network, key, function("ERC20Template", asset.datatoken, "approve", factory, ONE))
        bundle = [(asset.datatoken, environment.address, 0, quote.tuple(), (ZERO, ZERO, 0))]
        call = function("ERC721Factory", factory, "startMultipleTokenOrder", bundle)
        return (await send(self.network, key, call)).tx_hash


async def mined_at(network: Network, tx: str) -> int:
    """When the block of a transaction was made, seconds UTC."""
    receipt = await network.receipt(tx)
    assert receipt is not None
    return int((await network.rpc.call("eth_getBlockByNumber", hex(receipt.block_number), False))["timestamp"], 16)


def order_started_log(consumer_: str, payer: str, service_index: int, timestamp: int) -> tuple[list[bytes], bytes]:
    topics = [_topic("OrderStarted"), _word(consumer_), _word(ZERO)]
    return topics, encode(["address", *["uint256"] * 4], [payer, ONE, service_index, timestamp, 1])


def order_reused_log(order_tx: str, caller: str, timestamp: int) -> tuple[list[bytes], bytes]:
    data = encode(["bytes32", "address", "uint256", "uint256"], [bytes.fromhex(order_tx[2:]), caller, timestamp, 1])
    return [_topic("OrderReused")], data


def provider_fee_log(quote: Quote) -> tuple[list[bytes], bytes]:
    topics = [_topic("ProviderFee"), _word(quote.fee_address), _word(quote.fee_token)]
    types = ["uint256", "bytes", "uint8", "bytes32", "bytes32", "uint256"]
    values = [quote.amount, quote.provider_data, quote.v, quote.r, quote.s, quote.valid_until]
    return topics, encode(types, values)


def emitting_code(logs: Sequence[tuple[Sequence[bytes], bytes]]) -> bytes:
    """Creation code that emits these logs (topics, data) and leaves an empty contract behind."""

    def assembled(base: int) -> tuple[bytes, bytes]:
        code, blob = b"", b""
        for topics, data in logs:
            size = b"\x61" + len(data).to_bytes(2, "big")  # PUSH2
            code += size + b"\x61" + (base + len(blob)).to_bytes(2, "big") + b"\x60\x00\x39"  # CODECOPY to 0
            code += b"".join(b"\x7f" + topic for topic in reversed(topics))  # PUSH32
            code += size + b"\x60\x00" + bytes([0xA0 + len(topics)])  # LOGn
            blob += data
        return code + b"\x60\x00\x60\x00\xf3", blob  # RETURN nothing

    code, blob = assembled(len(assembled(0)[0]))
    return code + blob


def _topic(name: str) -> bytes:
    return bytes.fromhex(event("ERC20Template", name).topic[2:])


def _word(address: str) -> bytes:
    return bytes.fromhex(address[2:]).rjust(32, b"\0")
