"""Signed calls as typed data (EIP-712): a wallet shows which provider is called, for what, with which parameters.

Beside the plain texts of `ocean.signing`, which name neither. Parameters are all that the request sends, in its path,
too, but the signature, the nonce and the caller's address: sorted by name, as texts; what is no text or number, as JSON
with sorted keys and without blanks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ocean.addresses import checksum
from ocean.keccak import keccak256
from ocean.kit.compact_json import compact_json

DOMAIN: Final = {"name": "Compute-to-Data Provider", "version": "1"}
TYPES: Final = {
    "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "version", "type": "string"}],
    "Call": [
        {"name": "provider", "type": "address"},
        {"name": "account", "type": "address"},
        {"name": "call", "type": "string"},
        {"name": "parameters", "type": "Parameter[]"},
        {"name": "nonce", "type": "string"},
    ],
    "Parameter": [{"name": "name", "type": "string"}, {"name": "value", "type": "string"}],
}
_PARAMETER_TYPE: Final = b"Parameter(string name,string value)"
_CALL_TYPE: Final = (
    b"Call(address provider,address account,string call,Parameter[] parameters,string nonce)" + _PARAMETER_TYPE
)
_DOMAIN_TYPE: Final = b"EIP712Domain(string name,string version)"


def typed_call(provider: str, account: str, call: str, parameters: Mapping[str, Any], nonce: str) -> dict[str, Any]:
    """What `eth_signTypedData_v4` takes. `call`: method and path, `GET /api/services/createAuthToken`; addresses in any
    letter case."""
    listed = [{"name": name, "value": value_text(parameters[name])} for name in sorted(parameters)]
    message = {
        "provider": checksum(provider),
        "account": checksum(account),
        "call": call,
        "parameters": listed,
        "nonce": nonce,
    }
    return {"types": TYPES, "primaryType": "Call", "domain": DOMAIN, "message": message}


def typed_digest(provider: str, account: str, call: str, parameters: Mapping[str, Any], nonce: str) -> bytes:
    """The 32 bytes that are signed for it. Raises UnicodeEncodeError for text that is no Unicode."""
    listed = b"".join(
        keccak256(keccak256(_PARAMETER_TYPE) + _text(name) + _text(value_text(parameters[name])))
        for name in sorted(parameters)
    )
    message = keccak256(
        keccak256(_CALL_TYPE) + _address(provider) + _address(account) + _text(call) + keccak256(listed) + _text(nonce)
    )
    domain = keccak256(keccak256(_DOMAIN_TYPE) + _text(DOMAIN["name"]) + _text(DOMAIN["version"]))
    return keccak256(b"\x19\x01" + domain + message)


def value_text(value: Any) -> str:
    """A parameter's value as it is signed."""
    if isinstance(value, str):
        return str(value)
    return compact_json(value, sort_keys=True, ascii_only=False)


def _text(text: str) -> bytes:
    return keccak256(text.encode())


def _address(address: str) -> bytes:
    return bytes.fromhex(address[2:]).rjust(32, b"\0")
