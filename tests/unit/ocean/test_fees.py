from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean.addresses import ZERO
from ocean.fees import (
    Quote,
    QuoteMalformed,
    expired,
    fee_amount,
    make_quote,
    quote_digest,
    quote_signer,
    read_provider_data,
    sufficient,
)
from ocean.keys import address_of
from ocean.signing import SignatureInvalid

pytestmark = pytest.mark.unit

# Public development keys.
PROVIDER_KEY = "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"
PROVIDER = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
OTHER_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
TOKEN = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
DATATOKEN = "0x4ABEaCA4b05d8fA4CED09D26aD28Ea298E8afaC8"

QUOTE = make_quote(
    PROVIDER_KEY,
    environment="free",
    datatoken=DATATOKEN.lower(),
    service_id="svc",
    fee_token=TOKEN.lower(),
    amount=25 * 10**18,
    valid_until=1700000600,
    now=1700000000.5,
)


def test_quote_vector() -> None:
    data = (
        b'{"environment":"free","timestamp":1700000000.5,"dt":"0x4ABEaCA4b05d8fA4CED09D26aD28Ea298E8afaC8","id":"svc"}'
    )
    assert QUOTE.provider_data == data
    signed = quote_digest(data, PROVIDER, TOKEN, 25 * 10**18, 1700000600)
    assert signed.hex() == "913138ae88f06491b07efdfac6f35e00008b58bd6dc3df257f5d74ba27499e60"
    assert QUOTE.to_json() == {
        "providerFeeAddress": PROVIDER,
        "providerFeeToken": TOKEN,
        "providerFeeAmount": "25000000000000000000",
        "providerData": "0x" + data.hex(),
        "v": 28,
        "r": "0xe804ba418e38a9b7d66c96a34c1f667ddd5f0b050f18c5d5a07a53471f3fbaf5",
        "s": "0x2c35a0113e1b9cf06ff15c9908ff385f9aa6bbd98d2b80137526edfd1fdab748",
        "validUntil": 1700000600,
    }
    assert quote_signer(QUOTE) == PROVIDER


def test_second_quote_vector() -> None:
    quote = make_quote(
        OTHER_KEY,
        environment="ocean-compute",
        datatoken="0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        service_id="svc-1",
        fee_token="0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
        amount=119966666666666670000,
        valid_until=1700003600,
        now=1700000000.25,
    )
    assert quote.v == 27
    assert quote.r.hex() == "2cbfaeb57f4b1410db8b9bafd3478119771c9c3c96704d8c0e2ddfce82e5dc2c"
    assert quote.s.hex() == "339ab291e6a4e8f7d5b6c9b5b5b784b3bb058dd29c7b8fba086360fa492f7400"
    signed = quote_digest(quote.provider_data, quote.fee_address, quote.fee_token, quote.amount, quote.valid_until)
    assert signed.hex() == "685597b41835ab8fd36815607bdf412121c1e4e13cba0cfef583d9af3f12c822"
    assert quote_signer(quote) == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


def test_wire_form_round_trip() -> None:
    assert Quote.from_json(QUOTE.to_json()) == QUOTE
    assert Quote.from_json(QUOTE.to_json() | {"providerFeeAmount": 25 * 10**18}) == QUOTE
    assert Quote.from_json(QUOTE.to_json() | {"providerFeeToken": TOKEN.lower()}) == QUOTE


def test_contract_argument_order() -> None:
    assert QUOTE.tuple() == (
        PROVIDER,
        TOKEN,
        25 * 10**18,
        28,
        QUOTE.r,
        QUOTE.s,
        1700000600,
        QUOTE.provider_data,
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("providerFeeAddress", None),
        ("providerFeeAddress", "0x12"),
        ("providerFeeToken", 7),
        ("providerFeeAmount", "-1"),
        ("providerFeeAmount", "1.5"),
        ("providerFeeAmount", True),
        ("providerFeeAmount", 2**256),
        ("providerData", "zz"),
        ("providerData", "0xz"),
        ("r", "0x12"),
        ("s", None),
        ("v", "x"),
        ("validUntil", 1.5),
    ],
)
def test_malformed_wire_forms(field: str, value: Any) -> None:
    with pytest.raises(QuoteMalformed) as caught:
        Quote.from_json(QUOTE.to_json() | {field: value})
    assert caught.value.field == field


def test_wire_form_must_be_an_object() -> None:
    with pytest.raises(QuoteMalformed):
        Quote.from_json([])


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 1},
        {"valid_until": 1700000601},
        {"fee_token": ZERO},
        {"provider_data": QUOTE.provider_data + b" "},
        {"fee_address": TOKEN},
    ],
)
def test_every_field_is_signed(change: dict[str, Any]) -> None:
    assert quote_signer(replace(QUOTE, **change)) != PROVIDER


@pytest.mark.parametrize("change", [{"v": 0}, {"v": 1}, {"v": 29}, {"r": b"\0" * 32}, {"s": b"\xff" * 32}])
def test_quotes_without_a_signer(change: dict[str, Any]) -> None:
    with pytest.raises(SignatureInvalid):
        quote_signer(replace(QUOTE, **change))


