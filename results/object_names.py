"""The names of objects in a result store.

Layout: `{job id}/manifest.json`, `{job id}/outputs/…`, `{job id}/logs/…`, `{job id}/adminlogs/…`. Outputs that became
an asset lie in a folder of their own once more, `asset-{job id}/{digest}/…`, which stays when the job goes. Keys are
made of letters, digits, `.`, `_`, `-`; every other byte of a name is written as `=XX`, because stores differ in what
else they allow. In IPFS the names of files are random instead (`results.ipfs`). The manifest has the key of every file.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

ASSET: Final = "asset-"  # no job is named so: all job ids are 32 hexadecimal digits
TRUST: Final = "trust-"  # likewise

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_MAX_PART = 200  # characters of one part of a key
_MAX_KEY = 700  # characters of a key; S3 allows 1024 with the store's own prefix
_JOB_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]*")
_STORED = re.compile(r"[0-9a-f]{32}")  # the folder of a job


def object_key(job_id: str, path: bytes) -> str:
    """The key of a file by its path below `/data`. Injective; long names end in a digest of the whole name."""
    parts = [_key_part(part) for part in path.split(b"/")]
    key = "/".join((job_id, *parts))
    if len(key) > _MAX_KEY:
        key = f"{job_id}/{parts[0]}/=-{hashlib.sha256(path).hexdigest()}"
    return key


def _key_part(part: bytes) -> str:
    text = "".join(chr(byte) if byte in _PLAIN else f"={byte:02X}" for byte in part)
    if text in (".", "..", ""):
        raise ValueError("a path has an empty part, or one that leads elsewhere")
    return text if len(text) <= _MAX_PART else f"{text[:100]}=-{hashlib.sha256(part).hexdigest()}"


def asset_folder(token: str) -> str:
    """Where the files of an asset made of results lie, with a manifest like a job's. Whoever has the token may fetch
    them; whoever sees the names in the store has no token. At the top, because on one machine each job writes as a
    user of its own, and would not be let into a folder that another one has made. A token that names its job has a
    folder in that job's own: publishing pods see no other job's results."""
    job_id, dot, _ = token.partition(".")
    digest = hashlib.sha256(token.encode()).hexdigest()
    return f"{ASSET}{job_id}/{digest}" if dot else f"{ASSET}{digest}"


def decision_key(job_id: str, did: str) -> str:
    """Where the decision of a dataset's owner on a job's results lies: one for each dataset, beside the manifest."""
    return f"{job_id}/decisions/{hashlib.sha256(did.encode()).hexdigest()}.dsse.json"


def trust_key(did: str, program: str, account: str, number: int) -> str:
    """Where an owner's statement of trust in an algorithm on his dataset lies, one after the other from 0 on."""
    return f"{TRUST}{hashlib.sha256(did.encode()).hexdigest()}/{program}/{account.lower()}-{number}.dsse.json"


def is_deletable(job_id: str) -> bool:
    """Whether it may be the id of a job: then its folder is nothing else's."""
    return _JOB_ID.fullmatch(job_id) is not None and not job_id.startswith((ASSET, TRUST))


def is_folder_of_job(name: str) -> bool:
    """Whether a folder that the store lists belongs to a job."""
    return _STORED.fullmatch(name) is not None
