"""The sealed job spec: all that the configuration pod must know and nobody else may read.

One JSON document, compressed and put into a NaCl box (X25519, XSalsa20-Poly1305) from the service's key to the
environment's key: only the environment opens it, and only the service can have made it. It repeats what the workflow
says of itself (`Binding`), so that neither a copied nor an altered workflow runs.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contract.release import SERVICES_OWN, ReleaseRules

MAX_SEALED_BYTES = (
    96 * 1024
)  # of base64; larger arguments make Argo slow and, above 128 kB, need rights we do not ask for
MAX_PLAIN_BYTES = 8 * 1024 * 1024  # a compressed document may not blow up


class JobSpecTooLarge(ValueError):
    """The sealed job spec would be larger than a workflow should carry."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the job description is too large: {size} bytes, at most {MAX_SEALED_BYTES}")
        self.size = size


class JobSpecRefused(ValueError):
    """The job spec cannot be opened, was not made by this service, or was made for another job."""


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Binding(_Value):
    """What the workflow says of itself. Configuration compares it with what its pod was really given."""

    job_id: str
    environment: str
    image: str
    seconds: int  # run-time limit of the algorithm pod as Argo enforces it (the outer limit)
    network: Literal["none", "public"]


class UrlSource(_Value):
    """A file behind a URL: what every type of file comes to that is fetched over HTTP. `userdata` go into the query
    (GET), or are the JSON body (POST)."""

    type: Literal["url"] = "url"
    url: str
    method: Literal["GET", "POST"] = "GET"
    headers: dict[str, str] = {}
    userdata: dict[str, Any] | None = None


class TextSource(_Value):
    """A file that travels in the job spec: the answer of a contract, asked at the start of the job."""

    type: Literal["text"] = "text"
    text: str


class ProviderSource(_Value):
    """A file of an asset that another provider serves. The pod asks for it as the environment, with this order."""

    type: Literal["provider"] = "provider"
    download: str  # address of that provider's download endpoint
    nonce: str  # and of its nonce endpoint
    did: str
    service_id: str
    tx: str
    index: int
    userdata: dict[str, Any] | None = None


Source = Annotated[UrlSource | TextSource | ProviderSource, Field(discriminator="type")]


class InputAsset(_Value):
    """One dataset: its files lie at /data/inputs/{did without did:op:}/{position}."""

    did: str
    service_id: str
    files: tuple[Source, ...]
    ddo: dict[str, Any]
    salt: str = ""  # of this asset in this job, 64 hexadecimal digits (`contract.provenance`); "": no passport is made


class Algorithm(_Value):
    """The algorithm: either `rawcode` or `files`. The first file becomes /data/transformations/algorithm."""

    did: str = ""  # "" for a raw algorithm
    ddo: dict[str, Any] | None = None
    rawcode: str | None = None
    files: tuple[Source, ...] = ()
    sha256: tuple[str, ...] = ()  # expected digest of each file, lower-case hex; empty: not known
    custom_data: Any = None  # written to algoCustomData.json, None as {}
    entrypoint: str  # shell text with $ALGO


_Line = Annotated[str, Field(min_length=1, max_length=512)]
_Label = Annotated[str, Field(min_length=1, max_length=256)]


class AssetMetadata(_Value):
    """What a consumer says of the asset that a job's outputs shall become: fields of a DDO's `metadata`, with its
    bounds, and the type of its service. None: publishing says something."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: _Line | None = None
    description: Annotated[str, Field(min_length=1, max_length=7000)] | None = None
    author: _Label | None = None
    license: _Label | None = None
    tags: list[_Label] = Field(default=[], max_length=64)
    categories: list[_Label] = Field(default=[], max_length=64)
    service: Literal["access", "compute"] = "access"


class JobSpec(_Value):
    version: Literal[1] = 1
    binding: Binding
    owner: str
    secret: str  # 32 hex characters, the variable `secret` of the algorithm
    run_seconds: int  # inner limit: the most the algorithm may run, a little less than binding.seconds
    paid_until: int | None = None  # Unix seconds; None: no end
    inputs: tuple[InputAsset, ...]
    algorithm: Algorithm
    allow_private: tuple[str, ...] = ()  # what downloads may reach although it is private, as `OutgoingGuard` takes it
    forbid: tuple[str, ...] = ()  # "host:port" pairs that stay closed whatever else is allowed
    max_input_bytes: int  # of all files together
    log_bytes: int = 16 * 1024 * 1024  # algorithm.log is cut off there
    release: ReleaseRules | None = None  # of the datasets and the environment together; None: pods do not know rules
    publication: AssetMetadata | None = None  # not None: the outputs shall become an asset of the owner


def seal(spec: JobSpec, service_key: PrivateKey, environment_key: PublicKey) -> str:
    """The box as base64 text. Raises JobSpecTooLarge."""
    # Pods of before this field refuse what they do not know, and need not know it where nothing is published.
    plain = spec.model_dump_json(exclude=_unused(spec)).encode()
    text = base64.b64encode(Box(service_key, environment_key).encrypt(zlib.compress(plain, 9))).decode()
    if len(text) > MAX_SEALED_BYTES or len(plain) > MAX_PLAIN_BYTES:
        raise JobSpecTooLarge(len(text))
    return text


def _unused(spec: JobSpec) -> dict[str, Any]:
    """Fields that a spec does without, for `model_dump_json`."""
    left: dict[str, Any] = {name: True for name in ("release", "publication") if getattr(spec, name) is None}
    if spec.release is not None:
        left["release"] = set(SERVICES_OWN)
    without_salt = {place: {"salt"} for place, asset in enumerate(spec.inputs) if not asset.salt}
    return left | ({"inputs": without_salt} if without_salt else {})


def open_sealed(text: str, environment_keys: Iterable[PrivateKey], service_keys: Iterable[PublicKey]) -> JobSpec:
    """Open a box with any of our keys from any accepted service key. Raises JobSpecRefused, which names no content."""
    try:
        sealed = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise JobSpecRefused("the job spec is not base64") from None
    service_keys = tuple(service_keys)
    for mine in environment_keys:
        for theirs in service_keys:
            try:
                packed = Box(mine, theirs).decrypt(sealed)
            except (CryptoError, ValueError):
                continue
            return _parsed(packed)
    raise JobSpecRefused("the job spec was not sealed for this environment by its service")


def _parsed(packed: bytes) -> JobSpec:
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(packed, MAX_PLAIN_BYTES)
        if not unpacker.eof:
            raise JobSpecRefused("the job spec is larger than allowed")
        return JobSpec.model_validate_json(plain)
    except (zlib.error, ValidationError):
        raise JobSpecRefused("the job spec has a form that this version does not know") from None


def require_binding(spec: JobSpec, actual: Binding) -> None:
    """Raises JobSpecRefused naming the first field in which the workflow differs from what the spec was made for."""
    for name in Binding.model_fields:
        if getattr(spec.binding, name) != getattr(actual, name):
            raise JobSpecRefused(f"the job spec was made for another {name.replace('_', ' ')}")
