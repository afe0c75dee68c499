"""One chain: its node, the addresses of Ocean's contracts there, and the reads that deciding about jobs needs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from web3.contract.async_contract import AsyncContractFunction

from ocean.addresses import ZERO, canonical, checksum
from ocean.chain.answers import head_number
from ocean.chain.errors import AnswerMalformed
from ocean.chain.errors import NetworkMisconfigured as NetworkMisconfigured
from ocean.chain.logs import Receipt, receipt_of
from ocean.chain.node import Node, connected
from ocean.chain.rpc import Rpc

NAMES = {
    1: "Ethereum Mainnet",
    10: "OP Mainnet",
    137: "Polygon Mainnet",
    8453: "Base",
    8996: "Ganache",
    11155111: "Sepolia",
    11155420: "OP Sepolia",
}


@dataclass(frozen=True, slots=True)
class NftState:
    """`getMetaData()` of a data NFT. 0 active, 1 end of life, 2 deprecated, 3 revoked, 4 disabled, 5 unlisted."""

    decryptor_url: str
    decryptor_address: str
    state: int
    has_metadata: bool


@dataclass(frozen=True, slots=True)
class NftReading:
    """All that one resolution reads of an NFT, in one request; `owner` is a checksum address."""

    of_factory: bool
    state: NftState | None
    owner: str | None
    head: int


@dataclass(frozen=True, slots=True)
class OrderReading:
    """All that one order verification reads at first, in one request."""

    of_factory: bool
    deployed: bool
    receipt: Receipt | None
    head: int


class Network(Node):
    """Open with `await Network.open(...)`, close with `await close()`. Every read may raise ChainUnavailable."""

    def __init__(self, rpc: Rpc, addresses: Mapping[str, Any], confirmations: int) -> None:
        super().__init__(rpc)
        self.addresses = dict(addresses)  # an entry of Ocean's address file
        self.factory = checksum(addresses["ERC721Factory"])
        self.ocean = checksum(addresses["Ocean"])
        self.start_block = int(addresses.get("startBlock", 0))
        self.confirmations = confirmations
        self._decimals: dict[str, int] = {ZERO: 18}

    @classmethod
    async def open(
        cls,
        url: str,
        addresses: Mapping[str, Any] | Path | str,
        chain_id: int | None = None,
        *,
        confirmations: int = 1,
        timeout_seconds: float = 10.0,
    ) -> Network:
        """Connect and check. `addresses`: one entry of an address file, or the file (network name → entry, the first
        whose chainId fits is taken). `confirmations`: blocks an order must lie deep, 1 = mined.
        Raises ChainUnavailable, NetworkMisconfigured."""
        rpc = await connected(url, expected=chain_id or 0, timeout_seconds=timeout_seconds)
        try:
            entry = _entry_of(addresses, rpc.chain_id, chain_id)
        except BaseException:
            await rpc.disconnect()
            raise
        return cls(rpc, entry, confirmations)

    @property
    def name(self) -> str:
        return NAMES.get(self.chain_id, f"Chain {self.chain_id}")

    # --- assets ------------------------------------------------------------------------------------------------------

    async def read_nft(self, nft: str) -> NftReading:
        """Factory membership, state, owner and the chain's head at once."""
        listed, state, owner, head = await self.read(
            self._listed(nft),
            self.view("ERC721Template", nft, "getMetaData"),
            self.view("ERC721Template", nft, "ownerOf", 1),
            head_number(),
        )
        return NftReading(_is(listed, nft), _state(state), owner, head)

    async def nft_owner(self, nft: str) -> str | None:
        """Checksum address of the publisher; None when there is no data NFT at that address."""
        (owner,) = await self.read(self.function("ERC721Template", nft, "ownerOf", 1))
        return None if owner is None else str(owner)

    # --- tokens ------------------------------------------------------------------------------------------------------

    async def token_decimals(self, token: str) -> int:
        """Remembered for ever. Raises AnswerMalformed when it is no token; 18 for the zero address."""
        key = canonical(token)
        if key not in self._decimals:
            self._decimals[key] = await self._number(self.function("ERC20Template", token, "decimals"))
        return self._decimals[key]

    async def balance(self, token: str, address: str) -> int:
        """Base units of `token` that `address` holds."""
        return await self._number(self.function("ERC20Template", token, "balanceOf", checksum(address)))

    # --- transactions and blocks -------------------------------------------------------------------------------------

    async def read_order(self, nft: str, datatoken: str, tx_hash: str) -> OrderReading:
        """NFT of our factory, datatoken of that NFT, receipt and head at once."""
        listed, deployed, receipt, head = await self.read(
            self._listed(nft),
            self._deployed(nft, datatoken),
            receipt_of(tx_hash),
            head_number(),
        )
        return OrderReading(_is(listed, nft), bool(deployed), receipt, head)

    async def receipts(self, tx_hashes: Sequence[str]) -> list[Receipt | None]:
        return await self.read(*(receipt_of(tx_hash) for tx_hash in tx_hashes))

    async def receipt(self, tx_hash: str) -> Receipt | None:
        """None when the transaction is unknown or not mined; never waits."""
        return (await self.receipts([tx_hash]))[0]

    async def head(self) -> int:
        return int(await self.ask(head_number()))

    # --- shared ------------------------------------------------------------------------------------------------------

    def _listed(self, nft: str) -> AsyncContractFunction:
        return self.view("ERC721Factory", self.factory, "erc721List", checksum(nft))

    def _deployed(self, nft: str, datatoken: str) -> AsyncContractFunction:
        return self.view("ERC721Template", nft, "isDeployed", checksum(datatoken))

    async def _number(self, call: AsyncContractFunction) -> int:
        (answer,) = await self.read(call)
        if answer is None:
            raise AnswerMalformed(call.fn_name)
        return int(answer)


def read_address_file(path: Path, chain_id: int) -> dict[str, Any]:
    """The entry of an Ocean address file for `chain_id`. Raises NetworkMisconfigured."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise NetworkMisconfigured(f"the address file {path} cannot be read") from exc
    for entry in document.values() if isinstance(document, dict) else ():
        if isinstance(entry, dict) and entry.get("chainId") == chain_id:
            return entry
    raise NetworkMisconfigured(f"the address file {path} has no entry for chain {chain_id}")


def distributed_addresses() -> Path:
    """The address file of the public networks that comes with the package ocean-contracts."""
    return Path(str(metadata.distribution("ocean-contracts").locate_file("addresses/address.json")))


def _entry_of(addresses: Mapping[str, Any] | Path | str, found: int, expected: int | None) -> Mapping[str, Any]:
    if expected not in (None, found):
        raise NetworkMisconfigured(f"the node serves chain {found}, not {expected}")
    entry = addresses if isinstance(addresses, Mapping) else read_address_file(Path(addresses), found)
    if missing := {"Ocean", "ERC721Factory"} - entry.keys():
        raise NetworkMisconfigured(f"no address of {', '.join(sorted(missing))} for chain {found}")
    return entry


def _is(listed: str | None, nft: str) -> bool:
    return listed is not None and canonical(listed) == canonical(nft)


def _state(values: Sequence[Any] | None) -> NftState | None:
    return NftState(*values) if values else None
