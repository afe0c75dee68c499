"""Has a contract wallet signed? Its own chain says so (ERC-1271).

A call about assets is judged on their chains, any other one (tokens, jobs) on all that are served. Where the address
has code, all of them must say yes: the same address may belong to somebody else on another chain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cachetools import TTLCache

from ocean.kit.together import together
from provider_api.chains.chains import Chain, Chains

REMEMBERED_SECONDS = 60.0  # a yes; a no may be a yes in the next block
_MOST = 10_000  # remembered answers


class Wallets:
    """One for the whole service. Raises ChainUnavailable."""

    def __init__(self, chains: Chains) -> None:
        self._chains = chains
        self._good: TTLCache[bytes, bool] = TTLCache(_MOST, REMEMBERED_SECONDS)

    async def accepts(
        self, address: str, digest: bytes, signature: bytes, *, dids: Sequence[str] = (), chain_id: int = 0
    ) -> bool:
        """Whether the canonical address is a wallet that has signed the digest. `dids`, `chain_id`: the
        assets, or the chain, that the call is about."""
        key = hashlib.sha256("|".join((address, digest.hex(), signature.hex(), *dids, str(chain_id))).encode()).digest()
        if key in self._good:
            return True
        asked = [chain.signed_by_contract(address, digest, signature) for chain in await self._asked(dids, chain_id)]
        answers = [answer for answer in await together(*asked) if answer is not None]
        if not answers or not all(answers):
            return False
        self._good[key] = True
        return True

    async def _asked(self, dids: Sequence[str], chain_id: int) -> Sequence[Chain]:
        if chain_id:
            chain = self._chains.find(chain_id)
            return [chain] if chain is not None else []
        if dids:
            found = [resolved for did in dids if (resolved := await self._chains.resolve(did)) is not None]
            return list({chain.chain_id: chain for chain, _ in found}.values())
        return self._chains.all()
