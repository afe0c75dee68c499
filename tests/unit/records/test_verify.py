"""Whatever is changed in a passport or a file is noticed, and each rule of `records.verify` is needed for it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from records.envelope import PAYLOAD_TYPE, envelope_bytes, parse_envelope, pre_authentication, sign_payload
from records.passport import PASSPORT_NAME, ReleasedFile, passport_of
from records.verify import NotVerified, read_passport, verify
from tests.support.passports import DATASET, KEY, OTHER_KEY, SIGNER, job_facts, passport_bytes

METRICS, LOG = "c" * 64, "d" * 64
FILES = {"metrics.json": METRICS, "downloads/algorithm.log": LOG}


def signed(document: Any, key: str = KEY) -> bytes:
    """An envelope around any document."""
    return sign_payload(json.dumps(document).encode(), key).encoded()


def changed(change: Callable[[dict[str, Any]], None], key: str = KEY) -> bytes:
    """The passport with its statement changed, and signed again."""
    document = json.loads(passport_of(job_facts()).encoded())
    change(document)
    return signed(document, key)


def envelope(change: Callable[[dict[str, Any]], None]) -> bytes:
    """The passport with its envelope changed."""
    document = json.loads(passport_bytes())
    change(document)
    return json.dumps(document).encode()


def test_a_passport_verifies_its_files() -> None:
    found = verify(read_passport(passport_bytes()), FILES, [SIGNER])
    assert found.signer == SIGNER
    assert {name: subject.name for name, subject in found.files.items()} == {
        "metrics.json": "outputs/metrics.json",
        "downloads/algorithm.log": "logs/algorithm.log",
    }
    assert found.passport.job_id == "0" * 32
    assert found.not_proven


def test_any_ethereum_library_recovers_the_signer() -> None:
    document = json.loads(passport_bytes())
    payload = base64.b64decode(document["payload"])
    (signature,) = document["signatures"]
    text = encode_defunct(primitive=pre_authentication(payload))
    signer = Account.recover_message(text, signature=base64.b64decode(signature["sig"]))
    assert signer == signature["keyid"] == SIGNER
    again = Account.sign_message(text, KEY).signature
    assert again == base64.b64decode(signature["sig"])


def test_the_same_job_has_the_same_passport_and_a_known_length() -> None:
    assert passport_bytes() == passport_bytes()
    assert len(passport_bytes()) == envelope_bytes(len(passport_of(job_facts()).encoded()))


@given(st.binary(max_size=200))
def test_the_length_of_an_envelope_is_known_before_it_is_signed(payload: bytes) -> None:
    assert len(sign_payload(payload, KEY).encoded()) == envelope_bytes(len(payload))


def test_either_alphabet_of_base64_is_read() -> None:
    def url_safe(document: dict[str, Any]) -> None:
        document["payload"] = document["payload"].replace("+", "-").replace("/", "_")
        (signature,) = document["signatures"]
        signature["sig"] = signature["sig"].replace("+", "-").replace("/", "_")

    assert read_passport(envelope(url_safe)) == read_passport(passport_bytes())


def of(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Set a member; the path's parts are keys and places."""

    def change(document: Any) -> None:
        *way, last = [int(part) if part.isascii() and part.isdigit() else part for part in path.split("/")]
        for part in way:
            document = document[part]
        if value is _GONE:
            del document[last]
        else:
            document[last] = value

    return change


_GONE = object()


def twice(document: dict[str, Any]) -> None:
    document["subject"].append(document["subject"][1])


BROKEN_ENVELOPES = {
    "no JSON": (1, b"{"),
    "a list": (1, b"[]"),
    "a list of the members' names": (1, b'["payloadType", "payload", "signatures"]'),
    "a key twice": (1, b'{"payloadType":1,' + passport_bytes()[1:]),
    "another type of payload": (1, envelope(of("payloadType", "application/json"))),
    "a member more": (1, envelope(of("more", 1))),
    "no signature": (1, envelope(of("signatures", []))),
    "a signature that is none": (1, envelope(of("signatures/0", "x"))),
    "a signature without text": (1, envelope(of("signatures/0/sig", 7))),
    "a payload that is no base64": (1, envelope(of("payload", "%"))),
    "too many signatures": (
        1,
        envelope(lambda it: it.update(signatures=it["signatures"] * 65)),
    ),
    "another account's name": (2, envelope(of("signatures/0/keyid", "0x" + "0" * 40))),
    "a name in another letter case": (2, envelope(of("signatures/0/keyid", SIGNER.lower()))),
    "a signature that is too short": (2, envelope(of("signatures/0/sig", base64.b64encode(b"1" * 64).decode()))),
    "a second signature that does not hold": (
        2,
        envelope(lambda it: it["signatures"].append({"keyid": SIGNER, "sig": base64.b64encode(b"1" * 65).decode()})),
    ),
    "another kind of statement": (3, changed(of("_type", "https://in-toto.io/Statement/v0.1"))),
    "an unknown predicate": (3, changed(of("predicateType", "https://example.org/other"))),
    "no subject": (3, changed(of("subject", []))),
    "a subject twice": (3, changed(twice)),
    "a subject with a member more": (3, changed(of("subject/0/uri", "https://example.org"))),
    "a subject without a name": (3, changed(of("subject/0/name", ""))),
    "a digest in capitals": (3, changed(of("subject/0/digest", {"sha256": "C" * 64}))),
    "another digest beside it": (3, changed(of("subject/0/digest", {"sha256": METRICS, "md5": "1"}))),
    "a member more in the statement": (3, changed(of("more", 1))),
    "a predicate that is none": (3, changed(of("predicate", []))),
    "provenance of something else": (4, changed(of("predicate/buildDefinition/buildType", "https://example.org/x"))),
    "no job": (4, changed(of("predicate/runDetails/metadata/invocationId", ""))),
    "no parts": (4, changed(of("predicate/runDetails", _GONE))),
    "no manifest": (4, changed(of("subject/0", {"name": "other", "digest": {"sha256": METRICS}}))),
    "no orders": (4, changed(of("predicate/buildDefinition/externalParameters/datasets", _GONE))),
    "an order that is none": (4, changed(of("predicate/buildDefinition/externalParameters/datasets", [1]))),
}


