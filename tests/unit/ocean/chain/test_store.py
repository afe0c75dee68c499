"""Recognising a published document in what a metadata store hands out."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from ocean.chain.store import published_bytes

pytestmark = pytest.mark.unit

DOCUMENT = {"id": "did:op:1", "b": 1.5, "a": [True, None, 10**30], "name": "Régen"}


def digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_documents_as_clients_write_them(separators: tuple[str, str], ensure_ascii: bool) -> None:
    raw = json.dumps(DOCUMENT, separators=separators, ensure_ascii=ensure_ascii).encode()
    assert published_bytes(json.loads(raw), digest(raw)) == raw


@pytest.mark.parametrize(
    "other",
    [
        {},
        {**DOCUMENT, "b": 2},
        {**DOCUMENT, "more": 1},
        dict(reversed(DOCUMENT.items())),
        {name: value for name, value in DOCUMENT.items() if name != "a"},
    ],
)
def test_other_documents(other: dict[str, Any]) -> None:
    assert published_bytes(other, digest(json.dumps(DOCUMENT, separators=(",", ":")).encode())) is None


def test_half_a_character_can_only_be_escaped() -> None:
    document = {"name": "\ud83c"}
    raw = b'{"name":"\\ud83c"}'
    assert published_bytes(document, digest(raw)) == raw
    assert published_bytes(document, b"\0" * 32) is None
