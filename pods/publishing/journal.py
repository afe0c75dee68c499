"""How far a job's asset has come, on the job's volume: what a killed program must find again.

The volume outlives every try of the step and ends with the job. The result store would not do: pods can only write to a
sealed one. Each change is on the disk before it counts.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from ocean.chain.resumable import Signed
from ocean.kit.atomic import SECRET, replace_file
from pods.publication import new_token

JOURNAL_FILE: Final = "journal.json"
LOCK_FILE: Final = "lock"


class _State(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    token: str
    copied: bool = False  # the files of the asset are in the store, and their manifest
    transactions: dict[str, tuple[Signed, ...]] = {}


class Journal:
    """The token and the signed transactions (`ocean.chain.resumable.Notes`) of one job's asset."""

    def __init__(self, path: Path, job_id: str) -> None:
        self._path = path
        if path.exists():
            self._state = _State.model_validate_json(path.read_text(encoding="utf-8"))
        else:
            self._keep(_State(token=new_token(job_id)))

    @property
    def token(self) -> str:
        return self._state.token

    @property
    def copied(self) -> bool:
        return self._state.copied

    def note_copied(self) -> None:
        self._keep(self._state.model_copy(update={"copied": True}))

    def find(self, step: str) -> tuple[Signed, ...]:
        return self._state.transactions.get(step, ())

    def write(self, step: str, transactions: tuple[Signed, ...]) -> None:
        self._keep(self._state.model_copy(update={"transactions": {**self._state.transactions, step: transactions}}))

    def _keep(self, state: _State) -> None:
        replace_file(self._path, state.model_dump_json(), mode=SECRET, durable=True)
        self._state = state


@contextmanager
def opened(folder: Path, job_id: str) -> Iterator[Journal]:
    """The job's journal, for one program at a time: a pod that was given up as lost may still run. Waits for it."""
    with (folder / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Journal(folder / JOURNAL_FILE, job_id)
