"""The name of a file that everybody may see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean.files import ArweaveFile, File, IpfsFile, UrlFile
from provider_api.files.names import disposition, header_name, shown_name

pytestmark = pytest.mark.unit

CID = "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
SAID = {"content-disposition": f'inline; filename="{CID}.json"'}  # what gateways send with some kinds of content
NAMED = {"content-disposition": "attachment; filename=wind.csv"}


@pytest.mark.parametrize(
    ("file", "headers", "before", "published"),
    [
        (UrlFile("https://h.example/a/rain.csv?key=1"), {}, "rain.csv", "rain.csv"),
        (UrlFile("https://h.example/a/5f0c81d2"), {}, "5f0c81d2", ""),
        (UrlFile("https://h.example/x"), NAMED, "wind.csv", "wind.csv"),
        (IpfsFile(CID), {}, "", ""),
        (IpfsFile(CID), SAID, f"{CID}.json", ""),
        (ArweaveFile("tx"), {"content-disposition": "inline; filename=tx.csv"}, "tx.csv", ""),
    ],
)  # fmt: skip
def test_shown_name(file: File, headers: dict[str, str], before: str, published: str) -> None:
    """Of a file that is about to be published its owner sees all."""
    assert shown_name(file, headers, published=False) == before
    assert shown_name(file, headers, published=True) == published


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ('attachment; filename="rain.csv"', "rain.csv"),
        ("attachment;filename=rain.csv", "rain.csv"),
        ("ATTACHMENT; FileName = rain.csv ; size=3", "rain.csv"),
        # RFC 2047
        ('attachment; filename="=?UTF-8?Q?r=C3=A4gen=5F1.csv?="', "rägen_1.csv"),
        ("attachment; filename==?utf-8?B?csOkZ2VuLmNzdg==?=", "rägen.csv"),
        ('attachment; filename="=?ISO-8859-1?Q?r=E4gen?= =?UTF-8?B?LmNzdg==?="', "rägen.csv"),
        ('attachment; filename="=?klingon?Q?x?="', "=?klingon?Q?x?="),
        ('attachment; filename="=?utf-8?B?x?="', "=?utf-8?B?x?="),
        # RFC 5987, RFC 2231
        ("attachment; filename*=UTF-8''r%C3%A4gen.csv", "rägen.csv"),
        ("attachment; filename*=iso-8859-1'de'r%E4gen.csv; filename=plain.csv", "rägen.csv"),
        ("attachment; filename=plain.csv; filename*=utf-8''%ff", "plain.csv"),
        ("attachment; filename=plain.csv; filename*=x", "plain.csv"),
        ("attachment; filename*0*=UTF-8''r%C3%A4; filename*1=gen; filename*2*=.csv", "rägen.csv"),
        ('attachment; filename*0="rain"; filename*1=".csv"', "rain.csv"),
        # quoted pairs, quotes that do not end, semicolons inside
        (r'attachment; filename="a \"b\".csv"', 'a "b".csv'),
        ('attachment; filename="rain.csv', "rain.csv"),
        ('attachment; filename="a;b.csv"', "a;b.csv"),
        # percent forms in plain names, and names that only look like them
        ('attachment; filename="r%C3%A4gen%201.csv"', "rägen 1.csv"),
        ("attachment; filename=100%.csv", "100%.csv"),
        ("attachment; filename=%ff.csv", "%ff.csv"),
        # paths
        (r'attachment; filename="C:\\data\\rain.csv"', "rain.csv"),
        ("attachment; filename=/etc/../rain.csv", "rain.csv"),
        ("attachment; filename=%2e%2e%2fpasswd", "passwd"),
        ("attachment; filename*=UTF-8''..%2F..%2Fpasswd", "passwd"),
        ("attachment; filename=..", ""),
        ("attachment; filename=", ""),
        ("attachment", ""),
        ("", ""),
    ],
)
def test_names_as_servers_write_them(value: str, name: str) -> None:
    assert header_name(value) == name


@given(st.text(max_size=300))
def test_any_name_becomes_a_harmless_one(text: str) -> None:
    for value in (f"attachment; filename={text}", f'attachment; filename="{text}"', f"x; filename*=utf-8''{text}"):
        name = header_name(value)
        assert "/" not in name
        assert name.strip(".") or not name
        sent = disposition(name)
        assert sent.isascii()
        assert sent.isprintable()
        assert sent.removeprefix("attachment;filename=").strip(". ")
