"""The pages of owners: what they see, and that what they sign there is what the API takes."""

from __future__ import annotations

import base64
import json

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from provider_api.settings import Settings
from tests.support.held_results import DID, OWNER_KEY, held, put, status
from tests.support.provider_neighbours import World
from tests.support.signing_in import signed_in

pytestmark = pytest.mark.unit
OWNER = Account.from_key(OWNER_KEY)


async def test_an_owner_sees_what_waits(waiting: World) -> None:
    job = await held(waiting)
    await signed_in(waiting.http, OWNER)
    listed = (await waiting.http.get("/data/")).text
    assert f'<a href="{job}">' in listed
    assert "2 files, 10 bytes" in listed
    page = (await waiting.http.get(f"/data/{job}")).text
    for text in ("outputs/secret.csv", "algorithm.log", "Waiting for owners", 'name="decision" value="release"'):
        assert text in page, text
    assert "configure.log" not in page
    await signed_in(waiting.http, waiting.consumer)
    assert job not in (await waiting.http.get("/data/")).text
    assert (await waiting.http.get(f"/data/{job}")).status_code == 404


@pytest.mark.parametrize(("word", "standing"), [("release", "released"), ("refuse", "refused")])
async def test_what_the_wallet_signs_is_what_counts(word: str, standing: str, waiting: World) -> None:
    job = await held(waiting)
    await signed_in(waiting.http, OWNER)
    asked = {"did": DID, "decision": word, "reason": "grüße"}
    said = (await waiting.http.get(f"/data/{job}/statement", params=asked)).json()
    assert said["account"] == OWNER.address
    text = bytes.fromhex(said["sign"][2:]).decode()
    payload = base64.b64decode(said["payload"])
    assert text == f"DSSEv1 28 application/vnd.in-toto+json {len(payload)} {payload.decode()}"
    signed = bytes(OWNER.sign_message(encode_defunct(hexstr=said["sign"])).signature)
    envelope = {
        "payloadType": said["payloadType"],
        "payload": said["payload"],
        "signatures": [{"keyid": said["account"], "sig": base64.b64encode(signed).decode()}],
    }
    answer = await put(waiting, job, json.dumps(envelope).encode())
    assert (answer.status_code, answer.json()["standing"]) == (200, standing), answer.text
    page = (await waiting.http.get(f"/data/{job}")).text
    assert standing.capitalize() in page
    assert "grüße" in page
    assert "data-decide" not in page
    assert (await status(waiting, job))["status"] == (70 if word == "release" else 41)


async def test_there_are_no_other_statements(waiting: World) -> None:
    job = await held(waiting)
    good = {"did": DID, "decision": "release"}
    assert (await waiting.http.get(f"/data/{job}/statement", params=good)).status_code == 401
    await signed_in(waiting.http, waiting.consumer)
    assert (await waiting.http.get(f"/data/{job}/statement", params=good)).status_code == 404
    await signed_in(waiting.http, OWNER)
    for change in ({"did": "did:op:" + "f" * 64}, {"decision": "trust"}, {"reason": "x" * 501}):
        answer = await waiting.http.get(f"/data/{job}/statement", params=good | change)
        assert (answer.status_code, "no such decision" in answer.text) == (400, True), change


async def test_owners_look_only_where_they_may(waiting: World) -> None:
    closed = await held(waiting)
    await signed_in(waiting.http, OWNER)
    assert "names and sizes only" in (await waiting.http.get(f"/data/{closed}")).text
    assert (await waiting.http.get(f"/data/{closed}/files/1")).status_code == 403
    opened = await held(waiting, 6, ownersLook=True)
    page = (await waiting.http.get(f"/data/{opened}")).text
    assert f'href="{opened}/files/1"' in page
    file = await waiting.http.get(f"/data/{opened}/files/1")
    assert (file.content, file.headers["cache-control"]) == (b"a,b\n", "no-store")
    await signed_in(waiting.http, waiting.consumer)
    assert (await waiting.http.get(f"/data/{opened}/files/1")).status_code == 404


def test_where_argo_is_must_be_an_address_of_the_web() -> None:
    for text in ("javascript:alert(1)", "argo.example.org", "https://a b"):
        with pytest.raises(ValueError, match="ui_url"):
            Settings(argo={"ui_url": text})  # type: ignore[arg-type]
