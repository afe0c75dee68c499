"""EIP-4361: texts of its grammar are read and written alike, everything else is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ocean.sign_in import SignIn, SignInInvalid, moment_of, parse_sign_in, time_text

pytestmark = pytest.mark.unit

ACCOUNT = "0xe5A12547fe4E872D192E3eCecb76F2Ce1aeA4946"
# The first is the example of the specification's own test data.
TEXTS = {
    "resources": (
        f"service.org wants you to sign in with your Ethereum account:\n{ACCOUNT}\n\n"
        "I accept the ServiceOrg Terms of Service: https://service.org/tos\n\n"
        "URI: https://service.org/login\nVersion: 1\nChain ID: 1\nNonce: 32891757\n"
        "Issued At: 2021-09-30T16:25:24.000Z\nResources:\n"
        "- ipfs://Qme7ss3ARVgxv6rXqVPiikMJ8u2NLgmgszg13pYrDKEoiu\n- https://example.com/my-web2-claim.json"
    ),
    "no statement": (
        f"service.org wants you to sign in with your Ethereum account:\n{ACCOUNT}\n\n\n"
        "URI: https://service.org/login\nVersion: 1\nChain ID: 1\nNonce: 32891757\nIssued At: 2021-09-30T16:25:24Z"
    ),
    "everything": (
        f"https://[::1]:8030 wants you to sign in with your Ethereum account:\n{ACCOUNT}\n\nHello, wörld: sign.\n\n"
        "URI: http://localhost:8030/a/b\nVersion: 1\nChain ID: 8996\nNonce: 0123456789abcdefABCDEF\n"
        "Issued At: 2026-11-30T12:00:00+02:00\nExpiration Time: 2026-11-30T12:05:00Z\n"
        "Not Before: 2026-11-30T11:00:00Z\nRequest ID: some-id\nResources:"
    ),
}
GOOD = TEXTS["everything"]
BROKEN = {
    "empty": "",
    "another text": "Hello",
    "no domain": GOOD.replace("https://[::1]:8030 wants", " wants"),
    "a path in the domain": GOOD.replace("[::1]:8030 wants", "[::1]:8030/x wants"),
    "a user in the domain": GOOD.replace("https://[::1]", "https://evil@[::1]"),
    "a wrong checksum": GOOD.replace(ACCOUNT, ACCOUNT.lower()),
    "no account": GOOD.replace(ACCOUNT, "0x12"),
    "version 2": GOOD.replace("Version: 1", "Version: 2"),
    "no chain": GOOD.replace("Chain ID: 8996\n", ""),
    "a chain in Arabic digits": GOOD.replace("8996", "\u0668\u0669\u0669\u0666"),
    "a chain with zeros": GOOD.replace("8996", "08996"),
    "a short nonce": GOOD.replace("0123456789abcdefABCDEF", "1234567"),
    "a nonce with signs": GOOD.replace("0123456789abcdefABCDEF", "1234567-89"),
    "no time": GOOD.replace("2026-11-30T12:00:00+02:00", "today"),
    "the 31st of November": GOOD.replace("2026-11-30T12:05:00Z", "2026-11-31T12:05:00Z"),
    "another order": GOOD.replace(
        "Expiration Time: 2026-11-30T12:05:00Z\nNot Before: 2026-11-30T11:00:00Z",
        "Not Before: 2026-11-30T11:00:00Z\nExpiration Time: 2026-11-30T12:05:00Z",
    ),
    "a line twice": GOOD.replace("Chain ID: 8996", "Chain ID: 8996\nChain ID: 1"),
    "an unknown line": GOOD.replace("Request ID: some-id", "Request ID: some-id\nAdmin: yes"),
    "two lines of statement": GOOD.replace("sign.", "sign.\nReally."),
    "other line ends": GOOD.replace("\n", "\r\n"),
    "something behind": GOOD + "\n",
    "a resource that is none": GOOD + "\n- nothing",
    "too long": GOOD.replace("sign.", "s" * 5000),
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_read_is_written_alike(name: str) -> None:
    assert parse_sign_in(TEXTS[name]).text() == TEXTS[name]


def test_what_is_read() -> None:
    found = parse_sign_in(GOOD)
    assert found == SignIn(
        domain="[::1]:8030",
        address=ACCOUNT,
        uri="http://localhost:8030/a/b",
        chain_id=8996,
        nonce="0123456789abcdefABCDEF",
        issued_at="2026-11-30T12:00:00+02:00",
        expiration_time="2026-11-30T12:05:00Z",
        not_before="2026-11-30T11:00:00Z",
        request_id="some-id",
        statement="Hello, wörld: sign.",
        resources=(),
        scheme="https",
    )


@pytest.mark.parametrize("name", BROKEN)
def test_everything_else_is_refused(name: str) -> None:
    assert BROKEN[name] != GOOD
    with pytest.raises(SignInInvalid) as refused:
        parse_sign_in(BROKEN[name])
    assert ACCOUNT not in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {"statement": "one\ntwo"},
        {"statement": ""},
        {"nonce": "short"},
        {"domain": "evil.example\nx"},
        {"uri": "https://a b"},
        {"chain_id": 0},
        {"resources": ("https://a\n- https://b",)},
        {"request_id": "a b"},
    ],
)
def test_nothing_else_is_written(change: dict[str, object]) -> None:
    with pytest.raises(SignInInvalid):
        replace(parse_sign_in(GOOD), **change).text()  # type: ignore[arg-type]


def test_times() -> None:
    assert time_text(1_796_000_000.9) == "2026-11-30T00:53:20Z"
    found = moment_of("2026-11-30T00:53:20.5z")
    assert found is not None
    assert found.timestamp() == 1_796_000_000.5
    for text in ("", "2026-11-30", "2026-11-30T00:53:20", "2026-13-30T00:53:20Z", "2026-11-30T00:53:20Z "):
        assert moment_of(text) is None, text
