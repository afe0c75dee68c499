"""Somebody who signs in without a browser: what the pages' script does, call by call."""

from __future__ import annotations

from typing import Any, Final

import httpx
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount

PAGE: Final = {"origin": "http://localhost:8030"}  # what a browser says of its page


def signature_of(text: str, account: LocalAccount) -> str:
    return "0x" + bytes(account.sign_message(encode_defunct(text=text)).signature).hex()


async def offered(http: httpx.AsyncClient, account: LocalAccount, *, chain_id: Any = "8996") -> str:
    asked = {"address": account.address, "chainId": chain_id}
    answer = await http.post("/sign-in/text", json=asked, headers=PAGE)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["text"])


async def redeemed(http: httpx.AsyncClient, text: str, signature: str) -> httpx.Response:
    return await http.post("/sign-in", json={"text": text, "signature": signature}, headers=PAGE)


async def signed_in(http: httpx.AsyncClient, account: LocalAccount) -> str:
    """The cookie, which the client has from then on."""
    text = await offered(http, account)
    answer = await redeemed(http, text, signature_of(text, account))
    assert answer.status_code == 200, answer.text
    return answer.headers["set-cookie"]
