"""Tokens: their form, their life, and what must not work with them."""

import base64
import hashlib
import hmac
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import jwt
import pytest
from eth_account import Account

from provider_api.calls.tokens import TokenRefused, decode, encode
from provider_api.keys import keys_of
from provider_api.settings import LimitSettings
from tests.support import tokens
from tests.support.provider_neighbours import CONSUMER_KEY, PROVIDER_KEY, STRANGER_KEY, World
from tests.support.tokens import create, delete, expiration, signed

pytestmark = pytest.mark.unit

ABSENT = ["Invalid signature provided. Please check the nonce or documentId."]
KEY = keys_of(PROVIDER_KEY).token
ADDRESS = Account.from_key(CONSUMER_KEY).address
# Made by Ocean Provider from a published development key, whose text is the HMAC key there.
PEERS_KEY = b"0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
PEERS_TOKEN = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDAsImFkZHJlc3MiOiIweGYzOUZkNmU1MWFhZDg4RjZGNGNlNmFCODgy"
    "NzI3OWNmZkZiOTIyNjYifQ.7UR8DDofn0gTuCTqd0L3Oxslb6xNaOxvk2ESorBLCkk"
)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


def forged(header: Any, payload: Any, key: bytes = KEY, digest: str = "sha256") -> str:
    text = f"{part(header)}.{part(payload)}"
    seal = hmac.new(key, text.encode(), digest).digest()
    return f"{text}.{base64.urlsafe_b64encode(seal).rstrip(b'=').decode()}"


HEADER = {"typ": "JWT", "alg": "HS256"}
CLAIMS = {"exp": int(time.time()) + 3600, "address": ADDRESS}
GOOD = encode(ADDRESS, int(CLAIMS["exp"]), KEY)


# --- form -------------------------------------------------------------------------------------------------------------


def test_the_form_is_the_peers() -> None:
    assert encode("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", 4102444800, PEERS_KEY) == PEERS_TOKEN
    assert decode(PEERS_TOKEN, PEERS_KEY).address == "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"


def test_the_key_is_not_the_providers_and_not_its_text() -> None:
    """Neither can be had from a token, nor makes one."""
    raw = bytes.fromhex(PROVIDER_KEY[2:])
    assert len(KEY) == 32
    assert KEY not in (raw, PROVIDER_KEY.encode(), bytes(keys_of(PROVIDER_KEY).box))
    for key in (raw, PROVIDER_KEY.encode(), PROVIDER_KEY[2:].encode()):
        with pytest.raises(TokenRefused, match="invalid"):
            decode(forged(HEADER, CLAIMS, key), KEY)
    assert KEY.hex() not in repr(keys_of(PROVIDER_KEY))


def test_the_key_is_always_the_same_one() -> None:
    """HKDF-SHA256 of the provider's key; a change would make every token in the world invalid."""
    assert KEY.hex() == "caf46acafe3134e158cea5b8d40ee0844576f1e0523d0076ca5fdd47f7791b37"


def test_a_good_token_is_read() -> None:
    assert forged(HEADER, CLAIMS) == GOOD
    assert decode(GOOD, KEY).address == ADDRESS.lower()


@pytest.mark.parametrize(
    "token",
    [
        forged({"typ": "JWT", "alg": "none"}, CLAIMS),
        f"{part({'typ': 'JWT', 'alg': 'none'})}.{part(CLAIMS)}.",
        forged({"typ": "JWT", "alg": "HS512"}, CLAIMS, digest="sha512"),
        forged({"typ": "JWT", "alg": "HS384"}, CLAIMS, digest="sha384"),
        forged({"typ": "JWT", "alg": "RS256"}, CLAIMS),
        forged({"typ": "JWT", "alg": "ES256"}, CLAIMS),
        forged({"alg": "HS256"}, CLAIMS),
        forged({**HEADER, "kid": "../../dev/null"}, CLAIMS),
        forged(HEADER, CLAIMS, b"another deployment's key, 32 byte"),
        forged(HEADER, {"address": ADDRESS}),
        forged(HEADER, {"exp": None, "address": ADDRESS}),
        forged(HEADER, {"exp": CLAIMS["exp"]}),
        forged(HEADER, {"exp": CLAIMS["exp"], "address": 5}),
        forged(HEADER, {"exp": CLAIMS["exp"], "address": "0x12"}),
        forged(HEADER, {"exp": str(CLAIMS["exp"]), "address": ADDRESS}),
        forged(HEADER, {"exp": CLAIMS["exp"] + 0.5, "address": ADDRESS}),  # type: ignore[operator]
        forged(HEADER, {"address": ADDRESS, "exp": CLAIMS["exp"]}),
        forged(HEADER, {**CLAIMS, "admin": True}),
        forged(HEADER, [CLAIMS]),
        GOOD[:-1],
        GOOD + "=",
        GOOD + " ",
        GOOD[:-1] + chr(ord(GOOD[-1]) + 1),  # other unused bits in the last letter: the same bytes
        GOOD.replace(".", "\n.", 1),
        "." * 3,
        "ä" * 20,
        "[" * 200 + ".e30.x",
        part([[]]) * 40,
        "",
    ],
)
def test_anything_else_is_no_token(token: str) -> None:
    with pytest.raises(TokenRefused, match=r"^Token is invalid\.$"):
        decode(token, KEY)


