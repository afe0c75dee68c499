"""Signed requests: what a consumer signs for each call, and who signed it.

    inner  = keccak256(utf8(message))
    digest = keccak256(0x19 "Ethereum Signed Message:\\n32" inner)
    signature = r || s || v, 65 bytes, hex

A message is the plain concatenation of parts of the request, each exactly as received (same spelling, same letter
case), a missing part being empty; the nonce comes last. Clients send v as 27/28 or as 0/1. Both are accepted; longer
signatures and high s values are not, although Ocean Provider lets them pass: one request has one signature.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

from ocean.keccak import keccak256
from ocean.keys import Key, NoSigner, Signature, ethereum_digest, recover_digest, sign_digest

# A part of a message as received. Numbers appear as Python prints them; None is a missing part.
Part = str | int | float | Decimal | None
Reason = Literal["not_hex", "length", "recovery_id", "high_s", "unrecoverable", "message_not_text"]

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_HEX = re.compile(r"(?:0[xX])?((?:[0-9a-fA-F]{2})*)")
_TEXTS: dict[str, str] = {
    "not_hex": "the signature is not hex",
    "length": "the signature is not 65 bytes long",
    "recovery_id": "the last byte of the signature is none of 0, 1, 27, 28",
    "high_s": "the signature is not in its low-s form",
    "unrecoverable": "no key can have made this signature",
    "message_not_text": "the signed text cannot be written as UTF-8",
}


class SignatureInvalid(ValueError):
    """No signer can be named. `reason` is a stable word, the text a sentence; neither shows the signature."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(_TEXTS[reason])
        self.reason = reason


def digest(message: str) -> bytes:
    """The 32 bytes that are signed for a message."""
    return ethereum_digest(keccak256(message.encode()))


def sign(message: str, key: Key) -> str:
    """Signature of a message, `0x` and 130 hex digits, v 27 or 28. Deterministic. Raises KeyInvalid."""
    return sign_bytes(digest(message), key)


def sign_bytes(signed: bytes, key: Key) -> str:
    """The same for 32 bytes as they are, such as those of `ocean.typed_calls`."""
    made = sign_digest(signed, key)
    return f"0x{made.r.hex()}{made.s.hex()}{made.recovery + 27:02x}"


def recover(message: str, signature: str) -> str:
    """Checksum address of the account that signed the message. Raises SignatureInvalid."""
    parsed = parse(signature)
    try:
        return recover_signer(digest(message), parsed)
    except UnicodeEncodeError:
        raise SignatureInvalid("message_not_text") from None


def recover_signer(signed: bytes, signature: Signature) -> str:
    """Checksum address of the account that signed these 32 bytes. Raises SignatureInvalid."""
    try:
        return recover_digest(signed, signature)
    except NoSigner:
        raise SignatureInvalid("unrecoverable") from None


def parse(signature: object) -> Signature:
    """The signature of a key. Raises SignatureInvalid."""
    raw = signature_bytes(signature)
    if raw is None:
        raise SignatureInvalid("not_hex")
    if len(raw) != 65:
        raise SignatureInvalid("length")
    recovery = raw[64] - 27 if raw[64] in (27, 28) else raw[64]
    if recovery not in (0, 1):
        raise SignatureInvalid("recovery_id")
    if int.from_bytes(raw[32:64], "big") > _HALF_ORDER:
        raise SignatureInvalid("high_s")
    return Signature(recovery, raw[:32], raw[32:64])


def signature_bytes(signature: object) -> bytes | None:
    """The bytes of any signature, also a contract's; None for what is no hex."""
    match = _HEX.fullmatch(signature) if isinstance(signature, str) else None
    return None if match is None else bytes.fromhex(match[1])


def download_message(document_id: Part, nonce: Part) -> str:
    """Download of a file: the address is not part of it."""
    return _joined(document_id, nonce)


def start_message(consumer: Part, document_id: Part, nonce: Part, job_id: Part = "") -> str:
    """Start of a compute job; `document_id` is the first dataset's DID. A job id is normally absent."""
    return _joined(consumer, job_id, document_id, nonce)


def job_message(consumer: Part, job_id: Part, document_id: Part, nonce: Part) -> str:
    """Stop or deletion of a compute job."""
    return _joined(consumer, job_id, document_id, nonce)


def result_message(consumer: Part, job_id: Part, index: Part, nonce: Part) -> str:
    """Download of one result."""
    return _joined(consumer, job_id, index, nonce)


def salts_message(owner: Part, job_id: Part, document_id: Part, nonce: Part) -> str:
    """The salts of an owner's files in a job. A call of ours: its first word keeps it apart from all others."""
    return _joined("salts", owner, job_id, document_id, nonce)


def releases_message(owner: Part, job_id: Part, nonce: Part) -> str:
    """What waits for an owner's decision, of all jobs or of one. A call of ours, as above."""
    return _joined("releases", owner, job_id, nonce)


def live_message(owner: Part, job_id: Part, nonce: Part) -> str:
    """What a job shows while it runs: its events, its log. A call of ours, as above."""
    return _joined("live", owner, job_id, nonce)


def decrypt_message(subject: Part, decrypter: Part, chain_id: Part, nonce: Part) -> str:
    """Decryption of a DDO; `subject` is the transaction id if there is one, else the NFT address."""
    return _joined(subject, decrypter, chain_id, nonce)


def token_message(address: Part, nonce: Part) -> str:
    """Making or deleting an auth token."""
    return _joined(address, nonce)


def _joined(*parts: Part) -> str:
    return "".join("" if part is None else str(part) for part in parts)
