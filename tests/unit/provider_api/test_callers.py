"""Who is calling: nonces, signatures, tokens, on every endpoint that asks for them."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account

from ocean import signing
from ocean.signing import sign
from provider_api.calls.signature import following
from provider_api.calls.tokens import encode
from provider_api.storage.nonces import normal_form, number_of
from tests.support.provider_neighbours import CONSUMER_KEY, STRANGER_KEY, World
from tests.support.tokens import expiration

pytestmark = pytest.mark.unit

ABSENT = ["Invalid signature provided. Please check the nonce or documentId."]
ADDRESS = Account.from_key(CONSUMER_KEY).address
DID, JOB, NFT, TX = "did:op:" + "ab" * 32, "00" + "5" * 29 + "c", "0x" + "12" * 20, "0x" + "34" * 32
COMPUTE = "/api/services/compute"


@dataclass(frozen=True)
class Endpoint:
    """A signed call with well-formed fields, of an account that owns nothing."""

    method: str
    path: str
    fields: dict[str, Any]
    message: Callable[[str, str], str]  # of address and nonce
    caller: str = "consumerAddress"
    takes_tokens: bool = True
    in_body: bool = False

    def signed(self, nonce: Any, *, address: str = ADDRESS, key: str = CONSUMER_KEY) -> dict[str, Any]:
        signature = sign(self.message(address, str(nonce)), key)
        return {**self.fields, self.caller: address, "nonce": nonce, "signature": signature}

    async def send(self, world: World, fields: dict[str, Any], **headers: str) -> httpx.Response:
        url = f"/api/services/{self.path}"
        if self.in_body:
            return await world.http.request(self.method, url, json=fields, headers=headers)
        return await world.http.request(self.method, url, params=fields, headers=headers)


START_FIELDS = {
    "dataset": {"documentId": DID, "serviceId": "svc", "transferTxId": TX},
    "algorithm": {"meta": {"rawcode": "x"}},
    "environment": "small",
}
ENDPOINTS = {
    "start": Endpoint(
        "POST", "compute", START_FIELDS, lambda who, nonce: signing.start_message(who, DID, nonce), in_body=True
    ),
    "stop": Endpoint("PUT", "compute", {"jobId": JOB}, lambda who, nonce: signing.job_message(who, JOB, "", nonce)),
    "delete": Endpoint(
        "DELETE", "compute", {"jobId": JOB}, lambda who, nonce: signing.job_message(who, JOB, "", nonce)
    ),
    "result": Endpoint(
        "GET",
        "computeResult",
        {"jobId": JOB, "index": "0"},
        lambda who, nonce: signing.result_message(who, JOB, "0", nonce),
    ),
    "download": Endpoint(
        "GET",
        "download",
        {"documentId": DID, "serviceId": "svc", "transferTxId": TX, "fileIndex": "0"},
        lambda who, nonce: signing.download_message(DID, nonce),
    ),
    "decrypt": Endpoint(
        "POST",
        "decrypt",
        {"chainId": 8996, "dataNftAddress": NFT, "transactionId": TX},
        lambda who, nonce: signing.decrypt_message(TX, who, 8996, nonce),
        "decrypterAddress",
        in_body=True,
    ),
    "createAuthToken": Endpoint(
        "GET", "createAuthToken", {"expiration": expiration()}, signing.token_message, "address", takes_tokens=False
    ),
    "deleteAuthToken": Endpoint(
        "DELETE", "deleteAuthToken", {"token": "x"}, signing.token_message, "address", takes_tokens=False
    ),
}
EVERY = pytest.mark.parametrize("name", ENDPOINTS)
WITH_TOKENS = pytest.mark.parametrize("name", [name for name, call in ENDPOINTS.items() if call.takes_tokens])


async def use_up(world: World, nonce: str) -> None:
    assert (await world.stop(nonce)).status_code == 200
    assert await stored(world) == nonce
    assert number_of(await world.nonce()) == number_of(nonce)


async def stored(world: World) -> str:
    """As it lies in the database."""
    with closing(sqlite3.connect(world.settings.data_folder / "service.sqlite")) as connection:
        (value,) = connection.execute("SELECT value FROM nonces WHERE consumer = ?", (ADDRESS.lower(),)).fetchone()
    return str(value)


def stale(stored: str, given: Any) -> dict[str, str]:
    return {"signature": f"Invalid signature expected nonce ({stored}) > current nonce ({given})."}


# --- nonces: format ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [("7", "7"), ("007", "7"), ("7.50", "7.5"), ("7.0", "7"), ("0", "0"), ("000", "0"), ("0.10", "0.1")],
)
def test_normal_form(text: str, expected: str) -> None:
    assert normal_form(text) == expected


@EVERY
@pytest.mark.parametrize(
    "nonce", ["inf", "nan", "1e-3", "-1", "+5", " 9", "1_000", "x1", "0x10", "9" * 256, "1e255", "٣", "5."]
)
async def test_what_is_no_nonce_is_refused_everywhere(world: World, name: str, nonce: str) -> None:
    """With Ocean Provider `inf` locked an account for ever, and `nan` was an error of the server."""
    answer = await ENDPOINTS[name].send(world, ENDPOINTS[name].signed(nonce))
    assert answer.status_code == 400
    assert answer.json()["errors"] == {"nonce": ["The nonce must be a number."]}
    assert await world.nonce() == "1"


@EVERY
async def test_a_nonce_is_required_everywhere(world: World, name: str) -> None:
    fields = ENDPOINTS[name].signed("5")
    del fields["nonce"]
    answer = await ENDPOINTS[name].send(world, fields)
    assert answer.json()["errors"] == {"nonce": ["The nonce field is required."]}


@pytest.mark.parametrize(
    "nonce", ["7", "4.5", "0010", "9" * 78, "1795405424715548897", "1644315615.24195", "0." + "1" * 18, "8.500"]
)
async def test_a_nonce_is_stored_as_it_is_written(world: World, nonce: str) -> None:
    await use_up(world, nonce)


async def test_an_integer_and_its_text_are_one_nonce(world: World) -> None:
    """Ocean Provider stored text and compared it with a number, so a captured JSON request passed again and again."""
    job = (await world.start(world.start_body(57))).json()[0]["jobId"]
    assert await world.nonce() == "57"
    for again in (57, "57", "57.0", "057"):
        answer = await world.stop(again, job)
        assert answer.json()["errors"] == stale("57", again)


async def test_zero_is_a_nonce(world: World) -> None:
    body = world.start_body(0)
    assert (await world.start(body)).status_code == 200
    assert await world.nonce() == "0"
    assert (await world.stop(0)).json()["errors"] == stale("0", 0)
    await use_up(world, "0.000000000000000001")


@pytest.mark.parametrize(
    ("stored", "given"),
    [
        ("57", "571"),  # a client that appends a "1" instead of adding one
        ("1795405424715548897", "1795405424715548898"),  # beyond what a double can tell apart
        ("9" * 77 + "8", "9" * 78),
        ("1644315615.24195", "1644315615.24196"),
        ("4.5", "4.50000000000000001"),
    ],
)
async def test_the_next_nonce_is_compared_exactly(world: World, stored: str, given: str) -> None:
    await use_up(world, stored)
    assert (await world.stop(stored)).json()["errors"] == stale(stored, stored)
    await use_up(world, given)
    assert (await world.stop(stored)).json()["errors"] == stale(given, stored)


# --- nonces: one per account and value --------------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize("given", ["7", "7.0", "007", "6.99", "0"])
async def test_an_equal_or_lower_nonce_is_refused_everywhere(world: World, name: str, given: str) -> None:
    await use_up(world, "7")
    answer = await ENDPOINTS[name].send(world, ENDPOINTS[name].signed(given))
    assert answer.status_code == 400
    assert answer.json() == {"errors": stale("7", given), "message": "Validation error", "success": False}


@EVERY
async def test_another_letter_case_is_the_same_account_everywhere(world: World, name: str) -> None:
    await use_up(world, "7")
    for address in (ADDRESS.lower(), "0x" + ADDRESS[2:].upper(), "0X" + ADDRESS[2:]):
        answer = await ENDPOINTS[name].send(world, ENDPOINTS[name].signed("7", address=address))
        assert answer.json()["errors"] == stale("7", "7")


@EVERY
async def test_the_nonce_is_the_only_error_reported(world: World, name: str) -> None:
    await use_up(world, "7")
    foreign = ENDPOINTS[name].signed("6", key=STRANGER_KEY)
    assert (await ENDPOINTS[name].send(world, foreign)).json()["errors"] == stale("7", "6")
    nonsense = {**ENDPOINTS[name].signed("6"), "signature": "0x12"}
    assert (await ENDPOINTS[name].send(world, nonsense)).json()["errors"] == stale("7", "6")


@EVERY
async def test_a_refused_request_keeps_its_nonce(world: World, name: str) -> None:
    """Wrong signatures everywhere; and what is refused for another reason, where these fields are (not the stop, which
    finds no job and succeeds, nor the creation)."""
    foreign = ENDPOINTS[name].signed("6", key=STRANGER_KEY)
    assert (await ENDPOINTS[name].send(world, foreign)).status_code == 400
    assert await world.nonce() == "1"
    answer = await ENDPOINTS[name].send(world, ENDPOINTS[name].signed("6"))
    if answer.status_code == 200:
        assert name in ("stop", "delete", "createAuthToken")
        assert await world.nonce() == "6"
    else:
        assert 400 <= answer.status_code < 500
        assert "signature" not in answer.json().get("errors", {})
        assert await world.nonce() == "1"


async def test_asking_for_a_nonce_writes_nothing(world: World) -> None:
    for number in range(50):
        query = {"userAddress": f"0x{number:040x}"}
        assert (await world.http.get("/api/services/nonce", params=query)).json() == {"nonce": 1}
    for text in ("me", "0x12", "inf", "' OR 1=1", "\x00", "0x" + "g" * 40):
        answer = await world.http.get("/api/services/nonce", params={"userAddress": text})
        assert answer.status_code == 400
    with closing(sqlite3.connect(world.settings.data_folder / "service.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM nonces").fetchone() == (0,)


async def test_the_stored_nonce_is_shown_for_every_spelling(world: World) -> None:
    await use_up(world, "0012.50")
    for address in (ADDRESS, ADDRESS.lower(), "0x" + ADDRESS[2:].upper()):
        answer = await world.http.get("/api/services/nonce", params={"userAddress": address})
        assert answer.json() == {"nonce": 12.5}


async def test_parallel_stops_with_one_nonce(world: World) -> None:
    """All four reached the operator with Ocean Provider."""
    job = (await world.start(world.start_body(5))).json()[0]["jobId"]
    answers = await asyncio.gather(*(world.stop(6, job) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


# --- signatures -------------------------------------------------------------------------------------------------------


@EVERY
async def test_both_families_of_signatures_everywhere(world: World, name: str) -> None:
    """With v 0 or 1, without 0x, in capitals: the signature is found good, whatever else is not."""
    for nonce, spell in enumerate((with_zero_one, without_prefix, str.upper), start=5):
        fields = ENDPOINTS[name].signed(str(nonce))
        fields["signature"] = spell(fields["signature"])
        answer = await ENDPOINTS[name].send(world, fields)
        assert answer.status_code == 200 or "signature" not in answer.json().get("errors", {}), answer.json()


def with_zero_one(signature: str) -> str:
    return signature[:-2] + {"1b": "00", "1c": "01"}[signature[-2:]]


def without_prefix(signature: str) -> str:
    return signature[2:]


@EVERY
async def test_signatures_that_are_none(world: World, name: str) -> None:
    good = ENDPOINTS[name].signed("5")
    for bad in ("0x", "zz", "💥", good["signature"] + "00", good["signature"][:-2], good["signature"][:-2] + "1d"):
        answer = await ENDPOINTS[name].send(world, {**good, "signature": bad})
        assert answer.status_code == 400
        assert answer.json()["errors"]["signature"].startswith("Invalid signature ")
    assert await world.nonce() == "1"


@EVERY
async def test_a_malformed_address_is_refused(world: World, name: str) -> None:
    call = ENDPOINTS[name]
    for bad in ("me", "0x12", ADDRESS[2:], ADDRESS + "0", "0x" + "é" * 40):
        answer = await call.send(world, {**call.signed("5"), call.caller: bad})
        assert (answer.status_code, answer.json()["errors"]) == (
            400,
            {call.caller: [f"The {call.caller} format is invalid."]},
        )


# --- tokens -----------------------------------------------------------------------------------------------------------


def unsigned(name: str, nonce: str) -> dict[str, Any]:
    return {field: value for field, value in ENDPOINTS[name].signed(nonce).items() if field != "signature"}


@EVERY
async def test_neither_signature_nor_token(world: World, name: str) -> None:
    for fields in (unsigned(name, "5"), {**unsigned(name, "5"), "signature": ""}):
        for header in ({}, {"AuthToken": ""}):
            answer = await ENDPOINTS[name].send(world, fields, **header)
            assert answer.status_code == 400
            assert answer.json()["errors"] == {"signature": ABSENT}


@WITH_TOKENS
async def test_a_token_stands_for_a_signature(world: World, name: str) -> None:
    """Made for any spelling of the address; the field may be there and empty."""
    for nonce, owner in enumerate((ADDRESS, ADDRESS.lower()), start=5):
        token = encode(owner, int(expiration()), world.keys.token)
        for fields in (unsigned(name, str(nonce)), {**unsigned(name, f"{nonce}.5"), "signature": ""}):
            answer = await ENDPOINTS[name].send(world, fields, AuthToken=token)
            assert answer.status_code == 200 or "errors" not in answer.json(), answer.json()


@WITH_TOKENS
async def test_a_token_that_is_not_good(world: World, name: str) -> None:
    key = world.keys.token
    bad = (
        encode(ADDRESS, int(expiration(-1)), key),
        encode(Account.from_key(STRANGER_KEY).address, int(expiration()), key),
        encode(ADDRESS, int(expiration()), b"the key of another deployment 32"),
        encode(ADDRESS, int(expiration()), key) + "=",
        "Bearer " + encode(ADDRESS, int(expiration()), key),
        "x",
    )
    for token in bad:
        answer = await ENDPOINTS[name].send(world, unsigned(name, "5"), AuthToken=token)
        assert answer.status_code == 400
        assert answer.json()["errors"] == {"signature": ABSENT}
    assert await world.nonce() == "1"


@WITH_TOKENS
async def test_a_given_signature_wins_even_a_wrong_one(world: World, name: str) -> None:
    token = encode(ADDRESS, int(expiration()), world.keys.token)
    foreign = ENDPOINTS[name].signed("5", key=STRANGER_KEY)
    answer = await ENDPOINTS[name].send(world, foreign, AuthToken=token)
    assert answer.status_code == 400
    assert answer.json()["errors"]["signature"].startswith("Invalid signature 0x")


@WITH_TOKENS
async def test_a_good_token_with_a_stale_nonce(world: World, name: str) -> None:
    """An error of the server with Ocean Provider."""
    await use_up(world, "7")
    token = encode(ADDRESS, int(expiration()), world.keys.token)
    answer = await ENDPOINTS[name].send(world, unsigned(name, "7"), AuthToken=token)
    assert (answer.status_code, answer.json()["errors"]) == (400, stale("7", "7"))


async def test_a_nonce_is_used_up_with_a_token(world: World) -> None:
    token = encode(ADDRESS, int(expiration()), world.keys.token)
    job = (await world.start(world.start_body(5))).json()[0]["jobId"]
    fields = {"consumerAddress": ADDRESS, "nonce": "6", "jobId": job}
    answers = [await world.http.put(COMPUTE, params=fields, headers={"AuthToken": token}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert answers[1].json()["errors"] == stale("6", "6")


async def test_the_identical_start_with_a_token_is_the_same_job(world: World) -> None:
    """Signed or with a token, first or again."""
    token = {"AuthToken": encode(ADDRESS, int(expiration()), world.keys.token)}
    signed = world.start_body(5)
    bare = {name: value for name, value in signed.items() if name != "signature"}
    first = await world.http.post(COMPUTE, json=bare, headers=token)
    again = await world.http.post(COMPUTE, json=bare, headers=token)
    other = await world.http.post(COMPUTE, json=signed)
    assert [answer.status_code for answer in (first, again, other)] == [200, 200, 200]
    assert first.json() == again.json() == other.json()
    assert world.argo.created == 1


async def test_a_token_of_one_is_nothing_to_a_job_of_another(world: World) -> None:
    job = (await world.start(world.start_body(5))).json()[0]["jobId"]
    stranger = Account.from_key(STRANGER_KEY).address
    token = {"AuthToken": encode(stranger, int(expiration()), world.keys.token)}
    theirs = await world.http.put(
        COMPUTE, params={"consumerAddress": stranger, "nonce": "6", "jobId": job}, headers=token
    )
    assert theirs.json() == []
    assert world.argo.workflows[job].shutdown == ""


# --- clients that lose their nonce ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (None, ["2", "11"]),
        ("57", ["58", "571"]),
        ("4.5", ["5.5", "4.51"]),
        ("0.1", ["1.1", "0.11"]),
        ("9007199254740993", ["90071992547409931"]),  # the sum is the same double, so it is no newer nonce
        ("1234567890123456789", ["1234567890123456800", "12345678901234567891"]),  # as JavaScript prints doubles
        ("1234567890123456789012345", ["1.2345678901234568e+24", "12345678901234567890123451"]),
        ("9" * 255, []),
    ],
)
def test_what_a_client_counts_on_to(stored: str | None, expected: list[str]) -> None:
    assert following(stored) == expected


@pytest.fixture
async def tolerant(tmp_path: Path) -> Any:
    async with World(tmp_path, policy={"tolerate_missing_nonce": True}).running() as world:
        yield world


def js_stop(job: str, nonce: str | None, key: str = CONSUMER_KEY) -> dict[str, str]:
    """What ocean.js 3.4.6 sends: the nonce is not signed."""
    address = Account.from_key(key).address
    body = {"signature": sign(address + job, key), "agreementId": "", "consumerAddress": address, "jobId": job}
    return body if nonce is None else {**body, "nonce": nonce}


def js_delete(job: str, nonce: str, key: str = CONSUMER_KEY) -> dict[str, str]:
    """What ocean.js 3.x sends: the nonce is signed, but not sent."""
    address = Account.from_key(key).address
    signature = sign(signing.job_message(address, job, DID, nonce), key)
    return {"documentId": DID, "consumerAddress": address, "jobId": job, "signature": signature}


async def test_off_by_default(world: World) -> None:
    job = (await world.start(world.start_body(5))).json()[0]["jobId"]
    for method in ("PUT", "DELETE"):
        answer = await world.http.request(method, COMPUTE, json=js_delete(job, "6"))
        assert (answer.status_code, answer.json()["errors"]) == (400, {"nonce": ["The nonce field is required."]})
        answer = await world.http.request(method, COMPUTE, json=js_stop(job, "6"))
        assert answer.status_code == 400
        assert answer.json()["errors"]["signature"].startswith("Invalid signature 0x")
    assert await world.nonce() == "5"
    assert world.argo.workflows[job].shutdown == ""


@pytest.mark.parametrize("nonce", ["6", None])
async def test_a_stop_without_signed_nonce(tolerant: World, nonce: str | None) -> None:
    job = (await tolerant.start(tolerant.start_body(5))).json()[0]["jobId"]
    answer = await tolerant.http.put(COMPUTE, json=js_stop(job, nonce))
    assert answer.json()[0]["stopreq"] == 1
    assert await tolerant.nonce() == "5", "nobody has signed it"


async def test_a_nonce_nobody_has_signed_locks_no_account(tolerant: World) -> None:
    job = (await tolerant.start(tolerant.start_body(5))).json()[0]["jobId"]
    assert (await tolerant.http.put(COMPUTE, json=js_stop(job, "9" * 78))).status_code == 200
    await use_up(tolerant, "6")


async def test_a_stop_with_a_stale_nonce_is_refused_all_the_same(tolerant: World) -> None:
    job = (await tolerant.start(tolerant.start_body(5))).json()[0]["jobId"]
    assert (await tolerant.http.put(COMPUTE, json=js_stop(job, "5"))).json()["errors"] == stale("5", "5")


@pytest.mark.parametrize("counted", ["6", "51"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_nonce_that_is_signed_and_not_sent_is_found_and_used_up(
    tolerant: World, method: str, counted: str
) -> None:
    job = (await tolerant.start(tolerant.start_body(5))).json()[0]["jobId"]
    body = js_delete(job, counted)
    assert (await tolerant.http.request(method, COMPUTE, json=body)).status_code == 200
    assert await tolerant.nonce() == counted
    again = await tolerant.http.request(method, COMPUTE, json=body)
    assert (again.status_code, again.json()["errors"]) == (400, {"nonce": ["The nonce field is required."]})


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_nonce_that_nobody_counts_on_to_is_not_found(tolerant: World, method: str) -> None:
    job = (await tolerant.start(tolerant.start_body(5))).json()[0]["jobId"]
    for body in (js_delete(job, "8"), js_delete(job, "5"), js_delete(job, "6", STRANGER_KEY)):
        answer = await tolerant.http.request(method, COMPUTE, json={**body, "consumerAddress": ADDRESS})
        assert (answer.status_code, answer.json()["errors"]) == (400, {"nonce": ["The nonce field is required."]})
    assert await tolerant.nonce() == "5"
    assert tolerant.argo.workflows[job].shutdown == ""


async def test_a_captured_stop_deletes_nothing(tolerant: World) -> None:
    """A signature without nonce is good for ever, so it may only do what may be repeated."""
    job = (await tolerant.start(tolerant.start_body(5))).json()[0]["jobId"]
    for nonce in ("6", None):
        assert (await tolerant.http.request("DELETE", COMPUTE, json=js_stop(job, nonce))).status_code == 400
    assert job in tolerant.argo.workflows


async def test_only_a_named_job_may_do_without(tolerant: World) -> None:
    await tolerant.start(tolerant.start_body(5))
    for nonce in ("6", None):
        answer = await tolerant.http.put(COMPUTE, json=js_stop("", nonce))
        assert answer.status_code == 400
    assert await tolerant.nonce() == "5"


async def test_ordinary_requests_as_ever(tolerant: World) -> None:
    job = (await tolerant.start(tolerant.start_body(5))).json()[0]["jobId"]
    assert (await tolerant.stop(6, job)).status_code == 200
    assert (await tolerant.stop(6, job)).json()["errors"] == stale("6", 6)
    foreign = await tolerant.http.put(COMPUTE, json={**js_stop(job, "7", STRANGER_KEY), "consumerAddress": ADDRESS})
    assert foreign.json()["errors"]["signature"].startswith("Invalid signature 0x")
    token = {"AuthToken": encode(ADDRESS, int(expiration()), tolerant.keys.token)}
    fields = {"consumerAddress": ADDRESS, "jobId": job}
    assert "nonce" in (await tolerant.http.put(COMPUTE, json=fields, headers=token)).json()["errors"]
    assert (await tolerant.http.put(COMPUTE, json={**fields, "nonce": "7"}, headers=token)).status_code == 200
    assert await tolerant.nonce() == "7"