def test_an_expired_token() -> None:
    with pytest.raises(TokenRefused, match=r"^Token is expired\.$"):
        decode(encode(ADDRESS, int(time.time()) - 1, KEY), KEY)


# --- making one -------------------------------------------------------------------------------------------------------


async def test_same_address_and_expiration_same_token(world: World) -> None:
    end = expiration()
    first, second = [await create(world.http, CONSUMER_KEY, n, expiration=end) for n in (1, 2)]
    assert (first.status_code, list(first.json())) == (200, ["token"])
    assert first.json() == second.json()
    claims = jwt.decode(first.json()["token"], options={"verify_signature": False})
    assert claims == {"exp": int(end), "address": world.consumer.address}


async def test_fields_in_order(world: World) -> None:
    """Each field ends the validation; the signature's list form comes last."""
    url = "/api/services/createAuthToken"
    fields = signed(CONSUMER_KEY, 1, expiration=expiration())
    errors = []
    for name in ("address", "expiration", "nonce", "signature"):
        given = {key: value for key, value in fields.items() if key != name}
        answer = await world.http.get(url, params=given)
        assert answer.status_code == 400
        errors.append(answer.json()["errors"])
    assert errors == [
        {"address": ["The address field is required."]},
        {"expiration": ["The expiration field is required."]},
        {"nonce": ["The nonce field is required."]},
        {"signature": ABSENT},
    ]
    assert (await world.http.get(url)).json()["errors"] == {"address": ["The address field is required."]}


async def test_fields_of_a_deletion_in_order(world: World) -> None:
    fields = signed(CONSUMER_KEY, 1, token="x")
    errors = []
    for name in ("address", "token", "nonce", "signature"):
        given = {key: value for key, value in fields.items() if key != name}
        answer = await world.http.request("DELETE", "/api/services/deleteAuthToken", json=given)
        errors.append((answer.status_code, *answer.json()["errors"]))
    assert errors == [(400, "address"), (400, "token"), (400, "nonce"), (400, "signature")]


@pytest.mark.parametrize(
    "end",
    [
        str(int(time.time()) - 1),
        str((int(time.time()) + 3600) * 1000),
        "0",
        str(int(time.time()) + 367 * 24 * 3600),
        "9" * 30,
    ],
    ids=["past", "milliseconds", "zero", "more than a year", "thirty digits"],
)
async def test_an_end_in_the_past_or_too_far_away(world: World, end: str) -> None:
    answer = await create(world.http, CONSUMER_KEY, 1, expiration=end)
    assert answer.status_code == 400
    assert answer.json()["errors"] == {"expiration": ["Invalid timestamp provided."]}
    assert await world.nonce() == "1"


@pytest.mark.parametrize("end", ["soon", "-5", "1e10", "1.5", "9" * 31, "٣"])
async def test_an_end_that_is_no_integer(world: World, end: str) -> None:
    answer = await create(world.http, CONSUMER_KEY, 1, expiration=end)
    assert answer.json()["errors"] == {"expiration": ["The expiration must be an integer."]}


async def test_a_day_is_the_longest_unless_a_setting_says_more(world: World, tmp_path: Path) -> None:
    assert (await create(world.http, CONSUMER_KEY, 1, expiration=expiration(23 * 3600))).status_code == 200
    answer = await create(world.http, CONSUMER_KEY, 2, expiration=expiration(25 * 3600))
    assert answer.json()["errors"] == {"expiration": ["Invalid timestamp provided."]}
    longer = LimitSettings(token_seconds=366 * 24 * 3600)
    async with World(tmp_path / "longer", limits=longer).running() as other:
        assert (await create(other.http, CONSUMER_KEY, 1, expiration=expiration(365 * 24 * 3600))).status_code == 200


