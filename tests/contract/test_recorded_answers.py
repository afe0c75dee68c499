"""What this service has answered to some hundred requests of every kind, to the letter: it still does.

The requests stand in tests/support/answers, the answers in tests/recordings/answers. Where an answer shall change,
record anew and look at the difference before it is committed:

    RECORD_ANSWERS=1 .venv/bin/python -m pytest tests/contract/test_recorded_answers.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.answers.nouns import FOLDER, NOUNS, record, recorded, told
from tests.support.answers.operations import of_operation, operations

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("noun", NOUNS)
async def test_answers_are_those_that_were_recorded(noun: str, tmp_path: Path) -> None:
    answers = await told(noun, tmp_path)
    if os.environ.get("RECORD_ANSWERS"):
        record(noun, answers)
    expected = recorded(noun)
    differences = [
        f"{name}\n  recorded {expected.get(name)}\n  answered {answers.get(name)}"
        for name in {**expected, **answers}
        if expected.get(name) != answers.get(name)
    ]
    assert not differences, "\n".join(differences)


def test_there_are_no_recordings_of_other_nouns() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(NOUNS)


@pytest.mark.parametrize(("method", "path"), operations())
def test_every_operation_was_answered_with_success_and_with_an_error(method: str, path: str) -> None:
    answers = [answer for noun in NOUNS for answer in of_operation(method, path, recorded(noun))]
    statuses = {answer["status"] for answer in answers}
    assert any(200 <= status < 300 for status in statuses), statuses
    assert any(status >= 400 for status in statuses), statuses
