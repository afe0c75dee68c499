"""Vectors made with eth_account from public development keys, and accepted by Ocean Provider."""

from dataclasses import dataclass

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from ocean import signing
from ocean.keys import KeyInvalid, address_of
from ocean.signing import SignatureInvalid, digest, recover, sign

pytestmark = pytest.mark.unit

KEY_1 = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
KEY_3 = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
KEY_4 = "0x5d75837394b078ce97bc289fa8d75e21000573520bfa7784a9d28ccaae602bf8"
CONSUMER_KEY = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"
ADDRESS_1 = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
ADDRESS_3 = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
ADDRESS_4 = "0xA78deb2Fa79463945C247991075E2a0e98Ba7A09"
CONSUMER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
DID = "did:op:dda2cf53dc1b2e3a79758bafb62ae3c912010f16d7851437fdfaf0191799d847"
DID_2 = "did:op:09bd86fd19b7120a0307dbd3ea5751810f346e64e74ac3ba4ec2511c37c0e3a9"
JOB = "5e1f00c0ffee4d0fa11ce0f0badc0de5"
TX = "0x1b5b9ccb3e8d006a5230de9bda23ff91edc794d4f56410560830b418528e446c"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@dataclass
class Vector:
    key: str
    address: str
    message: str
    expected_message: str
    signature: str
    digest: str | None = None


VECTORS = {
    "download": Vector(
        KEY_1,
        ADDRESS_1,
        signing.download_message(DID, 58),
        "did:op:dda2cf53dc1b2e3a79758bafb62ae3c912010f16d7851437fdfaf0191799d84758",
        "0x3e01c1089291a5c743d84b0ea5c8d3992fe808bdaa67c947c87f344b1088483a"
        "46042b212a9203559aee068ebfc708f396734ad58c3ac05c483501186a07289e1c",
        "9ec4de669259595e8c91bca4d30173a438444e7b002e15ee1aa8d15cacc59c99",
    ),
    "start": Vector(
        KEY_1,
        ADDRESS_1,
        signing.start_message(ADDRESS_1, DID, "1700000000000"),
        ADDRESS_1 + DID + "1700000000000",
        "0x74ce52cca27d606cc2399fed63b02ac1574658e100b02c72fafecef6fbe4b5a4"
        "5a4eb57f857b9c9a0fe5ebcfb291fcf36b8b0a7928082eb76cf81db18442a0631b",
        "04b398fc41e7b14d1f42b5db5a2a010b58200570f5946fff35f143226d9dc187",
    ),
    "stop": Vector(
        KEY_3,
        ADDRESS_3,
        signing.job_message(ADDRESS_3, JOB, DID, 7),
        ADDRESS_3 + JOB + DID + "7",
        "0x4ba6a017db815b833b14aa0ae5cd36bffe7e0344fb0f941b6e667d66bfa739bf"
        "61a668fdcab72fdf9a4bc354c8644c0989c91fe586ea6c4ac5f467eabcdb798b1b",
        "bb6088454f8ed2c1c3271e770b39d06f5d4f77d7b3bd1a051ded24bc63e6a8c4",
    ),
    "result": Vector(
        KEY_4,
        ADDRESS_4,
        signing.result_message(ADDRESS_4, JOB, 0, 61),
        ADDRESS_4 + JOB + "061",
        "0x12375b8e820d7e35a43afbe01a8212c5697e3617838123dd1b32742ef5b8318d"
        "29fd66ee273d47ed7502295100112d46dfd8e2b719d20478c5bd4603c01e1ef51b",
        "e270e29d31c700d1545e888d7dd2a077e385099cd7dd5ad26f135f6ebf30c8ce",
    ),
    "token": Vector(
        KEY_1,
        ADDRESS_1,
        signing.token_message(ADDRESS_1, 2),
        ADDRESS_1 + "2",
        "0xdb241986eb42b6024f4a4a3c38dbf95811f40c152980ec2696d261d6faa3f9cf"
        "0f36ee585a593929acc74717787d71b86674747dc075c5ac2d2318046faed9291b",
    ),
    "decrypt by transaction": Vector(
        KEY_4,
        ADDRESS_4,
        signing.decrypt_message(TX, ADDRESS_4, 8996, "1644315615.24195"),
        TX + ADDRESS_4 + "89961644315615.24195",
        "0x99a540c7d3c8eb8aeaa5e8c552a5f8f17faa91029a5fe0fafd3f944fb7ac334a"
        "612cd884fc6db138a423372f2069cf50424de1673fc39d167396e9e42c4e6c461c",
    ),
    "decrypt by NFT": Vector(
        KEY_4,
        ADDRESS_4,
        signing.decrypt_message(ADDRESS_3, ADDRESS_4, 8996, 9),
        ADDRESS_3 + ADDRESS_4 + "89969",
        "0x63d15a1937eafa6e9d93019a6a26ba3809c06d24e9540aa0694b84f3a70306c1"
        "1de34aba0eb7391e177a23c12b7c7a36c62ab44071803485111b6b4db43ade271b",
    ),
    "stop, address in lower case, no DID": Vector(
        KEY_1,
        ADDRESS_1,
        signing.job_message(ADDRESS_1.lower(), JOB, None, 3),
        ADDRESS_1.lower() + JOB + "3",
        "0x07f3dc1f064721d8bbf3b8d6a48799fbc121252e4328a687198766db17f28489"
        "3a234b4d9a66d5c77507edb27fce0a2dd3e3f41b0a20e6760b083b6fdd7393f21b",
    ),
    "start of ocean.py": Vector(
        CONSUMER_KEY,
        CONSUMER,
        signing.start_message(CONSUMER, DID_2, 1700000000123),
        CONSUMER + DID_2 + "1700000000123",
        "0xe582bee53258e5fbbce2f466df0612ca3c92edce3a1108f60843f16599022bce"
        "58ba630c672e9eaca9edb0c18f4ab155273b9aa4f7d7a47916e2017e487c63ef1b",
    ),
    "download by a pod": Vector(
        "0x" + "11" * 32,
        address_of(b"\x11" * 32),
        signing.download_message("did:op:7a1c", 1717171717171),
        "did:op:7a1c1717171717171",
        "0xb22b75d97e778af3a80da953948e6a2a6836e14c565dbd4015a8efec0c82f184"
        "1a9628b87217c855d6289c0f35b982ccd5fdeca714f8958def9679493818e5031b",
        "99d3087206bb61d0831ad57fbf3fc6d639a63f9acde3ba783cae63d3a46937e3",
    ),
}


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_vectors(vector: Vector) -> None:
    assert vector.message == vector.expected_message
    if vector.digest:
        assert digest(vector.message).hex() == vector.digest
    for key in (vector.key, vector.key[2:], bytes.fromhex(vector.key[2:]), Account.from_key(vector.key)):
        assert sign(vector.message, key) == vector.signature
    assert recover(vector.message, vector.signature) == vector.address


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_both_families_of_v_and_every_spelling_of_hex(vector: Vector) -> None:
    body, v = vector.signature[2:-2], int(vector.signature[-2:], 16)
    other = f"{body}{v - 27:02x}"
    for text in (other, "0x" + other, "0X" + other.upper(), vector.signature[2:], vector.signature.upper()):
        assert recover(vector.message, text) == vector.address