async def test_both_calls_must_be_signed_by_the_address(world: World) -> None:
    token = (await create(world.http, CONSUMER_KEY, 1)).json()["token"]
    claimed = {"address": world.consumer.address}
    made = await create(world.http, STRANGER_KEY, 2, **claimed)
    gone = await delete(world.http, STRANGER_KEY, 2, token, **claimed)
    for answer in (made, gone):
        assert answer.status_code == 400
        assert answer.json()["errors"]["signature"].startswith("Invalid signature 0x")


async def test_a_token_does_not_stand_for_these_signatures(world: World) -> None:
    """Otherwise one could live for ever on one token."""
    token = (await create(world.http, CONSUMER_KEY, 1)).json()["token"]
    header = {"AuthToken": token}
    fields = {"address": world.consumer.address, "nonce": "2", "expiration": expiration(), "token": token}
    made = await world.http.get("/api/services/createAuthToken", params=fields, headers=header)
    gone = await world.http.delete("/api/services/deleteAuthToken", params=fields, headers=header)
    assert made.json()["errors"] == gone.json()["errors"] == {"signature": ABSENT}
    assert await world.nonce() == "1"


# --- deleting and making again ----------------------------------------------------------------------------------------


async def usable(world: World, token: str, nonce: int) -> bool:
    """Whether a stop of all jobs is accepted with the token."""
    fields = {"consumerAddress": world.consumer.address, "nonce": str(nonce)}
    answer = await world.http.put("/api/services/compute", params=fields, headers={"AuthToken": token})
    if answer.status_code != 200:
        assert answer.json()["errors"] == {"signature": ABSENT}
    return answer.status_code == 200


async def test_a_deleted_token_is_refused_until_it_is_made_again(world: World) -> None:
    end = expiration()
    token = (await create(world.http, CONSUMER_KEY, 1, expiration=end)).json()["token"]
    assert await usable(world, token, 2)
    gone = await delete(world.http, CONSUMER_KEY, 3, token)
    assert (gone.status_code, gone.json()) == (200, {"success": "Token has been deactivated."})
    assert not await usable(world, token, 4)
    again = await delete(world.http, CONSUMER_KEY, 4, token)
    assert (again.status_code, again.json()) == (400, {"error": "Token is deleted."})
    assert (await create(world.http, CONSUMER_KEY, 4, expiration=end)).json() == {"token": token}
    assert await usable(world, token, 5)


async def test_another_spelling_of_a_deleted_token_is_refused(world: World) -> None:
    """Base64 has several texts for the same bytes; the list knows one."""
    token = (await create(world.http, CONSUMER_KEY, 1)).json()["token"]
    await delete(world.http, CONSUMER_KEY, 2, token)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    place = letters.index(token[-1])
    for other in (letters[place ^ 1], letters[place ^ 2], letters[place ^ 3]):
        spelled = token[:-1] + other
        head, _, seal = spelled.rpartition(".")
        same = hmac.new(world.keys.token, head.encode(), hashlib.sha256).digest()
        assert base64.urlsafe_b64decode(seal + "=") == same, "the attack must be a real one"
        assert not await usable(world, spelled, 3)


async def test_a_replayed_creation_does_not_bring_a_token_back(world: World) -> None:
    fields = signed(CONSUMER_KEY, 1, expiration=expiration())
    token = (await world.http.get("/api/services/createAuthToken", params=fields)).json()["token"]
    await delete(world.http, CONSUMER_KEY, 2, token)
    replayed = await world.http.get("/api/services/createAuthToken", params=fields)
    assert replayed.status_code == 400
    assert replayed.json()["errors"] == {"signature": "Invalid signature expected nonce (2) > current nonce (1)."}
    assert not await usable(world, token, 3)


async def test_a_captured_creation_makes_no_longer_token(world: World) -> None:
    """The signature does not cover the expiration; the nonce is used up instead."""
    fields = signed(CONSUMER_KEY, 1, expiration=expiration())
    await world.http.get("/api/services/createAuthToken", params=fields)
    later = await world.http.get("/api/services/createAuthToken", params={**fields, "expiration": expiration(80000)})
    assert later.json()["errors"] == {"signature": "Invalid signature expected nonce (1) > current nonce (1)."}


