"""web3's whole API on top of our transport, with its timeouts and errors."""

from __future__ import annotations

from typing import Any, cast

from web3 import AsyncWeb3
from web3.providers.async_base import AsyncJSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from ocean.chain.rpc import Rpc


class RpcProvider(AsyncJSONBaseProvider):
    def __init__(self, rpc: Rpc) -> None:
        super().__init__()
        self._rpc = rpc

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        payload = {"jsonrpc": "2.0", "id": next(self.request_counter), "method": method, "params": params}
        return cast("RPCResponse", await self._rpc.post(payload))


def over(rpc: Rpc) -> AsyncWeb3[RpcProvider]:
    return AsyncWeb3(RpcProvider(rpc))
