"""Signing in and out: what a signature is worth, and each way in which it is worth nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account

from ocean.keys import personal_digest
from ocean.sign_in import parse_sign_in
from provider_api.calls import sign_ins
from provider_api.settings import ServerSettings
from tests.support.provider_neighbours import STRANGER_KEY, World
from tests.support.signing_in import PAGE, offered, redeemed, signature_of, signed_in
from tests.support.tokens import create

pytestmark = pytest.mark.unit
CONSUMER_IS = "Signed in as </span>0x3C44…93BC"


async def test_a_signed_text_opens_a_session(world: World) -> None:
    text = await offered(world.http, world.consumer)
    said = parse_sign_in(text)
    assert (said.domain, said.uri, said.chain_id) == ("localhost:8030", "http://localhost:8030", 8996)
    assert said.address == world.consumer.address
    answer = await redeemed(world.http, text, signature_of(text, world.consumer))
    assert answer.json() == {"signedIn": True}
    name, _, attributes = answer.headers["set-cookie"].partition("=")
    assert name == "c2d_session"
    assert attributes.split("; ")[1:] == ["HttpOnly", "SameSite=strict"], "its path is that of the sign-in's folder"
    assert answer.headers["cache-control"] == "no-store"
    shown = await world.http.get("/jobs/")
    assert CONSUMER_IS in shown.text
    assert shown.headers["cache-control"] == "no-store"


async def test_signing_out_ends_the_token(world: World) -> None:
    await signed_in(world.http, world.consumer)
    token = world.http.cookies["c2d_session"]
    answer = await world.http.post("/sign-out", headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    assert 'c2d_session=""; HttpOnly; Max-Age=0; SameSite=strict' in answer.headers["set-cookie"]
    world.http.cookies.clear()
    again = await world.http.get("/jobs/", headers={"cookie": f"c2d_session={token}"})
    assert "Signed in as" not in again.text
    query = {"consumerAddress": world.consumer.address, "jobId": "0" * 32, "nonce": "9"}
    refused = await world.http.put("/api/services/compute", params=query, headers={"authtoken": token})
    assert "Token is deleted." in refused.text
    await signed_in(world.http, world.consumer)
    assert world.http.cookies["c2d_session"] != token, "which does not come back to life"


def of_another_domain(text: str) -> str:
    return text.replace("localhost:8030", "evil.example")


def of_another_uri(text: str) -> str:
    return text.replace("URI: http://localhost:8030", "URI: http://localhost:8031")


def of_another_chain(text: str) -> str:
    return text.replace("Chain ID: 8996", "Chain ID: 1")


def with_another_nonce(text: str) -> str:
    nonce = parse_sign_in(text).nonce
    return text.replace(nonce, "ab" * 36)


def that_lasts_longer(text: str) -> str:
    stated = parse_sign_in(text).expiration_time or ""
    return text.replace(stated, "2099-01-01T00:00:00Z")


def that_says_otherwise(text: str) -> str:
    return text.replace("This costs nothing", "This costs a little")


def of_another_account(text: str) -> str:
    return text.replace(parse_sign_in(text).address, Account.from_key(STRANGER_KEY).address)


def of_no_form(text: str) -> str:
    return text + "\nand more"


FORGED: dict[str, tuple[Callable[[str], str], str]] = {
    "another domain": (of_another_domain, "for another site"),
    "another uri": (of_another_uri, "for another site"),
    "another chain": (of_another_chain, "does not work with chain 1"),
    "another nonce": (with_another_nonce, "was not made by this service"),
    "a longer time": (that_lasts_longer, "was not made by this service"),
    "another statement": (that_says_otherwise, "was not made by this service"),
    "another account": (of_another_account, "was not made by this service"),
    "another form": (of_no_form, "This is no text to sign in with"),
}


@pytest.mark.parametrize("name", FORGED)
async def test_what_was_not_offered_here_is_refused(name: str, world: World) -> None:
    forge, said = FORGED[name]
    text = forge(await offered(world.http, world.consumer))
    key = Account.from_key(STRANGER_KEY) if name == "another account" else world.consumer
    answer = await redeemed(world.http, text, signature_of(text, key))
    assert answer.status_code in (400, 403)
    assert said in answer.text
    assert answer.headers["content-type"].startswith("text/html"), "a page"
    assert "set-cookie" not in answer.headers


async def test_a_signature_counts_once(world: World) -> None:
    text = await offered(world.http, world.consumer)
    signature = signature_of(text, world.consumer)
    assert (await redeemed(world.http, text, signature)).status_code == 200
    again = await redeemed(world.http, text, signature)
    assert (again.status_code, "was used to sign in before" in again.text) == (403, True)


async def test_a_signature_counts_for_some_minutes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    text = await offered(world.http, world.consumer)
    monkeypatch.setattr(sign_ins.time, "time", lambda: now + sign_ins.OFFER_SECONDS + 1)
    late = await redeemed(world.http, text, signature_of(text, world.consumer))
    assert (late.status_code, "signed too late" in late.text) == (403, True)


async def test_somebody_elses_signature_does_not_count(world: World) -> None:
    text = await offered(world.http, world.consumer)
    for signature in (signature_of(text, Account.from_key(STRANGER_KEY)), "0x", "nothing", "0x" + "00" * 65):
        answer = await redeemed(world.http, text, signature)
        assert (answer.status_code, "was not signed by 0x3C44" in answer.text) == (403, True), signature


async def test_a_contract_wallet_signs_in_on_its_chain(world: World) -> None:
    contract = Account.from_key("0x" + "77" * 32)  # has the address; its key does not sign
    text = await offered(world.http, contract)
    world.chain.wallets[contract.address.lower()] = {personal_digest(text.encode())}
    assert (await redeemed(world.http, text, "0x1234")).status_code == 200
    other = await offered(world.http, contract)
    assert (await redeemed(world.http, other, "0x1234")).status_code == 403


async def test_a_wallet_on_another_chain_is_offered_one_of_ours(world: World) -> None:
    for chain in ("1", "x", "٣", 5, None):
        assert parse_sign_in(await offered(world.http, world.consumer, chain_id=chain)).chain_id == 8996


async def test_a_token_of_the_command_line(world: World) -> None:
    made = (await create(world.http, "0x" + bytes(world.consumer.key).hex(), 5)).json()["token"]
    answer = await world.http.post("/sign-in", data={"token": made, "next": "data/"}, headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, "data/")
    assert world.http.cookies["c2d_session"] != made, "so signing out leaves that one alone"
    assert CONSUMER_IS in (await world.http.get("/jobs/")).text
    await world.http.post("/sign-out", headers=PAGE)
    again = await world.http.post("/sign-in", data={"token": made, "next": "https://evil.example"}, headers=PAGE)
    assert again.headers["location"] == "jobs/"
    for token in ("", "x", made[:-1], "\x00"):
        refused = await world.http.post("/sign-in", data={"token": token}, headers=PAGE)
        assert (refused.status_code, "Token is invalid." in refused.text) == (403, True)


POSTS = ("/sign-in", "/sign-in/text", "/sign-out", f"/jobs/{'0' * 32}/stop", f"/jobs/{'0' * 32}/delete")


@pytest.mark.parametrize("path", POSTS)
async def test_other_sites_change_nothing(path: str, world: World) -> None:
    cookie = (await signed_in(world.http, world.consumer)).partition(";")[0]
    for headers in ({}, {"origin": "https://evil.example"}, {**PAGE, "sec-fetch-site": "cross-site"}):
        answer = await world.http.post(path, headers={**headers, "cookie": cookie}, data={"token": "x"})
        assert (answer.status_code, "asked for by another site" in answer.text) == (403, True), headers
    assert CONSUMER_IS in (await world.http.get("/jobs/", headers={"cookie": cookie})).text


async def test_the_cookie_signs_no_call_of_the_api(world: World) -> None:
    await signed_in(world.http, world.consumer)
    query = {"consumerAddress": world.consumer.address, "jobId": "0" * 32, "nonce": "9"}
    for method in ("PUT", "DELETE"):
        answer = await world.http.request(method, "/api/services/compute", params=query)
        assert "signature" in answer.json()["errors"]


async def test_behind_a_public_address(tmp_path: Path) -> None:
    public = "https://c2d.example.org/ocean"
    async with World(tmp_path, server=ServerSettings(public_urls=(public,))).running() as world:
        asked = {"address": world.consumer.address, "chainId": "8996"}
        here = {"origin": "https://c2d.example.org"}
        text = (await world.http.post("/sign-in/text", json=asked, headers=here)).json()["text"]
        assert (parse_sign_in(text).domain, parse_sign_in(text).uri) == ("c2d.example.org", public)
        signed = {"text": text, "signature": signature_of(text, world.consumer)}
        answer = await world.http.post("/sign-in", json=signed, headers=here)
        assert answer.headers["set-cookie"].endswith("; HttpOnly; SameSite=strict; Secure")
        elsewhere = await world.http.post(
            "/sign-in/text", json=asked, headers={"origin": "http://localhost:8030", "sec-fetch-site": "same-origin"}
        )
        assert (elsewhere.status_code, "C2D_SERVER__PUBLIC_URLS" in elsewhere.text) == (403, True)


async def test_after_a_link_of_another_site_the_page_asks_once_more(world: World) -> None:
    foreign = {"sec-fetch-site": "cross-site"}
    again = '<meta http-equiv="refresh" content="0; url=?again">'
    for path in ("/jobs/", f"/jobs/{'0' * 32}", "/data/"):
        assert again in (await world.http.get(path, headers=foreign)).text
        assert again not in (await world.http.get(path)).text
        assert again not in (await world.http.get(path + "?again", headers=foreign)).text
