"""A job's outputs as a new asset: what configuration leaves for publishing, and where the asset's files are served.

The wish is in the sealed job spec, so it is the consumer's; it lies in a folder of the volume that neither the
algorithm nor a filter ever has mounted.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError

from contract.job_spec import AssetMetadata, JobSpec
from pods.settings import Volume

WISH_FILE: Final = "wish.json"
PUBLISHED_PATH: Final = "/api/services/published"
TOKEN: Final = re.compile(r"([0-9a-f]{32}\.)?[A-Za-z0-9_-]{43}")  # the job (older ones lack it), 32 random bytes
MAX_FILES: Final = 100  # each costs some 5,000 gas: its address lies on chain, encrypted

# Why a job's outputs have become no asset, although that was wanted and the job went well.
Problem = Literal[
    "misconfigured",  # the Secret is not what it should be, or the chain another one
    "no_outputs",
    "too_many_outputs",
    "store_failed",  # the second copy of the outputs did not arrive
    "chain_away",
    "out_of_gas",
    "refused",  # by a contract
    "unconfirmed",  # sent, and not mined in time; it may still be
    "failed",  # unforeseen
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the wish: the asset's DID, or why there is none."""

    did: str | None = None
    problem: Problem | None = None


class Wish(BaseModel):
    """What the asset shall be, and what it came from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metadata: AssetMetadata
    owner: str  # address of the job's owner
    algorithm: str  # DID, "" for a raw one
    datasets: tuple[str, ...]  # DIDs


def write_wish(volume: Volume, spec: JobSpec, metadata: AssetMetadata) -> None:
    wish = Wish(
        metadata=metadata,
        owner=spec.owner,
        algorithm=spec.algorithm.did,
        datasets=tuple(asset.did for asset in spec.inputs),
    )
    volume.publication.mkdir(mode=0o700)
    path = volume.publication / WISH_FILE
    path.touch(mode=0o600)
    path.write_text(wish.model_dump_json(), encoding="utf-8")


def read_wish(volume: Volume) -> Wish | None:
    """None: nothing was asked for, or configuration did not come so far. Raises OSError, ValueError."""
    path = volume.publication / WISH_FILE
    if not path.exists():
        return None
    try:
        return Wish.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError:
        raise ValueError(f"{WISH_FILE} has a form that this version does not know") from None


def new_token(job_id: str) -> str:
    """It names the job, because a publishing pod can write to folders of its own job only."""
    return f"{job_id}.{secrets.token_urlsafe(32)}"


def published_url(base: str, token: str, index: int, filename: str) -> str:
    """Where a file of the asset is served. The name is for people and programs that save it: the index counts."""
    return f"{base.rstrip('/')}{PUBLISHED_PATH}/{token}/{index}/{quote(filename, safe='')}"
