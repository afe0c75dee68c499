"""The stream of a log: records end at newline bytes, whatever else a program prints that ends a line somewhere."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo.client.errors import ArgoUnavailable
from argo.client.logs import _content
from argo.client.streaming import lines_of

pytestmark = pytest.mark.unit

ENDS = "\x85\u2028\u2029\r\x0b\x0c\x1c\x1d\x1e"


async def chunks(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def read(data: bytes, size: int) -> list[str | None]:
    return [_content("w", line) async for line in lines_of(chunks(data, size))]


PRINTED = st.text(st.sampled_from(ENDS + "ab") | st.characters(exclude_characters="\n", exclude_categories=["Cs"]))


@given(st.lists(PRINTED), st.integers(1, 9), st.booleans(), st.booleans())
async def test_every_line_arrives_as_it_was_printed(texts: list[str], size: int, ascii_only: bool, ended: bool) -> None:
    records = [json.dumps({"result": {"content": text}}, ensure_ascii=ascii_only).encode() for text in texts]
    data = b"\n".join(records) + (b"\n" if ended and records else b"")
    assert await read(data, size) == texts


@pytest.mark.parametrize("data", [b"[]", b"7", b'"x"', b"{", b"\xff", b"null"])
async def test_what_is_no_record(data: bytes) -> None:
    with pytest.raises(ArgoUnavailable):
        await read(data, 3)


@pytest.mark.parametrize("data", [b'{"error": []}', b'{"error": {"http_code": "x"}}', b'{"error": null}'])
async def test_an_error_of_an_odd_shape_ends_the_log_too(data: bytes) -> None:
    with pytest.raises(ArgoUnavailable):
        await read(data, 100)
