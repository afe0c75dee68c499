"""Tokens as a consumer asks for them, over HTTP."""

from __future__ import annotations

import time
from typing import Any

import httpx
from eth_account import Account

from ocean.signing import sign, token_message

HOUR = 3600


def expiration(seconds: int = HOUR) -> str:
    return str(int(time.time()) + seconds)


def signed(key: str, nonce: Any, **more: Any) -> dict[str, Any]:
    """The fields of createAuthToken and deleteAuthToken; `more` replaces or adds."""
    address = more.get("address", Account.from_key(key).address)
    proof = {"nonce": str(nonce), "signature": sign(token_message(address, str(nonce)), key)}
    return {"address": address, **proof, **more}


async def create(http: httpx.AsyncClient, key: str, nonce: Any, **more: Any) -> httpx.Response:
    fields = signed(key, nonce, **{"expiration": expiration(), **more})
    return await http.get("/api/services/createAuthToken", params=fields)


async def delete(http: httpx.AsyncClient, key: str, nonce: Any, token: str, **more: Any) -> httpx.Response:
    fields = signed(key, nonce, token=token, **more)
    return await http.delete("/api/services/deleteAuthToken", params=fields)
