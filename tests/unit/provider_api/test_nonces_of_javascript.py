"""ocean.js counts on from what it is told, in JavaScript's numbers: no version of it gets stuck."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean.signing import job_message, sign
from provider_api.calls.fields import is_nonce
from provider_api.calls.signature import javascript
from provider_api.endpoints.service.nonce import shown
from provider_api.storage.nonces import FREELY, STEP, NonceLeap, NonceStale, number_of, require_newer
from tests.support.provider_neighbours import CONSUMER_KEY, World

pytestmark = pytest.mark.unit

CALLS = 300
Told = int | float | str
Client = Callable[[Told], str]


def plus_one(told: Told) -> str:
    """ocean.js up to 3.1.3: `nonce + 1` on whatever the answer's JSON held."""
    return told + "1" if isinstance(told, str) else javascript(float(told) + 1)


def number_plus_one(told: Told) -> str:
    """From 3.1.4: `(Number(nonce) + 1).toString()`."""
    return javascript(float(told) + 1)


CLIENTS = pytest.mark.parametrize("client", [plus_one, number_plus_one])


@CLIENTS
@pytest.mark.parametrize("first", [None, "1", "57", "4.5", "0012.50", "1764360000000", "9007199254740000"])
def test_three_hundred_calls(client: Client, first: str | None) -> None:
    stored = first
    for _ in range(CALLS):
        following = client(shown(stored))
        assert is_nonce(following)
        require_newer(stored, following)
        stored = following
    assert stored is not None
    assert number_of(stored) - number_of(first or "1") == CALLS


@CLIENTS
@given(before=st.decimals(0, 2**53 - 2, places=3).map(str))
def test_the_next_call_is_accepted_wherever_javascript_is_exact(client: Client, before: str) -> None:
    require_newer(before, client(shown(before)))


def test_a_clock_in_nanoseconds_leaves_two_hundred_calls_to_old_versions() -> None:
    """Beyond its exact numbers ocean.js puts a digit behind a text; there is room for many, and other clients count on
    afterwards."""
    stored, calls = "1764360000000000001", 0
    while True:
        following = plus_one(shown(stored))
        try:
            require_newer(stored, following)
        except NonceLeap:
            break
        stored, calls = following, calls + 1
    assert calls > 200
    require_newer(stored, str(int(stored) + 1))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.1111111111111111e+23", 111111111111111110000000),
        ("1e21", 10**21),
        ("1E+254", 10**254),
        ("12.50e2", 1250),
    ],
)
def test_an_exponent_means_the_exact_integer(text: str, value: int) -> None:
    assert is_nonce(text)
    assert number_of(text) == value


@given(st.integers(0, 10**250 - 1))
def test_no_accepted_nonce_is_the_last_one(number: int) -> None:
    try:
        require_newer(None, str(number))
    except NonceLeap:
        assert number > FREELY + STEP
        return
    assert is_nonce(str(number + 1))
    require_newer(str(number), str(number + 1))


def test_high_nonces_grow_by_small_steps() -> None:
    high = int(FREELY)
    require_newer(str(high), str(high + int(STEP)))
    for stored in (None, "5", str(high)):
        with pytest.raises(NonceLeap):
            require_newer(stored, "9" * 255)
    with pytest.raises(NonceStale):
        require_newer(str(high), str(high))


async def test_over_http(world: World) -> None:
    """The spelling that is signed is the spelling that is stored; a plus sign arrives as a blank where a client does
    not escape it."""
    for nonce in ("8", "1.1111111111111111e+23", "1.1111111111111113e+23"):
        assert (await world.stop(nonce)).status_code == 200
        assert number_of(await world.nonce()) == number_of(nonce)
    assert (await world.stop("1.1111111111111113e+23")).status_code == 400
    raw = await _stop_unescaped(world, "1.2e+24")
    assert raw == 200
    assert await world.nonce() == "1.2e+24"
    assert (await world.stop("9" * 255)).json()["errors"]["signature"].startswith("Invalid signature: a nonce of more")
    assert (await world.stop("1" + "0" * 239)).status_code == 200
    answers = await asyncio.gather(*(world.stop(str(10**239 + n)) for n in range(1, 4)))
    assert 200 in [answer.status_code for answer in answers]


async def _stop_unescaped(world: World, nonce: str) -> int:
    address = world.consumer.address
    signature = sign(job_message(address, "", "", nonce), CONSUMER_KEY)
    url = f"/api/services/compute?consumerAddress={address}&nonce={nonce}&signature={signature}"
    return (await world.http.put(url)).status_code


def test_what_is_told() -> None:
    told = {None: 1, "57": 57, "007": 7, "4.5": 4.5, "1e3": 1000, str(2**53 - 1): 2**53 - 1, str(2**53): str(2**53)}
    told |= {"0.1": "0.1", "1644315615.24195": "1644315615.24195", "1e+23": "1e+23"}
    assert {stored: shown(stored) for stored in told} == told
    assert isinstance(shown("4.0"), int)
    assert Decimal(str(shown("12.50"))) == Decimal("12.5")
