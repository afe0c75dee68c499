"""The parts of a job's passport (`records.passport`) that neither Argo nor the list of results has.

`StartRecord` is what the service knew when it started the job; it travels as an annotation of the workflow.
`Provisioned` is what configuration measured while it copied; it travels in a folder of the job's volume that neither
an algorithm nor a filter ever has mounted, and then in the manifest.

An input is told as a salted digest only, or a consumer could try guesses of private rows against it:

    salt of a file = HMAC-SHA256(salt of the asset, its position as decimal text)
    salted digest  = SHA-256(salt of the file || SHA-256(the file))

The salt of an asset differs with each job. It is derived from the service's key, goes to the pod in the sealed job
spec, and is told to the asset's owner alone.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_serializer

from contract.release import NO_RULES, ReleaseRules
from ocean.kit.compact_json import compact_json


class _Value(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Ruled(_Value):
    """What tells of release rules: those that there are, so that an older version which knows these can read it."""

    release: ReleaseRules = NO_RULES

    @field_serializer("release")
    def _only_what_is_said(self, release: ReleaseRules) -> dict[str, Any]:
        return release.model_dump(mode="json", exclude_none=True)


class OrderedAsset(_Value):
    """An asset of a request, and the transaction that bought its use."""

    did: str
    service_id: str
    chain_id: int
    order: str  # transaction hash, 0x and 64 hexadecimal digits


class Policy(_Value):
    """The settings by which a start was judged, as far as they are not the dataset's own."""

    trusted_lists: str  # all | any
    trusted_lists_empty: str  # allow | deny
    require_checksums: bool


class StartRecord(_Ruled):
    """What the service knew when it accepted the start of a job. `release`: what may leave, by datasets and environment
    together."""

    version: Literal[1] = 1
    provider: str  # checksum address of the service's account, which signs
    url: str  # the service's public address; "" where it has none
    service_version: str
    steps: dict[str, str] = {}  # images of our own steps and of a filter, by the steps' names
    image_pulled: bool  # by its reference; False: the machine's own programs stand behind the name
    network: str  # none | public: what the algorithm may reach
    isolation: str  # what the algorithm's pod was isolated by beside containers, by the operator's name; "" for nothing
    environment_digest: str  # SHA-256 of the environment as it was announced, lower-case hex
    policy: Policy
    datasets: tuple[OrderedAsset, ...]
    algorithm: OrderedAsset | None  # None: sent along with the request
    approvers: tuple[str, ...] = ()  # DIDs of the datasets whose owners have to release the results

    def encoded(self) -> str:
        return self.model_dump_json()


class InputDigest(_Value):
    """One file of a dataset."""

    did: str
    service_id: str
    index: int
    salted: str  # lower-case hex


class Provisioned(_Ruled):
    """SHA-256 digests, lower-case hex, of all that configuration put on the job's volume. `release`: as the job spec
    has them."""

    version: Literal[1] = 1
    inputs: tuple[InputDigest, ...]
    algorithm: tuple[str, ...]  # of each of its files, or of the code that was sent along
    documents: dict[str, str]  # DID to the digest of its document, as it lies in /data/ddos
    custom_data: str  # of algoCustomData.json
    input_bytes: int  # of all inputs together
    program: str = ""  # `program_digest` of the algorithm; "": pods of before there was one
    made_of: dict[str, str] = {}  # DID of a dataset that was made of a job's results, to the digest of these


@functools.lru_cache(maxsize=2048)  # a status reads it several times
def read_start_record(text: str) -> StartRecord | None:
    """None where there is none, or one that this version does not know."""
    try:
        return StartRecord.model_validate_json(text) if text else None
    except ValidationError:
        return None


def program_digest(image: str, entrypoint: str, files: Sequence[str]) -> str:
    """One digest of what runs: the image by its reference, the shell text that starts the algorithm, and the SHA-256 of
    each of its files. Lower-case hex."""
    return hashlib.sha256(compact_json([image, entrypoint, list(files)]).encode()).hexdigest()


def outputs_digest(files: Iterable[tuple[str, str]]) -> str:
    """One digest of many files, by path and SHA-256: that of their list as `sha256sum` writes it, sorted by path."""
    lines = [f"{sha256}  {path}\n" for path, sha256 in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_salt(asset_salt: bytes, index: int) -> bytes:
    """32 bytes."""
    return hmac.new(asset_salt, str(index).encode(), hashlib.sha256).digest()


def salted_digest(salt: bytes, sha256: bytes) -> str:
    """What a passport says of an input file: `salt` is the file's, `sha256` the 32 bytes of its digest."""
    return hashlib.sha256(salt + sha256).hexdigest()