def test_quote_signer_is_not_taken_from_the_fee_address() -> None:
    forged = replace(QUOTE, fee_address=address_of(OTHER_KEY))
    assert quote_signer(forged) not in (PROVIDER, address_of(OTHER_KEY))


def test_provider_data_is_read() -> None:
    data = read_provider_data(QUOTE.provider_data)
    assert (data.environment, data.datatoken, data.service_id) == ("free", DATATOKEN, "svc")
    assert data.timestamp == Decimal("1700000000.5")
    download = read_provider_data(b'{"environment":null,"timestamp":1,"dt":"0x","id":"a","consumer":"x"}')
    assert download.environment is None
    assert download.timestamp == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"environment":1,"timestamp":1,"dt":"","id":""}',
        b'{"environment":"","timestamp":"1","dt":"","id":""}',
        b'{"environment":"","timestamp":NaN,"dt":"","id":""}',
        b'{"environment":"","timestamp":true,"dt":"","id":""}',
        b'{"environment":"","timestamp":1,"id":""}',
        b'{"environment":"","timestamp":1,"dt":"","id":5}',
        b"[" * 100_000,
    ],
)
def test_malformed_provider_data(data: bytes) -> None:
    with pytest.raises(QuoteMalformed):
        read_provider_data(data)


@pytest.mark.parametrize(
    ("seconds", "price", "decimals", "peer", "exact"),
    [
        (600, "2.5", 18, 25000000000000000000, 25000000000000000000),
        (599, "2.5", 18, 24958333333333332000, 24958333333333333333),
        (599, "2.5", 6, 24958333, 24958333),
        (3599, "0.1", 18, 5998333333333334000, 5998333333333333333),
    ],
)
def test_fee_table(seconds: int, price: str, decimals: int, peer: int, exact: int) -> None:
    assert fee_amount(Decimal(price), seconds, decimals) == exact
    assert sufficient(peer, exact, decimals)
    assert sufficient(exact, exact, decimals)


def test_whole_days_cost() -> None:
    assert fee_amount(Decimal(1), 3 * 86400 + 60, 0) == 3 * 1440 + 1


def test_no_time_and_no_token_cost_nothing() -> None:
    assert fee_amount(Decimal(5), 0, 18) == 0
    assert fee_amount(Decimal(5), -86000, 18) == 0
    assert fee_amount(Decimal(5), 600, 18, fee_token=ZERO) == 0
    assert fee_amount(Decimal(5), 600, 18, fee_token=TOKEN) == 50 * 10**18


@pytest.mark.parametrize("price", ["-1", "NaN", "Infinity"])
def test_wrong_prices(price: str) -> None:
    with pytest.raises(ValueError, match="a price is a number"):
        fee_amount(Decimal(price), 1, 18)


@given(
    st.decimals(0, 10**9, allow_nan=False, places=12),
    st.integers(0, 10**9),
    st.integers(0, 36),
)
def test_fee_is_the_exact_floor(price: Decimal, seconds: int, decimals: int) -> None:
    exact = Fraction(price) * seconds * 10**decimals / 60
    fee = fee_amount(price, seconds, decimals)
    assert fee <= exact < fee + 1


@given(st.integers(0, 10**30), st.integers(0, 10**30), st.integers(0, 36))
def test_sufficient_allows_for_rounding_only(paid: int, required: int, decimals: int) -> None:
    allowance = max(1, 10**decimals // 10**12)
    assert sufficient(required, required, decimals)
    assert not sufficient(max(0, required - allowance - 1), required, decimals) or required == 0
    if required:
        assert not sufficient(0, required, decimals)
    assert sufficient(paid, required, decimals) == (paid >= required or (paid > 0 and required - paid <= allowance))


@pytest.mark.parametrize(
    ("now", "valid_until", "quoted_at", "block", "over"),
    [
        (10**10, 0, 1000, 1100, False),  # 0 never expires
        (1599, 1600, None, 0, False),
        (1600, 1600, 1000, 1100, False),
        (1789.9, 1600, 1000, 1100, False),  # 100 s from quote to block, and 90 s
        (1790, 1600, 1000, 1100, True),
        (1689, 1600, 0, 10**9, False),  # unknown time of the quote: 90 s only
        (1690, 1600, 0, 10**9, True),
        (1690, 1600, None, 10**9, True),
        (1689, 1600, 2000, 1000, False),  # a quote from the future takes nothing away
        (1690, 1600, 2000, 1000, True),
        (2289, 1600, 1000, 10**9, False),  # a block clock that runs ahead adds 600 s at most
        (2290, 1600, 1000, 10**9, True),
        (1690.5, 1600, Decimal("1000.5"), 1001, True),
        (1690.4, 1600, Decimal("1000.5"), 1001, False),
    ],
)
def test_grace(now: float, valid_until: int, quoted_at: Decimal | None, block: int, over: bool) -> None:
    assert expired(valid_until=valid_until, now=now, quoted_at=quoted_at, block_timestamp=block) is over
