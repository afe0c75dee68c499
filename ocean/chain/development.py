"""The development chain: anvil with Ocean's contracts, funded accounts and an address file, kept in one folder.

The contracts, constructor arguments and the order of the calls after them were tried on fresh chains with every release
of `ocean-contracts` since 2.0.0. The address of a contract follows from the sender and its nonce, so that the whole
deployment is known before its first transaction is sent.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from web3.utils import get_create_address

from ocean.addresses import checksum
from ocean.chain.answers import chain_id as chain_id_of_node
from ocean.chain.answers import code, head_number, transaction_count
from ocean.chain.anvil import AnvilFailed, AnvilProcess
from ocean.chain.development_accounts import CONSUMER as CONSUMER
from ocean.chain.development_accounts import ENVIRONMENT as ENVIRONMENT
from ocean.chain.development_accounts import MNEMONIC as MNEMONIC
from ocean.chain.development_accounts import OWNER as OWNER
from ocean.chain.development_accounts import PROVIDER as PROVIDER
from ocean.chain.development_accounts import PUBLISHER as PUBLISHER
from ocean.chain.development_accounts import STRANGER as STRANGER
from ocean.chain.development_accounts import account as account
from ocean.chain.errors import ChainUnavailable
from ocean.chain.network import NetworkMisconfigured, read_address_file
from ocean.chain.node import Node
from ocean.chain.rpc import Rpc
from ocean.chain.transactions import Step, send_all
from ocean.kit.atomic import replace_file

CHAIN_ID = 8996  # the only local chain id that ocean.py knows, under the name "development"
NETWORK_NAME = "development"
START_SECONDS = 15.0
DEAD = "0x000000000000000000000000000000000000dEaD"
ONE_TOKEN = 10**18


@dataclass(frozen=True)
class DevelopmentChain:
    """A running development chain. `addresses` is its entry of the address file."""

    process: AnvilProcess
    addresses: dict[str, Any]
    address_file: Path

    @property
    def url(self) -> str:
        return self.process.url

    async def stop(self) -> None:
        await asyncio.to_thread(self.process.stop)


async def start_anvil(
    folder: Path, port: int, chain_id: int = CHAIN_ID, *, binary: Path | str | None = None
) -> DevelopmentChain:
    """Start or restart the chain of `folder`, with Ocean's contracts on it; about half a second.

    State, receipts and logs survive a restart (a kill may cost the last two seconds). A state that anvil cannot read is
    put aside as chain.json.unreadable and a fresh chain begins. Raises AnvilMissing, AnvilFailed.
    """
    process = AnvilProcess.start(folder, port, chain_id, binary)
    try:
        try:
            node = await _answering(process, chain_id)
        except AnvilFailed:
            state = folder / "chain.json"
            if process.running or not state.exists():
                raise
            state.replace(folder / "chain.json.unreadable")
            process = AnvilProcess.start(folder, port, chain_id, binary)
            node = await _answering(process, chain_id)
        try:
            path = folder / "address.json"
            entry = await _known_stack(node, path, chain_id)
            if entry is None:
                entry = await deploy_stack(node, account(OWNER))
                replace_file(path, json.dumps({NETWORK_NAME: entry}, indent=2) + "\n")
        finally:
            await node.close()
    except BaseException:
        await asyncio.to_thread(process.stop)
        raise
    return DevelopmentChain(process, entry, path)


async def deploy_stack(node: Node, owner: LocalAccount) -> dict[str, Any]:
    """Deploy the contracts and give each development account 10,000 OCEAN and 10,000 of a six-decimals mock token.

    Answers the entry of an address file (`MockUSDC` is ours). Raises TransactionFailed, ChainUnavailable.
    """
    nonce, start_block = await node.read(transaction_count(owner.address, "pending"), head_number())
    steps: list[Step] = []

    def deploy(contract: str, *args: Any) -> str:
        steps.append(Step(node.creation(contract, *args), gas=6_000_000))
        return get_create_address(owner.address, nonce + len(steps) - 1)

    def call(to: str, contract: str, name: str, *args: Any) -> None:
        steps.append(Step(node.function(contract, to, name, *args), gas=200_000))

    ocean = deploy("OceanToken", owner.address)
    usdc = deploy("MockERC20Decimals", "USDC", "USDC", 6)
    collector = deploy("OPFCommunityFeeCollector", owner.address, owner.address)
    router = deploy("FactoryRouter", owner.address, ocean, DEAD, collector, [])
    fixed_price = deploy("FixedRateExchange", router)
    templates = [deploy("ERC20Template"), deploy("ERC20TemplateEnterprise")]
    nft = deploy("ERC721Template")
    dispenser = deploy("Dispenser", router)
    factory = deploy("ERC721Factory", nft, templates[0], router)
    call(factory, "ERC721Factory", "addTokenTemplate", templates[1])
    call(router, "FactoryRouter", "addFactory", factory)
    call(router, "FactoryRouter", "addFixedRateContract", fixed_price)
    call(router, "FactoryRouter", "addDispenserContract", dispenser)
    for index in range(10):
        call(ocean, "OceanToken", "mint", account(index).address, 10_000 * ONE_TOKEN)
        call(usdc, "ERC20Template", "transfer", account(index).address, 10_000 * 10**6)
    await send_all(node, owner, steps)
    return {
        "chainId": node.chain_id,
        "startBlock": start_block,
        "Ocean": ocean,
        "Router": router,
        "FixedPrice": fixed_price,
        "Dispenser": dispenser,
        "ERC721Factory": factory,
        "OPFCommunityFeeCollector": collector,
        "ERC721Template": {"1": nft},
        "ERC20Template": {"1": templates[0], "2": templates[1]},
        "MockUSDC": usdc,
    }


async def _answering(process: AnvilProcess, chain_id: int) -> Node:
    node, deadline = Node(Rpc(process.url, chain_id=chain_id)), time.monotonic() + START_SECONDS
    while process.running and time.monotonic() < deadline:
        try:
            await node.ask(chain_id_of_node())
        except ChainUnavailable:
            await asyncio.sleep(0.005)
        else:
            return node
    await node.close()
    raise AnvilFailed(process.output())


async def _known_stack(node: Node, path: Path, chain_id: int) -> dict[str, Any] | None:
    try:
        entry = read_address_file(path, chain_id)
    except NetworkMisconfigured:
        return None
    codes = await node.read(*(code(checksum(entry[name])) for name in ("ERC721Factory", "Ocean")))
    return entry if all(codes) else None