@given(st.text(max_size=200).filter(lambda text: text.isprintable()), st.integers(1, ORDER - 1))
@settings(max_examples=60, deadline=None)
def test_the_signer_is_found_again(message: str, number: int) -> None:
    key = number.to_bytes(32, "big")
    assert recover(message, sign(message, key)) == Account.from_key(key).address


def test_a_changed_message_has_another_signer() -> None:
    vector = VECTORS["start"]
    assert recover(vector.message + "0", vector.signature) != vector.address


def high_s(signature: str) -> str:
    raw = bytes.fromhex(signature[2:])
    s = ORDER - int.from_bytes(raw[32:64], "big")
    return "0x" + raw[:32].hex() + s.to_bytes(32, "big").hex() + f"{55 - raw[64]:02x}"


GOOD = VECTORS["start"].signature


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        ("", "length"),
        ("0x", "length"),
        (GOOD + "00", "length"),  # Ocean Provider cuts such a signature off and accepts it
        (GOOD[:-2], "length"),
        (GOOD[:-1], "not_hex"),
        ("0x" + "zz" * 65, "not_hex"),
        (" " + GOOD, "not_hex"),
        (GOOD + "\n", "not_hex"),
        ("0x0x" + GOOD[2:], "not_hex"),
        (GOOD[:-2] + "02", "recovery_id"),
        (GOOD[:-2] + "1d", "recovery_id"),
        (GOOD[:-2] + "25", "recovery_id"),
        (GOOD[:-2] + "ff", "recovery_id"),
        (high_s(GOOD), "high_s"),
        ("0x" + "00" * 65, "unrecoverable"),
        ("0x" + "00" * 32 + GOOD[66:], "unrecoverable"),
        ("0x" + "ff" * 32 + GOOD[66:], "unrecoverable"),
    ],
)
def test_refused_signatures(signature: str, reason: str) -> None:
    with pytest.raises(SignatureInvalid) as caught:
        recover(VECTORS["start"].message, signature)
    assert caught.value.reason == reason


def test_text_that_has_no_bytes_is_refused() -> None:
    with pytest.raises(SignatureInvalid) as caught:
        recover("\ud800", GOOD)
    assert caught.value.reason == "message_not_text"


def test_numbers_in_messages_appear_as_python_prints_them() -> None:
    assert signing.download_message("d", 4.5) == "d4.5"
    assert signing.start_message("a", "d", 3, "j") == "ajd3"


@pytest.mark.parametrize("key", ["", "0x12", "zz" * 32, b"\0" * 32, "ff" * 32, b"short"])
def test_wrong_keys_are_not_shown(key: str | bytes) -> None:
    with pytest.raises(KeyInvalid) as caught:
        sign("text", key)
    assert str(caught.value) == "not a secp256k1 private key: 32 bytes, or their hex text, are expected"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
