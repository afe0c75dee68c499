"""Documents in plain text, for metadata stores."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from ocean import ecies
from ocean.chain.metadata import pack
from ocean.did import did_of
from ocean.keys import public_bytes
from ocean.signing import decrypt_message, sign
from tests.support import provider_facts as facts
from tests.support.answers.accounts import ME, STRANGER, creation, two_spoiled
from tests.support.answers.book import Book
from tests.support.answers.calls import Call, asked, mostly_unread, sent, without
from tests.support.answers.places import place
from tests.support.provider_neighbours import CONSUMER_KEY, PROVIDER_KEY, STRANGER_KEY, transaction

DECRYPT: Final = "POST /api/services/decrypt"
PLAIN: Final = json.dumps({"id": did_of(facts.NFT, 8996)}).encode()
OTHER: Final = b'{"id": "did:op:1"}'


def given(nonce: int, document: bytes = PLAIN, flags: int = 0, key: str = CONSUMER_KEY, **changes: Any) -> Call:
    """A call with the document sent along, signed after the changes."""
    packed = pack(document, flags, lambda plain: ecies.encrypt(public_bytes(PROVIDER_KEY), plain))
    body = {
        "decrypterAddress": ME, "chainId": 8996, "dataNftAddress": facts.NFT, "nonce": nonce, "flags": flags,
        "encryptedDocument": "0x" + packed.data.hex(), "documentHash": "0x" + packed.digest.hex(),
    } | changes  # fmt: skip
    message = decrypt_message(facts.NFT, body["decrypterAddress"], body["chainId"], str(body["nonce"]))
    return sent(DECRYPT, {"signature": sign(message, key), **body})


def of_transaction(nonce: int, tx: str) -> dict[str, Any]:
    body = {"decrypterAddress": ME, "chainId": 8996, "dataNftAddress": facts.NFT, "transactionId": tx, "nonce": nonce}
    return {"signature": sign(decrypt_message(tx, ME, 8996, str(nonce)), CONSUMER_KEY), **body}


async def answers(book: Book) -> None:
    async with place(book) as (world, asker):
        published, broken = transaction(1), transaction(2)
        world.chain.documents[published] = pack(PLAIN, 1)
        world.chain.documents[broken] = pack(OTHER, 0)
        good = json.loads(given(5).body or b"")
        bad = two_spoiled(good["signature"])
        await asker.table(
            {
                **{f"no {name}": sent(DECRYPT, without(good, name)) for name in good},
                "half an address": sent(DECRYPT, good | {"decrypterAddress": "0x12"}),
                "half an NFT": sent(DECRYPT, good | {"dataNftAddress": "0x12"}),
                "a chain in words": sent(DECRYPT, good | {"chainId": "main"}),
                "a chain with a zero in front": sent(DECRYPT, good | {"chainId": "08996"}),
                "a nonce in words": sent(DECRYPT, good | {"nonce": "soon"}),
                "a transaction that is an object": sent(DECRYPT, good | {"transactionId": {}}),
                "several that are wrong": sent(DECRYPT, {"decrypterAddress": "0x1", "chainId": -1, "nonce": []}),
                **{name: sent(DECRYPT, good | {"signature": text}) for name, text in bad.items()},
                "signed by another": given(5, key=STRANGER_KEY),
                "another chain": given(5, chainId=137),
                "a data NFT of nobody": sent(
                    DECRYPT, good | {"dataNftAddress": ME, "signature": sign(
                        decrypt_message(ME, ME, 8996, "5"), CONSUMER_KEY)}
                ),
                "a transaction without a document": sent(DECRYPT, of_transaction(5, transaction(9))),
                "a transaction that is none": sent(DECRYPT, of_transaction(5, "0x12")),
                "flags in words": sent(DECRYPT, good | {"flags": "3"}),
                "a number for a hash": sent(DECRYPT, good | {"documentHash": 5}),
                "a document that is no hex": sent(DECRYPT, good | {"encryptedDocument": "document"}),
                "parameters in the address": asked(DECRYPT, good),
            }
        )  # fmt: skip
        await asker.table(
            {
                "good": given(5),
                "the same again": given(5),
                "compressed": given(6, flags=1),
                "encrypted": given(7, flags=2),
                "both": given(8, flags=3),
                "of a transaction": sent(DECRYPT, of_transaction(9, published)),
                "of a transaction with another document": sent(DECRYPT, of_transaction(10, broken)),
                "unknown flags": _claimed(11, 9),
                "not encrypted": _claimed(12, 2),
                "not compressed": _claimed(13, 1),
                "another hash": given(14, documentHash="0x" + hashlib.sha256(OTHER).hexdigest()),
                "a document of another": given(15, OTHER),
                "no JSON": given(16, b"document"),
            }
        )
        for state in range(1, 7):
            world.chain.nft_state = state
            await asker.ask(f"an NFT in state {state}", given(20 + state))
        world.chain.nft_state = 0
        await asker.table(mostly_unread(DECRYPT, good))
        made = await asker.ask("a token for it", creation(30))
        token = made.json()["token"]
        by_token = without(json.loads(given(31).body or b""), "signature")
        await asker.table(
            {
                "a token": sent(DECRYPT, by_token, authtoken=token),
                "a token of another": sent(DECRYPT, by_token | {"decrypterAddress": STRANGER}, authtoken=token),
                "a token that is none": sent(DECRYPT, by_token | {"nonce": 32}, authtoken="token"),
            }
        )
        world.chain.away = True
        await asker.ask("no chain", given(40))
    async with place(book, access={"authorized_decrypters": [facts.NFT, "nobody"]}) as (_, asker):
        await asker.ask("a decrypter who is not listed", given(5))


def _claimed(nonce: int, flags: int) -> Call:
    """A plain document that is said to be packed."""
    return sent(DECRYPT, json.loads(given(nonce).body or b"") | {"flags": flags})
