"""Every operation of the API's description: with nothing sent, with HEAD, with a method that it does not have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.support.answers.book import Answers, Book
from tests.support.answers.calls import Call, asked
from tests.support.answers.places import place

SPEC: Final = json.loads((Path(__file__).parents[3] / "docs" / "reference" / "openapi.json").read_text("utf-8"))
OPERATORS: Final = {
    "providers": {"acme": ["0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"]},
    "admins": ["secret"],
    "nonce_window_seconds": 3600,  # on a busy machine a table takes minutes
}
_METHODS: Final = ("get", "post", "put", "delete")
_LONG: Final = ("/spec", "/api/docs/")
_NEVER_REFUSED: Final = (*_LONG, "/", "/health/live", "/health/ready", "/api/aquarius/chains/list")
_VALUES: Final = {
    "did": "did:op:" + "9" * 64,
    "chain_id": "8996",
    "token": "t" * 43,
    "index": "0",
    "job": "00" + "ab" * 15,
    "jobId": "00" + "ab" * 15,
    "filename": "rain.csv",
}


def operations() -> list[tuple[str, str]]:
    """(METHOD, path) of each."""
    return [(method.upper(), path) for path, item in SPEC["paths"].items() for method in item if method in _METHODS]


def of_operation(method: str, path: str, answers: Answers) -> Iterator[dict[str, Any]]:
    """Recorded answers to requests of one operation. One path may fit several; the one without parameters has it."""
    pattern = re.compile(f"{method} {re.sub('{[^}]+}', '[^/]+', path)}")
    yield from (answer for answer in answers.values() if pattern.fullmatch(answer["asked"]))


def _line(method: str, path: str) -> str:
    return f"{method} {path.format(**_VALUES)}"


async def answers(book: Book) -> None:
    paths = list(SPEC["paths"])
    async with place(book, operator=OPERATORS) as (_, asker):
        for method, path in operations():
            await asker.ask(f"{method} {path}, nothing sent", Call(_line(method, path), compared=path not in _LONG))
        for path in paths:
            await asker.ask(f"HEAD {path}", Call(_line("HEAD", path), compared=path not in _LONG))
            await asker.ask(f"PATCH {path}", asked(_line("PATCH", path)))
        for path in _NEVER_REFUSED:
            await asker.ask(f"GET {path}, too long an address", asked(f"GET {path}", "x=" + "y" * 65_536))
    async with place(book) as (_, asker):
        for method, path in operations():
            if path.startswith("/api/v1/operator"):
                await asker.ask(f"{method} {path}, no provider is known", asked(_line(method, path)))
