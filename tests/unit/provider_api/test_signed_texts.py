"""A signed text is accepted once, whatever it is read as: property over all calls that sign, and attacks over HTTP."""

import itertools
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ocean.signing import job_message, result_message, sign, start_message
from provider_api.calls.fields import is_nonce
from provider_api.calls.signed_text import remembered
from provider_api.storage.nonces import digits_of, number_of
from tests.support.provider_neighbours import CONSUMER_KEY, World
from tests.unit.provider_api.test_jobs import publish_results, started

pytestmark = pytest.mark.unit

ADDRESS, NFT = "0x" + "3C" * 20, "0x" + "12" * 20
USED = "Invalid signature: the signed text has been used for another request. Sign again with a greater nonce."

hexadecimal = st.text("0123456789abcdef", min_size=64, max_size=64) | st.text("0123456789", min_size=64, max_size=64)
dids = hexadecimal.map(lambda digits: "did:op:" + digits)
jobs = hexadecimal.map(lambda digits: digits[:32])
small = st.integers(0, 10**30 - 1).map(str) | st.integers(0, 130).map(str)
numbers = (
    st.integers(0, 10**60).map(str)
    | st.integers(0, 9999).map(str)
    | st.decimals(0, 10**6, places=3).map(str)
    | st.builds("{}e+{}".format, st.integers(1, 99), st.integers(0, 250))
    | st.text("0123456789", min_size=1, max_size=255)
).filter(is_nonce)
texts = st.one_of(
    st.tuples(st.just(ADDRESS), st.sampled_from(["", "job"]), st.sampled_from(["", "did"])),
    st.tuples(st.just("result"), st.just(""), st.just("")),
    st.tuples(st.just("download"), st.just(""), st.just("")),
    st.tuples(st.just("decrypt"), st.sampled_from(["tx", "nft"]), st.just("")),
)


@st.composite
def signed(draw: st.DrawFn) -> tuple[str, str]:
    """A text without its nonce, and the nonce, of any call."""
    kind, second, third = draw(texts)
    nonce = draw(numbers)
    if kind == ADDRESS:
        return ADDRESS + (draw(jobs) if second else "") + (draw(dids) if third else ""), nonce
    if kind == "result":
        return ADDRESS + draw(jobs) + draw(small), nonce
    if kind == "download":
        return draw(dids), nonce
    subject = "0x" + draw(hexadecimal) if second == "tx" else NFT
    return subject + ADDRESS + draw(st.integers(1, 10**30 - 1).map(str)), nonce


def readings(text: str) -> Iterator[tuple[str, Decimal]]:
    """Everything that a request may say so that this is its text: written from the calls, not from the code."""
    for cut in range(1, len(text)):
        before, nonce = text[:cut], text[cut:]
        if is_nonce(nonce) and any(_is_text_of(call, before) for call in CALLS):
            yield before, number_of(nonce)


def _is_text_of(call: tuple[str, ...], text: str) -> bool:
    """Whether parts of these kinds, each as the API takes it, make up the text."""
    if not call:
        return not text
    kind, rest = call[0], call[1:]
    if kind == "number":
        sizes = [size for size in range(1, min(30, len(text)) + 1) if _is_number(text[:size])]
    else:
        sizes = [SIZES[kind]] if _fits(kind, text[: SIZES[kind]]) else []
    return any(_is_text_of(rest, text[size:]) for size in sizes)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")


def _fits(kind: str, text: str) -> bool:
    start = {"address": "0x", "tx": "0x", "did": "did:op:", "job": ""}[kind]
    digits = text[len(start) :]
    return text.startswith(start) and len(text) == SIZES[kind] and set(digits.lower()) <= set("0123456789abcdef")


SIZES = {"address": 42, "tx": 66, "did": 71, "job": 32}
CALLS: list[tuple[str, ...]] = [
    *(("address", *job, *did) for job, did in itertools.product([(), ("job",)], [(), ("did",)])),
    ("address", "job", "number"),
    ("did",),
    ("tx", "address", "number"),
    ("address", "address", "number"),
]


@given(signed(), st.none() | numbers)
@example((ADDRESS + "0" * 31 + "c" + "1", "1700000000000"), None)  # index 1, read as a deletion
@example((ADDRESS + "0" * 31 + "c" + "1", "5e+22"), None)
@example((ADDRESS + "1" * 32, "5"), None)  # a job id that is all digits, read as a nonce
def test_no_other_reading_of_an_accepted_text_is_accepted_ever(text: tuple[str, str], later: str | None) -> None:
    """`later`: how far the consumer's nonce has grown by other calls meanwhile."""
    parts, nonce = text
    kept = remembered(parts + nonce, nonce)
    stored = max(number_of(nonce), number_of(later or "0"))
    is_forgotten = kept.digits == 0 or kept.digits < digits_of(stored)
    found = list(readings(parts + nonce))
    assert (parts, number_of(nonce)) in found, "the request itself is one of the readings"
    for _, number in found:
        assert number <= stored or not is_forgotten


