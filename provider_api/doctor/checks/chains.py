"""Facts about the chains: asked of their nodes, and read from the address file. No check here needs a cluster."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ocean.chain.errors import ChainUnavailable
from ocean.chain.network import NetworkMisconfigured, distributed_addresses, read_address_file
from ocean.chain.rpc import Rpc
from ocean.kit.together import together
from provider_api.doctor.judging import chains
from provider_api.doctor.lines import Line
from provider_api.doctor.run import Check
from provider_api.doctor.surroundings import NotCheckable, Surroundings
from provider_api.settings import ChainSettings


async def _chains(around: Surroundings) -> Sequence[Line]:
    if not around.settings.chains:
        raise NotCheckable("the settings name none (`c2d serve` starts a development chain)")
    found = await together(*(_chain(settings, around) for settings in around.settings.chains))
    return [line for lines in found for line in lines]


async def _chain(settings: ChainSettings, around: Surroundings) -> list[Line]:
    host = urlsplit(settings.url).hostname or "?"  # no more of it: nodes' addresses carry keys
    subject = f"{settings.chain_id or 'any'} at {host}"
    try:
        facts = await _ask_node(settings, subject, around.options.limit_seconds / 3)
    except ChainUnavailable as exc:
        away = [item.not_checked("its node does not answer", subject) for item in (chains.HEAD, chains.CLOCK_CHAIN)]
        return [chains.CHAIN.failure(f"no usable answer ({exc.reason})", subject), *away]
    return [
        chains.judge_chain(facts),
        chains.judge_head(facts, around.options.head_age_seconds),
        chains.judge_chain_clock(facts, around.options.clock_seconds),
    ]


async def _ask_node(settings: ChainSettings, subject: str, timeout_seconds: float) -> chains.ChainFacts:
    """Raises ChainUnavailable."""
    rpc = Rpc(settings.url, chain_id=settings.chain_id or 0, timeout_seconds=timeout_seconds)
    try:
        chain_id = int(await rpc.call("eth_chainId"), 16)
        block: Mapping[str, Any] = await rpc.call("eth_getBlockByNumber", "latest", False)
        number, moment = int(block["number"], 16), int(block["timestamp"], 16)
    except (TypeError, ValueError, KeyError) as exc:
        raise ChainUnavailable(rpc.chain_id, "an answer could not be read") from exc
    finally:
        await rpc.disconnect()
    return chains.ChainFacts(
        subject, chain_id, settings.chain_id, _contracts(settings, chain_id), number, moment, time.time()
    )


def _contracts(settings: ChainSettings, chain_id: int) -> str:
    """What is wrong with the address file, or ""."""
    try:
        entry = read_address_file(settings.address_file or distributed_addresses(), chain_id)
    except NetworkMisconfigured as exc:
        return str(exc)
    missing = {"Ocean", "ERC721Factory"} - entry.keys()
    return f"the address file lacks {', '.join(sorted(missing))} for chain {chain_id}" if missing else ""


CHECK = Check((chains.CHAIN, chains.HEAD, chains.CLOCK_CHAIN), _chains)
