"""Sealed objects: any content in any pieces comes back, in whole and in parts, and nothing else is taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey

from results.sealed import CHUNK, HEADER, SEALED_CHUNK, Opened, SealBroken, seal

pytestmark = pytest.mark.unit

KEY = PrivateKey(bytes(32))
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 17]


def content_of(size: int) -> bytes:
    pattern = bytes(number * 31 % 251 for number in range(1000))
    return (pattern * (size // 1000 + 1))[:size]


def sealed(content: bytes, piece: int = 5000, name: str = "job/a") -> bytes:
    return b"".join(seal((content[at : at + piece] for at in range(0, len(content), piece)), KEY.public_key, name))


def opened(whole: bytes, name: str = "job/a", key: PrivateKey = KEY) -> bytes:
    found = Opened.of(whole[:HEADER], len(whole), key, name)
    chunks = [whole[at : at + SEALED_CHUNK] for at in range(HEADER, len(whole), SEALED_CHUNK)]
    content = b"".join(found.open_chunk(number, chunk) for number, chunk in enumerate(chunks))
    assert len(content) == found.size
    return content


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piece", [1000, CHUNK, 10 * CHUNK])
def test_what_was_sealed_comes_back(size: int, piece: int) -> None:
    content = content_of(size)
    assert opened(sealed(content, piece)) == content


def test_two_seals_of_one_content_have_nothing_in_common() -> None:
    one, other = sealed(b"x" * 1000), sealed(b"x" * 1000)
    assert len(one) == len(other)
    assert one[4:HEADER] != other[4:HEADER]
    assert one[HEADER:] != other[HEADER:]


@given(st.integers(0, 3 * CHUNK), st.integers(1, CHUNK + 5))
def test_a_part_needs_its_chunks_alone(start: int, length: int) -> None:
    whole = sealed(content_of(4 * CHUNK + 9), CHUNK)
    found = Opened.of(whole[:HEADER], len(whole), KEY, "job/a")
    first, last = found.chunks_of(start, start + length)
    at = HEADER + first * SEALED_CHUNK
    part = b"".join(
        found.open_chunk(number, whole[at + (number - first) * SEALED_CHUNK :][:SEALED_CHUNK])
        for number in range(first, last)
    )
    assert part[start - first * CHUNK :][:length] == content_of(4 * CHUNK + 9)[start : start + length]
    assert last - first <= length // CHUNK + 2


@pytest.mark.parametrize("size", SIZES)
def test_changes_are_noticed(size: int) -> None:
    whole = sealed(content_of(size))
    changed = [
        whole[:-1],
        whole + b"\0",
        whole[: HEADER + SEALED_CHUNK] if size > CHUNK else whole[:HEADER],
        whole[: len(whole) - 1] + bytes([whole[-1] ^ 1]),
        b"XXXX" + whole[4:],
        whole[:10] + bytes([whole[10] ^ 1]) + whole[11:],
        b"",
    ]
    for other in changed:
        with pytest.raises(SealBroken):
            opened(other)
    with pytest.raises(SealBroken):
        opened(whole, name="job/b")
    with pytest.raises(SealBroken):
        opened(whole, key=PrivateKey(b"1" * 32))


def test_chunks_have_their_places() -> None:
    whole = sealed(content_of(3 * CHUNK))
    chunks = [whole[at : at + SEALED_CHUNK] for at in range(HEADER, len(whole), SEALED_CHUNK)]
    for order in ([1, 0, 2], [0, 0, 2], [0, 2, 1]):
        with pytest.raises(SealBroken):
            opened(whole[:HEADER] + b"".join(chunks[number] for number in order))