@pytest.mark.parametrize(
    ("parts", "nonce", "kept"),
    [
        (ADDRESS + "did:op:" + "ab" * 31 + "a7", "5", False),  # digits of a DID are no nonce: DIDs have one length
        (ADDRESS + "00" * 15 + "c7", "5", False),  # nor those of a job id
        (ADDRESS, "1764360000000000001", False),
        (ADDRESS + "0" * 31 + "c" + "0", "5", False),  # 05 is 5
        (ADDRESS + "0" * 31 + "c" + "1", "5", True),
        ("0x" + "ab" * 32 + ADDRESS + "8996", "5", True),
    ],
)
def test_few_texts_are_kept(parts: str, nonce: str, kept: bool) -> None:
    assert bool(remembered(parts + nonce, nonce).digits) is kept


# --- over HTTP --------------------------------------------------------------------------------------------------------


async def test_a_seen_result_address_stops_and_deletes_nothing(world: World) -> None:
    job, owner = await started(world), world.consumer.address
    publish_results(world, job, ("a", b"1", "output"), ("b", b"2", "output"))
    text = result_message(owner, job, "1", "60")
    assert text == job_message(owner, job, "", "160")
    seen = {"consumerAddress": owner, "jobId": job, "signature": sign(text, CONSUMER_KEY)}
    fetched = await world.http.get("/api/services/computeResult", params={**seen, "index": "1", "nonce": "60"})
    assert fetched.content == b"2"
    for method in ("PUT", "DELETE"):
        answer = await world.http.request(method, "/api/services/compute", params={**seen, "nonce": "160"})
        assert (answer.status_code, answer.json()["errors"]) == (400, {"signature": USED})
    assert job in world.argo.workflows
    assert await world.nonce() == "60", "and the account's nonce has not grown"


@pytest.mark.parametrize("parts", [{}, {"documentId": "DID"}, {"jobId": "JOB"}, {"documentId": "SHORT"}])
async def test_a_seen_start_deletes_nothing(world: World, parts: dict[str, str]) -> None:
    """Also not one that was refused, whose text nobody has accepted: a DID alone is no part of a deletion."""
    owner, did = world.consumer.address, world.publish(7)
    job = await started(world)
    seen = sign(start_message(owner, did, "6"), CONSUMER_KEY)
    known = {"DID": did, "JOB": did[7:39], "SHORT": did[:-1]}
    fields = {name: known[value] for name, value in parts.items()}
    nonce = {"SHORT": did[-1] + "6"}.get(next(iter(parts.values()), ""), "6")
    query = {"consumerAddress": owner, "nonce": nonce, "signature": seen, **fields}
    answer = await world.http.delete("/api/services/compute", params=query)
    assert answer.status_code == 400
    assert job in world.argo.workflows
    assert await world.nonce() == "5"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"jobId": "5"}, "jobId"),
        ({"jobId": "AB" * 16}, "jobId"),
        ({"jobId": "ab" * 16 + "1"}, "jobId"),
        ({"documentId": "did:op:12", "jobId": "ab" * 16}, "documentId"),
        ({"documentId": "did:op:" + "1" * 65, "jobId": "ab" * 16}, "documentId"),
        ({"documentId": "did:op:" + "1" * 64}, "documentId"),
    ],
)
async def test_parts_of_a_text_are_whole(world: World, fields: dict[str, str], named: str) -> None:
    owner = world.consumer.address
    text = job_message(owner, fields.get("jobId", ""), fields.get("documentId", ""), "5")
    query = {"consumerAddress": owner, "nonce": "5", "signature": sign(text, CONSUMER_KEY), **fields}
    for method in ("PUT", "DELETE"):
        answer = await world.http.request(method, "/api/services/compute", params=query)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [named])


async def test_an_index_has_one_spelling(world: World) -> None:
    job, owner = await started(world), world.consumer.address
    publish_results(world, job, ("a", b"1", "output"))
    for index in ("00", "007"):
        query = {"consumerAddress": owner, "jobId": job, "index": index, "nonce": "6"}
        query["signature"] = sign(result_message(owner, job, index, "6"), CONSUMER_KEY)
        answer = await world.http.get("/api/services/computeResult", params=query)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["index"])


async def test_an_identical_start_is_still_answered_with_its_job(world: World) -> None:
    body = world.start_body(5)
    first = await world.start(body)
    assert (await world.start(body)).json() == first.json()
