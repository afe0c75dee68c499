"""Nonces and tokens."""

from __future__ import annotations

import time
from typing import Any, Final

from eth_account import Account

from ocean.signing import digest, sign, token_message
from tests.support.answers.book import Book
from tests.support.answers.calls import Call, asked, mostly_unread, sent, without
from tests.support.answers.places import place
from tests.support.provider_neighbours import CONSUMER_KEY, STRANGER_KEY

NONCE: Final = "GET /api/services/nonce"
CREATE: Final = "GET /api/services/createAuthToken"
DELETE: Final = "DELETE /api/services/deleteAuthToken"
DELETE_ALL: Final = "DELETE /api/v1/auth-tokens"
ME: Final = str(Account.from_key(CONSUMER_KEY).address)
STRANGER: Final = str(Account.from_key(STRANGER_KEY).address)
WALLET: Final = "0x" + "5AFE" * 10


def in_an_hour() -> str:
    return str(int(time.time()) + 3600)


def signed(nonce: Any, key: str = CONSUMER_KEY, address: str = ME, **more: Any) -> dict[str, Any]:
    """Fields of a call about tokens."""
    fields = {"address": address, "nonce": str(nonce), "signature": sign(token_message(address, str(nonce)), key)}
    return fields | more


def creation(nonce_: Any, **changes: Any) -> Call:
    return asked(CREATE, signed(nonce_, expiration=in_an_hour()) | changes)


def spoiled(signature: str) -> dict[str, str]:
    """Signatures that are none, by what is wrong with them."""
    high = (0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 - int(signature[66:130], 16)) % 2**256
    turned = {"1b": "1c", "1c": "1b"}[signature[130:]]
    return {
        "a signature that is empty": "",
        "a signature that is no hex": "0xsigned",
        "a signature of 64 bytes": signature[:130],
        "a signature with v 5": signature[:130] + "05",
        "a signature with a high s": signature[:66] + f"{high:064x}" + turned,
        "a signature of no key": "0x" + "ff" * 32 + signature[66:],
        "a long text for a signature": "long " * 200,
    }


def two_spoiled(signature: str) -> dict[str, str]:
    """Two of them, for calls that look at signatures as all do."""
    names = ("a signature that is empty", "a signature that is no hex")
    return {name: text for name, text in spoiled(signature).items() if name in names}


async def answers(book: Book) -> None:
    async with place(book) as (world, asker):
        await asker.table(
            {
                "new account": asked(NONCE, {"userAddress": ME}),
                "no address": asked(NONCE),
                "an empty address": asked(NONCE, {"userAddress": ""}),
                "half an address": asked(NONCE, {"userAddress": "0x1234"}),
                "a number for an address": sent(NONCE, {"userAddress": 5}),
                "an address in the body": sent(NONCE, {"userAddress": ME.upper().replace("0X", "0x")}),
                "the address twice": asked(NONCE, f"userAddress=0x12&userAddress={ME}"),
                "by HEAD": asked("HEAD /api/services/nonce", {"userAddress": ME}),
                "by POST": asked("POST /api/services/nonce", {"userAddress": ME}),
                **mostly_unread(NONCE, {"userAddress": ME}),
            },
            "nonce, ",
        )
        good = signed(5)
        await asker.table(
            {
                "nothing": asked(CREATE),
                "only the address": asked(CREATE, {"address": ME}),
                "no expiration": asked(CREATE, good),
                "no nonce": creation(5, nonce=""),
                "no signature": asked(CREATE, without(signed(5, expiration=in_an_hour()), "signature")),
                "half an address": creation(5, address="0x1234"),
                "an expiration in words": creation(5, expiration="tomorrow"),
                "an expiration of yesterday": creation(5, expiration="5"),
                "an expiration in milliseconds": creation(5, expiration="1800000000000"),
                "a nonce in words": creation(5, nonce="soon"),
                "a nonce below zero": creation(5, nonce="-1"),
                "a nonce without an end": creation(5, nonce="inf"),
                "a nonce that is too long": creation(5, nonce="9" * 256),
                **{name: creation(5, signature=text) for name, text in spoiled(good["signature"]).items()},
                "signed by another": creation(5, signature=signed(5, STRANGER_KEY)["signature"]),
                "signed for another nonce": creation(5, signature=signed(6)["signature"]),
                "by HEAD": asked("HEAD /api/services/createAuthToken", signed(5, expiration=in_an_hour())),
                "by POST": asked("POST /api/services/createAuthToken"),
                "good": creation(5),
                "the same again": creation(5),
                "an older nonce": creation(4),
                "v as 0 or 1": creation(
                    6, signature=(text := signed(6)["signature"])[:130] + {"1b": "00", "1c": "01"}[text[130:]]
                ),
                "parameters in the body": sent(CREATE, signed(7, expiration=int(in_an_hour()))),
                "a nonce with a fraction": creation("8.5"),
                "a nonce with an exponent": creation("1e+3"),
            },
            "createAuthToken, ",
        )
        await asker.ask("nonce, after tokens", asked(NONCE, {"userAddress": ME}))
        world.chain.wallets[WALLET.lower()] = {digest(token_message(WALLET, "5"))}
        wallet = {"address": WALLET, "expiration": in_an_hour(), "signature": "0x01"}
        await asker.table(
            {
                "a contract wallet": asked(CREATE, wallet | {"nonce": "5"}),
                "a contract wallet that has not signed": asked(CREATE, wallet | {"nonce": "6"}),
            },
            "createAuthToken, ",
        )
        world.chain.away = True
        await asker.ask(
            "createAuthToken, a contract wallet and no chain",
            asked(CREATE, wallet | {"nonce": "6", "address": STRANGER}),
        )
        world.chain.away = False
        created = await asker.ask("createAuthToken, one to delete", creation(2000))
        token = created.json()["token"]
        await asker.table(
            {
                "nothing": asked(DELETE),
                "no token": asked(DELETE, signed(2001)),
                "no signature": asked(DELETE, without(signed(2001, token=token), "signature")),
                "no nonce": asked(DELETE, signed(2001, token=token) | {"nonce": ""}),
                "a text for a token": asked(DELETE, signed(2001, token="token")),
                "of another account": asked(DELETE, signed(2001, STRANGER_KEY, STRANGER, token=token)),
                "signed by another": asked(DELETE, signed(2001, STRANGER_KEY, token=token)),
                "a stale nonce": asked(DELETE, signed(2000, token=token)),
                "good": asked(DELETE, signed(2001, token=token)),
                "already deleted": asked(DELETE, signed(2002, token=token)),
                "by GET": asked("GET /api/services/deleteAuthToken", signed(2002, token=token)),
            },
            "deleteAuthToken, ",
        )
        await asker.table(
            {
                "nothing": asked(DELETE_ALL),
                "half an address": asked(DELETE_ALL, signed(2003) | {"address": "0x12"}),
                "no signature": asked(DELETE_ALL, {"address": ME, "nonce": "2003"}),
                "signed by another": asked(DELETE_ALL, signed(2003, STRANGER_KEY)),
                "good, in the body": sent(DELETE_ALL, signed(2003)),
                "good": asked(DELETE_ALL, signed(2004)),
                "the same again": asked(DELETE_ALL, signed(2004)),
            },
            "auth-tokens, ",
        )
