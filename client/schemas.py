"""What `--json` prints, by command: JSON Schema 2020-12, made from the descriptions of what commands rely on.

`c2d schemas` prints it (docs/reference/command-line.json). Documents of the provider are printed as it sent them, so
they may have more than what stands here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from client.answers import Address, Environment, Job, Reason

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class _Printed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Error(_Printed):
    """Why any command ended; `exit` is its exit code."""

    error: str
    exit: int
    reasons: list[Reason] = []


class Login(_Printed):
    """`expires`: Unix seconds."""

    profile: str
    address: Address
    expires: int


class Logout(_Printed):
    """`takenOutOfUse`: whether the provider has been told, too."""

    signedOut: bool
    takenOutOfUse: bool


class Whoami(_Printed):
    """`chain`: its number."""

    profile: str
    provider: str
    software: str
    chain: int
    address: Address | None
    signedIn: bool


class ProfileLine(_Printed):
    """A line of `c2d profile list`."""

    name: str
    current: bool
    provider: str


class ProfileShown(BaseModel):
    """A profile as it stands in the user's file."""

    name: str
    provider: str


class Why(_Printed):
    """`costs`: whole tokens by the token's address."""

    startable: bool
    reasons: list[Reason]
    costs: dict[str, str]


class File(_Printed):
    """A result that was fetched. `size`: bytes."""

    index: int
    type: str
    path: str
    size: int
    sha256: str


class Run(_Printed):
    """A job with its results. `verifiedBy`: the account that signed for them; null where nobody does."""

    job: Job
    files: list[File]
    verifiedBy: Address | None


class Published(_Printed):
    """`price`: whole tokens, or "none"."""

    did: str
    name: str
    type: str
    datatoken: Address
    price: str


class Trusted(_Printed):
    """`algorithm`: as the dataset's document names it."""

    dataset: str
    algorithm: dict[str, str]
    trusted: bool


class AssetShown(_Printed):
    """`document`: the DDO."""

    did: str
    price: str
    document: dict[str, Any]


class AssetEdited(_Printed):
    """`changed`: names of fields."""

    did: str
    changed: list[str]


class AssetState(_Printed):
    """Its state from now on."""

    did: str
    state: str


class Releases(BaseModel):
    """The service's answer as it is."""

    releases: list[dict[str, Any]] = Field([])


class Release(BaseModel):
    """The service's answer as it is."""

    model_config = ConfigDict(extra="allow")


# By the words of a command. A job that is started with `--detach` is printed as `watch` prints its states.
class VerifiedFile(_Printed):
    """`path`: as it was given; `name`: in the passport."""

    path: str
    name: str
    sha256: str


class Verified(_Printed):
    """`orderPaid`: whether a chain was asked and said so. `notProven`: what does not follow."""

    jobId: str
    signer: Address
    files: list[VerifiedFile]
    orderPaid: bool
    notProven: list[str]


class Crate(Verified):
    """`crate`: the file that describes the folder."""

    crate: str


PRINTED: Final[Mapping[str, Any]] = {
    "login": Login,
    "logout": Logout,
    "whoami": Whoami,
    "profile list": list[ProfileLine],
    "profile show": ProfileShown,
    "envs": list[Environment],
    "why": Why,
    "run": Run | Job,
    "jobs": list[Job],
    "show": Job,
    "watch": Job,
    "results": Run,
    "stop": list[Job],
    "rm": list[Any],
    "publish": Published,
    "publish-algorithm": Published,
    "trust": Trusted,
    "asset show": AssetShown,
    "asset edit": AssetEdited,
    "asset state": AssetState,
    "releases list": Releases,
    "releases show": Release,
    "verify": Verified,
    "crate": Crate,
    "error": Error,
}


def schemas() -> dict[str, Any]:
    """The published document: a definition for each command, and `error`."""
    named = [(name, TypeAdapter(printed)) for name, printed in PRINTED.items()]
    inputs = [(name, "validation", adapter) for name, adapter in named]
    found, shared = TypeAdapter.json_schemas(inputs, ref_template="#/$defs/{model}")  # type: ignore[arg-type]
    commands = {name: found[(name, "validation")] for name, _ in named}
    return {
        "$schema": DIALECT,
        "title": "What c2d prints with --json",
        "description": "By command. `watch --json` prints one document a line; every command may end with `error`.",
        "$defs": {**shared.get("$defs", {}), **commands},
    }


def schemas_text() -> str:
    """The document as it is published."""
    return json.dumps(schemas(), indent=2, ensure_ascii=False) + "\n"


def schema_of(words: Sequence[str]) -> dict[str, Any]:
    """What a command may print, by its words: its own document, or an error."""
    name = next(name for name in (" ".join(words[:2]), words[0]) if name in PRINTED)
    document = schemas()
    return {
        "$schema": DIALECT,
        "$defs": document["$defs"],
        "anyOf": [{"$ref": f"#/$defs/{name.replace(' ', '%20')}"}, {"$ref": "#/$defs/error"}],
    }
