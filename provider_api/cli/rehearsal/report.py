"""What a rehearsal found: one document, for people and, as JSON, for programs (docs/reference/try.schema.json)."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from client.exits import Exit
from contract.manifest import ResultType
from pods.publishing.told import Rule
from provider_api.jobs.status import Reason

Verdict = Literal["would_finish", "would_fail", "kept_back", "refused", "machine_cannot"]
_EXIT: dict[Verdict, Exit] = {
    "would_finish": Exit.DONE,
    "would_fail": Exit.FAILED,
    "kept_back": Exit.FAILED,
    "refused": Exit.REFUSED,
    "machine_cannot": Exit.UNREACHABLE,  # there is no service on this machine that could do it
}


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Refusal(_Value):
    """One reason why a job like this would not be accepted."""

    place: str = Field(description="What it is about.")
    code: str
    sentence: str


class Result(_Value):
    """A file that a consumer could fetch."""

    index: int = Field(description="By which a consumer asks for it.")
    path: str = Field(description="Below /data, and below `output`.")
    size: int = Field(description="Bytes.")
    type: ResultType
    sha256: str


class NotPublished(_Value):
    """Something that the algorithm left and that is not published."""

    path: str = Field(description="Below /data; empty: further ones.")
    code: str
    sentence: str


class BrokenRule(_Value):
    """A release rule that the results do not meet."""

    rule: Rule | Literal["filter"]
    path: str = Field(description="Of the file that it is about; empty: all together.")
    sentence: str


class KeptFile(_Value):
    """A file that would have left but for the release rules."""

    path: str
    size: int = Field(description="Bytes.")


class KeptBack(_Value):
    rules: tuple[BrokenRule, ...]
    files: tuple[KeptFile, ...] = Field(description="At most a hundred.")


class Log(_Value):
    """The end of what the algorithm wrote to its standard output and error."""

    lines: tuple[str, ...]
    leaves: bool = Field(description="Whether a consumer would get it.")


class Limits(_Value):
    """What the environment gives the algorithm."""

    seconds: int
    cpu: float
    ram_gb: float
    disk_gb: float
    network: bool


class Seconds(_Value):
    """How long it took here."""

    algorithm: float | None = Field(description="null: it did not run.")
    total: float


class Report(_Value):
    """All of it. What was not reached is null or empty."""

    version: Literal[1] = 1
    verdict: Verdict = Field(description="What a real job would come to.")
    sentence: str = Field(description="The same for people.")
    hints: tuple[str, ...] = ()
    environment: str | None = None
    image: str | None = None
    entrypoint: str | None = None
    limits: Limits | None = None
    status: int | None = Field(default=None, description="As clients see it; 70 is the end, not success.")
    status_text: str | None = None
    reason: Reason | None = None
    exit_code: int | None = Field(default=None, description="Of the algorithm.")
    refusals: tuple[Refusal, ...] = ()
    results: tuple[Result, ...] = ()
    not_published: tuple[NotPublished, ...] = ()
    kept_back: KeptBack | None = None
    waits_for_owners: bool = Field(default=False, description="Whether owners of the data have to release the results.")
    log: Log | None = None
    seconds: Seconds | None = None
    output: str | None = Field(default=None, description="The folder with what a consumer would get.")

    def exit_status(self, *, own: bool) -> int:
        """Of the command; `own`: the algorithm's where it failed by itself."""
        if own and self.verdict == "would_fail" and self.exit_code:
            return self.exit_code
        return int(_EXIT[self.verdict])

    def as_json(self) -> str:
        return self.model_dump_json(indent=2)


def schema() -> dict[str, Any]:
    """The JSON schema of the document."""
    made = Report.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "What `c2d try --json` prints"}


def schema_text() -> str:
    return json.dumps(schema(), indent=2) + "\n"
