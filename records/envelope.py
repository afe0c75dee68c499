"""A signed statement: a DSSE envelope (https://github.com/secure-systems-lab/dsse, version 1) signed by Ethereum keys.

    {"payloadType": "application/vnd.in-toto+json", "payload": base64, "signatures": [{"keyid", "sig": base64}]}

What is signed are DSSE's pre-authentication bytes, as `personal_sign` (EIP-191) signs a text; `sig` is r || s || v, 65
bytes with v 27 or 28; `keyid` is the checksum address of the signer. The same key and payload always give the same
bytes (RFC 6979).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final

from ocean.keys import Key, address_of, personal_digest
from ocean.kit.compact_json import compact_utf8
from ocean.signing import SignatureInvalid, parse, recover_signer, sign_bytes
from records.statement import StatementInvalid, read_object

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
MOST_SIGNATURES: Final = 64
_KEYS: Final = {"payloadType", "payload", "signatures"}
_SIGNATURE_BYTES: Final = 65


@dataclass(frozen=True, slots=True)
class Signature:
    """`keyid` as the envelope says it: nothing is proven by it alone."""

    keyid: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    payload: bytes
    signatures: tuple[Signature, ...]

    def encoded(self) -> bytes:
        return compact_utf8(
            {
                "payloadType": PAYLOAD_TYPE,
                "payload": base64.b64encode(self.payload).decode(),
                "signatures": [
                    {"keyid": each.keyid, "sig": base64.b64encode(each.raw).decode()} for each in self.signatures
                ],
            }
        )

    def signers(self) -> tuple[str, ...]:
        """Checksum addresses of those whose signature of this payload holds; a signature of another than its `keyid`
        says does not."""
        digest = signed_digest(self.payload)
        return tuple(each.keyid for each in self.signatures if _signer(digest, each.raw) == each.keyid)


def sign_payload(payload: bytes, key: Key) -> Envelope:
    """Raises ocean.keys.KeyInvalid."""
    raw = bytes.fromhex(sign_bytes(signed_digest(payload), key).removeprefix("0x"))
    return Envelope(payload, (Signature(address_of(key), raw),))


def signed_again(envelope: Envelope, key: Key) -> Envelope:
    """With a further signature of the same payload. Raises ocean.keys.KeyInvalid."""
    return Envelope(envelope.payload, envelope.signatures + sign_payload(envelope.payload, key).signatures)


def envelope_bytes(payload_bytes: int) -> int:
    """How long an envelope with one signature is, encoded, by the length of its payload: nobody need sign to know."""
    return _EMPTY_BYTES + 4 * ((payload_bytes + 2) // 3)


def pre_authentication(payload: bytes) -> bytes:
    """DSSE's PAE."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def signed_digest(payload: bytes) -> bytes:
    """The 32 bytes that are signed for a payload."""
    return personal_digest(pre_authentication(payload))


def parse_envelope(encoded: bytes) -> Envelope:
    """Raises StatementInvalid."""
    document = read_object(encoded, "the envelope")
    if set(document) != _KEYS or document["payloadType"] != PAYLOAD_TYPE:
        raise StatementInvalid(f"this is no DSSE envelope of {PAYLOAD_TYPE}")
    signatures = document["signatures"]
    if not isinstance(signatures, list) or not 0 < len(signatures) <= MOST_SIGNATURES:
        raise StatementInvalid(f"the envelope has no signature, or more than {MOST_SIGNATURES}")
    return Envelope(_decoded(document["payload"], "payload"), tuple(_signature(entry) for entry in signatures))


def _signature(entry: Any) -> Signature:
    if not isinstance(entry, dict) or not isinstance(entry.get("keyid"), str):
        raise StatementInvalid("a signature does not say whose it is")
    return Signature(entry["keyid"], _decoded(entry.get("sig"), "sig"))


def _decoded(text: Any, name: str) -> bytes:
    """DSSE allows both alphabets of base64."""
    if not isinstance(text, str):
        raise StatementInvalid(f"{name} is no text")
    try:
        return base64.b64decode(text.encode("ascii"), b"-_" if {"-", "_"} & set(text) else None, validate=True)
    except (binascii.Error, ValueError):
        raise StatementInvalid(f"{name} is not base64") from None


def _signer(digest: bytes, raw: bytes) -> str:
    """Checksum address; "" where nobody can have made it."""
    try:
        return recover_signer(digest, parse(raw.hex()))
    except SignatureInvalid:
        return ""


_EMPTY_BYTES: Final = len(Envelope(b"", (Signature("0x" + "0" * 40, bytes(_SIGNATURE_BYTES)),)).encoded())
