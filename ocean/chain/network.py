"""One chain: its node, the addresses of Ocean's contracts there, and the reads that deciding about jobs needs.

Reads that belong together travel in one batch: one HTTP request costs more than ten calls in it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocean.addresses import ZERO, canonical, checksum
from ocean.chain.contracts import AnswerMalformed, Function, function
from ocean.chain.logs import Receipt
from ocean.chain.rpc import CallReverted, ChainUnavailable, NodeRefused, Request, Rpc

if TYPE_CHECKING:
    from web3 import AsyncWeb3

    from ocean.chain.web3_provider import RpcProvider

NAMES = {
    1: "Ethereum Mainnet",
    10: "OP Mainnet",
    137: "Polygon Mainnet",
    8453: "Base",
    8996: "Ganache",
    11155111: "Sepolia",
    11155420: "OP Sepolia",
}

_ERC721_LIST = function("ERC721Factory", "erc721List")
_GET_META_DATA = function("ERC721Template", "getMetaData")
_OWNER_OF = function("ERC721Template", "ownerOf")
_IS_DEPLOYED = function("ERC721Template", "isDeployed")
_DECIMALS = function("ERC20Template", "decimals")
_BALANCE_OF = function("ERC20Template", "balanceOf")


class NetworkMisconfigured(ValueError):
    """The node serves another chain than expected, or the address file does not describe the chain."""


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


class Network:
    """Open with `await Network.open(...)`, close with `await close()`. Every read may raise ChainUnavailable."""

    def __init__(self, rpc: Rpc, chain_id: int, addresses: Mapping[str, Any], confirmations: int) -> None:
        self.rpc = rpc
        self.chain_id = chain_id
        self.addresses = dict(addresses)  # an entry of Ocean's address file
        self.factory = checksum(addresses["ERC721Factory"])
        self.ocean = checksum(addresses["Ocean"])
        self.start_block = int(addresses.get("startBlock", 0))
        self.confirmations = confirmations
        self._decimals: dict[str, int] = {ZERO: 18}
        self._sending: dict[str, asyncio.Lock] = {}

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
        rpc = Rpc(url, chain_id=chain_id or 0, timeout_seconds=timeout_seconds)
        try:
            rpc.chain_id = int(await rpc.call("eth_chainId"), 16)
            entry = _entry_of(addresses, rpc.chain_id, chain_id)
        except BaseException:
            await rpc.close()
            raise
        return cls(rpc, rpc.chain_id, entry, confirmations)

    @property
    def name(self) -> str:
        return NAMES.get(self.chain_id, f"Chain {self.chain_id}")

    @property
    def web3(self) -> AsyncWeb3[RpcProvider]:
        """web3's API on our connection, for what this class does not offer."""
        from ocean.chain.web3_provider import over  # importing web3 takes half a second, and a service never needs it

        return over(self.rpc)

    async def close(self) -> None:
        await self.rpc.close()

    # --- assets ------------------------------------------------------------------------------------------------------

    async def read_nft(self, nft: str) -> NftReading:
        """Factory membership, state, owner and the chain's head at once."""
        requests = [*self._asset_calls(nft), _call(nft, _OWNER_OF, 1), ("eth_blockNumber", [])]
        listed, state, owner, head = await self._batch(requests)
        owners = _decoded(_OWNER_OF, owner)
        return NftReading(
            _is_listed(listed, nft), _state(state), checksum(owners[0]) if owners else None, int(head, 16)
        )

    async def nft_state(self, nft: str) -> NftState | None:
        """None when there is no data NFT at that address."""
        return _state((await self._batch([_call(nft, _GET_META_DATA)]))[0])

    async def nft_owner(self, nft: str) -> str | None:
        """Checksum address of the publisher; None when there is no data NFT at that address."""
        owners = await self.read(nft, _OWNER_OF, 1)
        return checksum(owners[0]) if owners else None

    async def is_deployed(self, nft: str, datatoken: str) -> bool:
        """Whether this NFT created that datatoken."""
        return bool((await self.read(nft, _IS_DEPLOYED, datatoken) or (False,))[0])

    async def factory_knows(self, nft: str) -> bool:
        """Whether Ocean's factory created that NFT."""
        return _is_listed((await self._batch([_call(self.factory, _ERC721_LIST, nft)]))[0], nft)

    # --- tokens ------------------------------------------------------------------------------------------------------

    async def token_decimals(self, token: str) -> int:
        """Remembered for ever. Raises AnswerMalformed when it is no token; 18 for the zero address."""
        key = canonical(token)
        if key not in self._decimals:
            answer = await self.read(token, _DECIMALS)
            if answer is None:
                raise AnswerMalformed("decimals")
            self._decimals[key] = int(answer[0])
        return self._decimals[key]

    async def balance(self, token: str, address: str) -> int:
        """Base units of `token` that `address` holds."""
        answer = await self.read(token, _BALANCE_OF, address)
        if answer is None:
            raise AnswerMalformed("balanceOf")
        return int(answer[0])

    # --- transactions and blocks -------------------------------------------------------------------------------------

    async def read_order(self, nft: str, datatoken: str, tx_hash: str) -> OrderReading:
        """NFT of our factory, datatoken of that NFT, receipt and head at once."""
        listed, deployed, receipt, head = await self._batch(
            [
                _call(self.factory, _ERC721_LIST, nft),
                _call(nft, _IS_DEPLOYED, datatoken),
                ("eth_getTransactionReceipt", [tx_hash]),
                ("eth_blockNumber", []),
            ]
        )
        is_deployed = bool((_decoded(_IS_DEPLOYED, deployed) or (False,))[0])
        return OrderReading(_is_listed(listed, nft), is_deployed, self._receipt(receipt), int(head, 16))

    async def receipts(self, tx_hashes: Sequence[str]) -> list[Receipt | None]:
        answers = await self._batch([("eth_getTransactionReceipt", [tx_hash]) for tx_hash in tx_hashes])
        return [self._receipt(answer) for answer in answers]

    async def receipt(self, tx_hash: str) -> Receipt | None:
        """None when the transaction is unknown or not mined; never waits."""
        return (await self.receipts([tx_hash]))[0]

    async def block_timestamp(self, number: int) -> int:
        """Seconds UTC. Raises LookupError for a block that does not exist."""
        block = await self.rpc.call("eth_getBlockByNumber", hex(number), False)
        if block is None:
            raise LookupError(f"chain {self.chain_id} has no block {number}")
        return int(block["timestamp"], 16)

    async def head(self) -> int:
        return int(await self.rpc.call("eth_blockNumber"), 16)

    # --- shared ------------------------------------------------------------------------------------------------------

    async def read(self, contract: str, call: Function, *args: Any) -> tuple[Any, ...] | None:
        """One `view` call; None when the contract refuses it or is not the contract it was taken for."""
        return _decoded(call, (await self._batch([_call(contract, call, *args)]))[0])

    async def read_many(self, calls: Sequence[tuple[str, Function, tuple[Any, ...]]]) -> list[tuple[Any, ...] | None]:
        """Several (contract, function, arguments) in one request, each answered as by `read`."""
        answers = await self._batch([_call(contract, call, *args) for contract, call, args in calls])
        return [_decoded(call, answer) for (_, call, _), answer in zip(calls, answers, strict=True)]

    def sending(self, address: str) -> asyncio.Lock:
        """Held while one account takes a nonce and sends, so that our own transactions do not race."""
        return self._sending.setdefault(canonical(address), asyncio.Lock())

    def _asset_calls(self, nft: str) -> list[Request]:
        return [_call(self.factory, _ERC721_LIST, nft), _call(nft, _GET_META_DATA)]

    async def _batch(self, requests: Sequence[Request]) -> list[Any]:
        answers = await self.rpc.batch(requests)
        for answer in answers:
            if isinstance(answer, NodeRefused):
                raise answer
        return answers

    def _receipt(self, answer: Any) -> Receipt | None:
        if answer is None or isinstance(answer, CallReverted):
            return None
        try:
            return Receipt.parse(answer)
        except (KeyError, TypeError, ValueError) as exc:
            raise ChainUnavailable(self.chain_id, "a receipt could not be read") from exc


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


def _entry_of(addresses: Mapping[str, Any] | Path | str, found: int, expected: int | None) -> Mapping[str, Any]:
    if expected not in (None, found):
        raise NetworkMisconfigured(f"the node serves chain {found}, not {expected}")
    entry = addresses if isinstance(addresses, Mapping) else read_address_file(Path(addresses), found)
    if missing := {"Ocean", "ERC721Factory"} - entry.keys():
        raise NetworkMisconfigured(f"no address of {', '.join(sorted(missing))} for chain {found}")
    return entry


def _call(contract: str, call: Function, *args: Any) -> Request:
    return ("eth_call", [{"to": contract, "data": "0x" + call.encode(*args).hex()}, "latest"])


def _decoded(call: Function, answer: Any) -> tuple[Any, ...] | None:
    if not isinstance(answer, str):
        return None
    try:
        return call.decode(bytes.fromhex(answer[2:]))
    except AnswerMalformed:
        return None


def _is_listed(answer: Any, nft: str) -> bool:
    listed = _decoded(_ERC721_LIST, answer)
    return listed is not None and canonical(listed[0]) == canonical(nft)


def _state(answer: Any) -> NftState | None:
    values = _decoded(_GET_META_DATA, answer)
    return NftState(*values) if values else None
