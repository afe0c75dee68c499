"""The wire format, pinned by blobs that other implementations made. Keys are public development keys."""

import hmac

import pytest
from coincurve import PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ocean.ecies import OVERHEAD_BYTES, DecryptionFailed, PublicKeyInvalid, decrypt, encrypt, public_key_of
from ocean.keys import KeyInvalid

pytestmark = pytest.mark.unit

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
PLAIN = (
    b'{"datatokenAddress":"0x70997970C51812dc3A010C7d01b50e0d17dc79C8",'
    b'"nftAddress":"0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",'
    b'"files":[{"type":"url","url":"https://example.com/a.csv","method":"GET"}]}'
)
BLOB = bytes.fromhex(
    "04ba5734d8f7091719471e7f7ed6b9df170dc70cc661ca05e688601ad984f068b0d67351e5f06073092499336ab0839ef8a521afd334e53807205fa2f08eec74f4"
    "000102030405060708090a0b0c0d0e0fe1cc06050a82f5bf324c96d86ace231e"
    "1af47a5f0f951e84de4e28f1cf145966bb55db4c0123171194975a2283e62351a664f50f0fcab510950cb63645f96e8a8654250ab2e30ee9bc1922c58827a4d4"
    "f734dea09211668c52e6e089ff5b744dff7d6a1e2c438531f9a102e8a35f6440da4b405d1dd8bd965f5bdea06974fd59535367d8d7381ca2ce63c9fd92826cac"
    "2dafa8fcd442cce0ed299a8a85b3ec0ff675eced77a20c52efab4dfdae38b1db24c7794743874affb37e62960533095a913535a8db49cf69cbe6c726c2b687f7"
    "c3a57c87dd"
)
PROVIDER_KEY = "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"
HELLO = bytes.fromhex(
    "041493a2f773680c44df04892f7ffa1cb219f06033840fb00be4020a223aa6111631609dc740278ca720af64ab8f68e0b1042e7aa8342bf5b5365ec8bbef2046d5"
    "ffb64672ed4bcd2b561dcd2b8ae0dbd41aa53def9d2e998296ad095f3165ae4355f80fc2ee"
)


def test_published_blobs_open() -> None:
    assert decrypt(KEY, BLOB) == PLAIN
    assert decrypt(PROVIDER_KEY, HELLO) == b"hello"


def test_key_derivation() -> None:
    """The steps between, by hand: shared point, HKDF-SHA256 over both points uncompressed."""
    shared = PublicKey(BLOB[:65]).multiply(bytes.fromhex(KEY[2:])).format(compressed=False)
    assert shared.hex() == (
        "04eeaec6bd520b571fcf896dfd9e35148c23c5f11d0d107f3bc3281cbbe0236574"
        "cb7bc690c7f4b26ad2af44e8021009f1fec5ea9dc9dca10d82715a38cdd983ba"
    )
    extracted = hmac.digest(b"\0" * 32, BLOB[:65] + shared, "sha256")
    key = hmac.digest(extracted, b"\x01", "sha256")
    assert key.hex() == "d1f1bde8d9a0b344e21e1989f0a4d331f76d414d10a67341148823cb5a611c94"


def test_layout_of_our_blobs() -> None:
    blob = encrypt(public_key_of(KEY), b"")
    assert len(blob) == OVERHEAD_BYTES == 97
    assert blob[0] == 4
    PublicKey(blob[:65])
    assert blob[:81] != encrypt(public_key_of(KEY), b"")[:81]


@given(st.binary(max_size=3000), st.integers(1, 2**255))
@settings(max_examples=30, deadline=None)
def test_round_trip(plain: bytes, number: int) -> None:
    key = number.to_bytes(32, "big")
    assert decrypt(key, encrypt(public_key_of(key), plain)) == plain


def test_spellings_of_a_public_key() -> None:
    public = public_key_of(KEY)
    assert len(public) == 65
    compressed = PublicKey(public).format(compressed=True)
    for spelling in (public, public[1:], compressed, public.hex(), "0x" + public.hex(), "0x" + public[1:].hex()):
        assert decrypt(KEY, encrypt(spelling, b"x")) == b"x"


@pytest.mark.parametrize("wrong", [b"", "", "zz", b"\x04" + b"\0" * 64, "0x04"])
def test_wrong_public_keys(wrong: bytes | str) -> None:
    with pytest.raises(PublicKeyInvalid):
        encrypt(wrong, b"x")


@pytest.mark.parametrize(
    "blob",
    [b"", b"\x04", BLOB[:96], BLOB[:-1], BLOB + b"\0", b"\x02" + BLOB[1:], b"\x04" + b"\0" * 200, HELLO]
    + [BLOB[:i] + bytes((BLOB[i] ^ 1,)) + BLOB[i + 1 :] for i in (1, 64, 65, 80, 81, 96, 97, 200)],
)
def test_damaged_and_foreign_blobs(blob: bytes) -> None:
    with pytest.raises(DecryptionFailed):
        decrypt(KEY, blob)


def test_a_wrong_private_key_is_our_fault_and_says_so() -> None:
    with pytest.raises(KeyInvalid):
        decrypt("0x00", BLOB)