@pytest.mark.parametrize("what", BROKEN_ENVELOPES)
def test_a_passport_that_is_none_is_refused_by_its_rule(what: str) -> None:
    rule, encoded = BROKEN_ENVELOPES[what]
    with pytest.raises(NotVerified) as refused:
        read_passport(encoded)
    assert refused.value.rule == rule, str(refused.value)


UNVERIFIED: dict[str, tuple[int, dict[str, str], list[str]]] = {
    "nobody is trusted": (5, FILES, []),
    "another account is trusted": (5, FILES, ["0x" + "0" * 40]),
    "there is no file": (6, {}, [SIGNER]),
    "a file was changed": (7, {**FILES, "metrics.json": "0" * 64}, [SIGNER]),
    "a file is not of this job": (7, {**FILES, "other.txt": "1" * 64}, [SIGNER]),
    "two files were swapped": (8, {"metrics.json": LOG, "algorithm.log": METRICS}, [SIGNER]),
}


@pytest.mark.parametrize("what", UNVERIFIED)
def test_files_and_signers_that_do_not_fit_are_refused_by_their_rule(what: str) -> None:
    rule, files, trusted = UNVERIFIED[what]
    with pytest.raises(NotVerified) as refused:
        verify(read_passport(passport_bytes()), files, trusted)
    assert refused.value.rule == rule, str(refused.value)


def test_a_renamed_file_is_told_by_its_content() -> None:
    found = verify(read_passport(passport_bytes()), {"mine.json": METRICS}, [SIGNER])
    assert found.files["mine.json"].name == "outputs/metrics.json"


def test_equal_files_are_told_apart_by_their_names() -> None:
    files = (ReleasedFile("outputs/a", METRICS, is_log=False), ReleasedFile("outputs/b", METRICS, is_log=False))
    found = verify(read_passport(passport_bytes(job_facts(files=files))), {"b": METRICS, "a": METRICS}, [SIGNER])
    assert {name: subject.name for name, subject in found.files.items()} == {"a": "outputs/a", "b": "outputs/b"}


def test_somebody_else_can_sign_but_is_not_trusted() -> None:
    with pytest.raises(NotVerified) as refused:
        verify(read_passport(passport_bytes(key=OTHER_KEY)), FILES, [SIGNER])
    assert refused.value.rule == 5


@given(st.data())
def test_every_changed_byte_of_a_passport_is_noticed(data: st.DataObject) -> None:
    good = passport_bytes()
    place = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != good[place]))
    other = good[:place] + bytes([byte]) + good[place + 1 :]
    try:
        found = read_passport(other)
    except NotVerified:
        return
    # What stays verified says the same: base64 has letters whose last bits count for nothing, JSON has blanks.
    assert found == read_passport(good)


def test_inputs_are_not_told() -> None:
    statement = passport_of(job_facts()).encoded().decode()
    inputs = [
        each
        for each in json.loads(statement)["predicate"]["buildDefinition"]["resolvedDependencies"]
        if each["name"].startswith("inputs/")
    ]
    assert inputs == [{"uri": DATASET, "name": f"inputs/{DATASET}/data/0", "digest": {"c2dSalted": "3" * 64}}]


def test_a_manifest_that_names_a_file_twice_makes_no_passport() -> None:
    twins = (ReleasedFile("outputs/a", METRICS, is_log=False), ReleasedFile("outputs/a", LOG, is_log=False))
    with pytest.raises(ValueError, match="one name"):
        passport_of(job_facts(files=twins))


def test_names_are_as_documented() -> None:
    assert PASSPORT_NAME == "passport.dsse.json"
    assert json.loads(passport_bytes())["payloadType"] == PAYLOAD_TYPE
    assert parse_envelope(passport_bytes()).signers() == (SIGNER,)
