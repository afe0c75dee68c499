"""Which nouns there are, and where what was recorded of them stands."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from tests.support.answers import (
    accounts,
    choices,
    decryption,
    files,
    jobs,
    metadata_store,
    operations,
    operator,
    quotes,
    service,
    starts,
    subgraph,
)
from tests.support.answers.book import Answers, Book

FOLDER: Final = Path(os.environ.get("ANSWERS_FOLDER", Path(__file__).parents[2] / "recordings" / "answers"))
NOUNS: Final[Mapping[str, Callable[[Book], Awaitable[None]]]] = {
    "operations": operations.answers,
    "service": service.answers,
    "accounts": accounts.answers,
    "files": files.answers,
    "decryption": decryption.answers,
    "quotes": quotes.answers,
    "starts": starts.answers,
    "jobs": jobs.answers,
    "metadata_store": metadata_store.answers,
    "subgraph": subgraph.answers,
    "operator": operator.answers,
    "choices": choices.answers,
}


async def told(noun: str, folder: Path) -> Answers:
    """What the service answers now. `folder` is empty."""
    book = Book(folder)
    await NOUNS[noun](book)
    return book.answers


def recorded(noun: str) -> Answers:
    found: Answers = json.loads((FOLDER / f"{noun}.json").read_text("utf-8"))
    return found


def record(noun: str, answers: Answers) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps(answers, indent=1, ensure_ascii=False)
    (FOLDER / f"{noun}.json").write_text(text + "\n", "utf-8")
