"""What providers answer, as far as commands rely on it. Everything else in an answer is left as it is.

The same descriptions are the schema of what `--json` prints of them (`c2d schemas`). Ocean Provider 2.1.6 has fewer
fields than this project's service, so only what both have is required.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from client.exits import Unreachable
from client.text import harmless

Address = Annotated[str, StringConstraints(pattern=r"^0[xX][0-9a-fA-F]{40}$")]
JobId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,100}$")]
_MOST_SECONDS: Final = 253_402_300_799  # the year 9999
Seconds = Annotated[int, Field(ge=0, le=_MOST_SECONDS)]

T = TypeVar("T")


class Said(BaseModel):
    """A part of an answer; what is not named may be there as well."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Root(Said):
    """The root document. `serviceEndpoints`: method and path by the call's name."""

    providerAddress: Address | None = None
    providerAddresses: dict[str, Address] | None = None
    serviceEndpoints: dict[str, tuple[str, str]]
    software: str = ""
    version: str = ""


def accounts_in(root: Mapping[str, Any]) -> list[Any]:
    """The accounts that a root document names; each is what it is, an address or not."""
    named = (root.get("providerAddress"), *(root.get("providerAddresses") or {}).values())
    return [each for each in named if each]


class Environment(Said):
    """What jobs can run in. `priceMin`: whole fee tokens for a minute. `maxJobDuration`: seconds."""

    id: str
    consumerAddress: Address
    priceMin: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    maxJobDuration: Annotated[float, Field(ge=0, le=_MOST_SECONDS, allow_inf_nan=False)] | None = None
    release: dict[str, Any] | None = None


class Result(Said):
    """One file of a job. `filesize`: bytes."""

    index: Annotated[int, Field(ge=0)]
    filename: str = ""
    filesize: Annotated[int, Field(ge=0)] | None = None
    type: str = ""


class Held(Said):
    """Results that wait for the owners of these datasets, until then at the latest (Unix seconds)."""

    until: Seconds | None = None
    datasets: list[str] = Field([], alias="for")


class Job(Said):
    """`results`: an empty text until there are some. `resultsNext`: the list goes on from there."""

    jobId: JobId
    status: int = 0
    statusText: str = ""
    dateCreated: str | float | None = None
    dateFinished: str | float | None = None
    results: list[Result] | str | None = None
    resultsNext: Annotated[int, Field(ge=0)] | None = None
    environment: str | None = None
    algoDID: str | None = None
    inputDID: list[str] | None = None
    exitCode: int | None = None
    reason: str | None = None
    detail: str | None = None
    queuePosition: int | None = None
    held: Held | None = None


class Reason(Said):
    """Something that stands against a job. `who`: can change it."""

    place: str = ""
    code: str = ""
    expected: Any = None
    found: Any = None
    who: str | None = None


class Reasons(Said):
    """`startNeeds`: parameters that a start would be refused for."""

    reasons: list[Reason] = []
    startNeeds: list[Reason] = []


class Quote(Said):
    """What an asset needs: an order that is good, a fee to pay, or both for an order that is renewed."""

    validOrder: str | None = None
    providerFee: dict[str, Any] | None = None


class Quotes(Said):
    """In the order of the request."""

    datasets: list[Quote]
    algorithm: Quote | None = None
    startNeeds: list[Reason] = []


def required(kind: Any, answer: T, whose: str) -> T:
    """The answer as it is, if it is of that kind (a type as pydantic takes it). Raises Unreachable."""
    try:
        TypeAdapter(kind).validate_python(answer)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        place = harmless(".".join(str(part) for part in error["loc"])) or "the answer"
        raise Unreachable(f"{whose} does not answer as it should: {place}: {error['msg']}") from None
    return answer
