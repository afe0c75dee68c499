import json
from typing import Any

import pytest

from ocean.addresses import AddressInvalid
from ocean.credentials import CredentialsMalformed, denial

pytestmark = pytest.mark.unit

ME = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
NOT_ALLOWED, DENIED = "CREDENTIAL_NOT_IN_ALLOW_LIST", "CREDENTIAL_IN_DENY_LIST"


def address(*values: Any) -> dict[str, Any]:
    return {"type": "address", "values": list(values)}


DOMAIN = {"type": "domain", "values": ["example.com"]}

CASES = {
    "nothing": (None, None),
    "empty": ({}, None),
    "empty text": ("", None),
    "empty lists": ({"allow": [], "deny": []}, None),
    "null lists": ({"allow": None, "deny": None}, None),
    "allowed": ({"allow": [address(ME)]}, None),
    "allowed in other letter case": ({"allow": [address("0x" + ME[2:].upper())]}, None),
    "not allowed": ({"allow": [address(OTHER)]}, NOT_ALLOWED),
    "allowed in a second entry": ({"allow": [address(OTHER), address(ME.lower())]}, None),
    "allowed beside other types": ({"allow": [DOMAIN, address(ME)]}, None),
    "only other types": ({"allow": [DOMAIN]}, NOT_ALLOWED),
    "other types and no address": ({"allow": [DOMAIN, address()]}, NOT_ALLOWED),
    "an entry without addresses": ({"allow": [address()]}, NOT_ALLOWED),
    "entries without addresses": ({"allow": [address(), address()]}, NOT_ALLOWED),
    "an entry without addresses beside mine": ({"allow": [address(), address(ME)]}, None),
    "nobody denied": ({"deny": [address()]}, None),
    "everybody allowed": ({"allow": [address("*")]}, None),
    "everybody allowed beside somebody": ({"allow": [address(OTHER, " * ")]}, None),
    "everybody allowed, as text": ({"allow": [{"type": "address", "values": "*"}]}, None),
    "everybody allowed but me": ({"allow": [address("*")], "deny": [address(ME)]}, DENIED),
    "everybody denied": ({"deny": [address("*")]}, DENIED),
    "everybody denied, I am allowed": ({"allow": [address(ME)], "deny": [address("*")]}, DENIED),
    "everybody of another type": ({"allow": [{"type": "domain", "values": ["*"]}]}, NOT_ALLOWED),
    "a part is no wildcard": ({"allow": [address("0x*", "*@example.com", "**")]}, NOT_ALLOWED),
    "denied": ({"deny": [address(OTHER, ME.lower())]}, DENIED),
    "denied in a second entry": ({"deny": [address(OTHER), address(ME)]}, DENIED),
    "not denied": ({"deny": [address(OTHER)]}, None),
    "denied and allowed": ({"allow": [address(ME)], "deny": [address(ME)]}, DENIED),
    "denied and not allowed": ({"allow": [address(OTHER)], "deny": [address(ME)]}, DENIED),
    "denied by other types": ({"deny": [DOMAIN]}, None),
    "type in other letter case": ({"deny": [{"type": "Address", "values": [ME]}]}, DENIED),
    "other sections": ({"match_deny": "any"}, None),
}
MALFORMED = [
    7,
    [],
    "not json",
    "[]",
    {"allow": {}},
    {"allow": "0x"},
    {"allow": [7]},
    {"allow": [{"values": [ME]}]},
    {"allow": [{"type": "address"}]},
    {"allow": [address(7)]},
    {"deny": [{"type": "address", "values": ME}]},
    {"allow": [address(ME)], "deny": [{"type": None, "values": []}]},
    "[" * 50_000,
]


@pytest.mark.parametrize(("credentials", "expected"), CASES.values(), ids=CASES)
def test_cases(credentials: Any, expected: str | None) -> None:
    assert denial(credentials, ME) == expected
    assert denial(credentials, ME.lower()) == expected
    if isinstance(credentials, dict):
        assert denial(json.dumps(credentials), ME) == expected


@pytest.mark.parametrize("credentials", MALFORMED)
def test_malformed_credentials_admit_nobody(credentials: Any) -> None:
    with pytest.raises(CredentialsMalformed):
        denial(credentials, ME)


def test_only_addresses_can_be_judged() -> None:
    with pytest.raises(AddressInvalid):
        denial({}, "me")
