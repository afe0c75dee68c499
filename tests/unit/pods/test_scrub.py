from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pods.scrub import MAX_LINE, scrub, scrub_stream, scrub_text

pytestmark = pytest.mark.unit

DID = "did:op:" + "ab" * 32
SIGNATURE = "0x" + "ab" * 65
KEY = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U="


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"{DID}, file 0: 3.4 MB, 1.20 s", None),
        ("sha256 " + "ab" * 32, None),
        ("owner 0x" + "ab" * 20, None),
        ("GET https://user:pw@host.example/path?a=b#c done", "GET [url] done"),
        ("('s3://bucket/key')", "('[url]')"),
        (f"signed {SIGNATURE}.", "signed [hex]."),
        ("signed " + "AB" * 65, "signed [hex]"),
        ("order 0x" + "AB" * 32, "order [hex]"),
        (f"key {KEY}", "key [key]"),
        ("box " + "QUJD" * 40, "box [base64]"),
        ("Authorization: Bearer abc def", "Authorization: [hidden]"),
        ("{'signature': 'abc', 'n': 1}", "{'signature': '[hidden]', 'n': 1}"),
        ("nonce=17 token: xyz", "nonce=[hidden] token: [hidden]"),
        ("path /download?fileIndex=0&x=y end", "path /download[query] end"),
    ],
)
def test_a_line(line: str, expected: str | None) -> None:
    assert scrub_text(line) == (line if expected is None else expected)


@given(st.lists(st.integers(1, 40)), st.booleans())
def test_pieces_do_not_matter(cuts: list[int], ends: bool) -> None:
    text = f"one https://host.example/secret\nkey {KEY}\r\n\nlast {SIGNATURE}".encode() + (b"\n" if ends else b"")
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(text[at : at + cut])
        at += cut
    pieces.append(text[at:])
    assert b"".join(scrub_stream(pieces)) == b"one [url]\nkey [key]\r\n\nlast [hex]" + (b"\n" if ends else b"")


def test_an_overlong_line_is_cut_and_nothing_hides_in_it() -> None:
    line = b"word " * (MAX_LINE // 5) + b"https://host.example/" + b"s" * 100_000 + b" after\nnext\n"
    out = b"".join(scrub_stream([line[i : i + 1000] for i in range(0, len(line), 1000)]))
    assert out.endswith(b" [line cut off]\nnext\n")
    assert b"host" not in out
    assert b"after" not in out
    assert len(out) <= MAX_LINE + 30


def test_bytes_that_are_no_text_pass() -> None:
    assert scrub(b"\xff\xfe ok\n") == b"\xff\xfe ok\n"