async def test_a_replayed_deletion(world: World) -> None:
    token = (await create(world.http, CONSUMER_KEY, 1)).json()["token"]
    fields = signed(CONSUMER_KEY, 2, token=token)
    answers = [await world.http.delete("/api/services/deleteAuthToken", params=fields) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert answers[1].json()["errors"]["signature"] == "Invalid signature expected nonce (2) > current nonce (2)."


async def test_somebody_elses_token_cannot_be_deleted(world: World) -> None:
    token = (await create(world.http, CONSUMER_KEY, 1)).json()["token"]
    answer = await delete(world.http, STRANGER_KEY, 1, token)
    assert (answer.status_code, answer.json()) == (400, {"error": "Token is invalid."})
    assert await usable(world, token, 2)


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (encode(ADDRESS, int(time.time()) - 5, KEY), "Token is expired."),
        (forged(HEADER, CLAIMS, b"another deployment's key, 32 byte"), "Token is invalid."),
        ("nonsense", "Token is invalid."),
    ],
)
async def test_deleting_what_is_no_token(world: World, token: str, expected: str) -> None:
    answer = await delete(world.http, CONSUMER_KEY, 1, token)
    assert (answer.status_code, answer.json()) == (400, {"error": expected})
    assert await world.nonce() == "1"
    assert (await create(world.http, CONSUMER_KEY, 1)).status_code == 200, "the nonce stayed usable"


async def test_only_a_digest_is_stored(world: World) -> None:
    token = (await create(world.http, CONSUMER_KEY, 1)).json()["token"]
    await delete(world.http, CONSUMER_KEY, 2, token)
    with closing(sqlite3.connect(world.settings.data_folder / "service.sqlite")) as connection:
        rows = connection.execute("SELECT * FROM revoked_tokens").fetchall()
    assert [row[0] for row in rows] == [hashlib.sha256(token.encode()).hexdigest()]
    for file in world.settings.data_folder.glob("service.sqlite*"):
        assert token.encode() not in file.read_bytes()
        assert token.rpartition(".")[2].encode() not in file.read_bytes()


def test_the_helper_signs_what_the_service_expects() -> None:
    """Ocean Provider's own example: createAuthToken, nonce 2."""
    made = tokens.signed(PEERS_KEY.decode(), 2)["signature"]
    assert made == (
        "0xdb241986eb42b6024f4a4a3c38dbf95811f40c152980ec2696d261d6faa3f9cf"
        "0f36ee585a593929acc74717787d71b86674747dc075c5ac2d2318046faed9291b"
    )


# --- all at once ------------------------------------------------------------------------------------------------------


async def delete_all(world: World, nonce: int, key: str = CONSUMER_KEY, **more: Any) -> Any:
    return await world.http.delete("/api/v1/auth-tokens", params=signed(key, nonce, **more))


async def test_all_tokens_of_an_account_are_taken_out_of_use_at_once(world: World) -> None:
    """Also one that nobody remembers; a new one of the same end is another token."""
    end = expiration()
    old = [(await create(world.http, CONSUMER_KEY, 1, expiration=end)).json()["token"]]
    old.append(encode(ADDRESS.lower(), int(expiration(77)), KEY))
    assert await usable(world, old[0], 2)
    answer = await delete_all(world, 3)
    assert (answer.status_code, answer.json()) == (200, {"success": "All tokens have been deactivated."})
    for token in old:
        assert not await usable(world, token, 4)
        gone = await delete(world.http, CONSUMER_KEY, 4, token)
        assert gone.json() == {"error": "Token is deleted."}
    new = (await create(world.http, CONSUMER_KEY, 5, expiration=end)).json()["token"]
    assert new != old[0]
    assert await usable(world, new, 6)
    assert (await delete_all(world, 7)).status_code == 200
    assert not await usable(world, new, 8)


async def test_tokens_of_others_stay(world: World) -> None:
    token = (await create(world.http, CONSUMER_KEY, 1)).json()["token"]
    assert (await delete_all(world, 1, STRANGER_KEY)).status_code == 200
    forged = await delete_all(world, 2, STRANGER_KEY, address=world.consumer.address)
    assert forged.json()["errors"]["signature"].startswith("Invalid signature 0x")
    assert await usable(world, token, 2)


async def test_a_replayed_revocation_does_not_hit_new_tokens(world: World) -> None:
    assert (await delete_all(world, 1)).status_code == 200
    token = (await create(world.http, CONSUMER_KEY, 2)).json()["token"]
    assert "expected nonce" in (await delete_all(world, 1)).json()["errors"]["signature"]
    assert await usable(world, token, 3)


@pytest.mark.parametrize("generation", [True, -1, "1", 1.0, None])
def test_generations_that_are_none(generation: Any) -> None:
    payload = {"exp": int(expiration()), "address": ADDRESS, "generation": generation}
    token = jwt.encode(payload, KEY, algorithm="HS256", sort_headers=False)
    with pytest.raises(TokenRefused):
        decode(token, KEY)
