"""The name of a file that everybody may see."""

from __future__ import annotations

import pytest

from ocean.files import ArweaveFile, File, IpfsFile, UrlFile
from provider_api.files.names import shown_name

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
