"""The manifest of a job's results: what was published, in which order, and what was left out.

It lies in the result store beside the files, as `{job id}/manifest.json`, and is written after all of them. The
publishing step's output parameter has its digest (`Summary`), so a reader trusts the workflow, not the store.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict

from contract.provenance import Provisioned

MANIFEST_NAME = "manifest.json"
MAX_SUMMARY_FILES_BYTES = 16 * 1024  # of the list in the output parameter; a longer list stands only in the manifest
MAX_MANIFEST_BYTES = 64 * 1024 * 1024  # read at most

# The third one is spelled as Ocean's clients spell it.
ResultType = Literal["output", "algorithmLog", "configrationLog", "filteringLog", "publishLog"]


# Of the steps of ours: nothing of an algorithm is in them. First in the list where results may wait for their owners.
OWN_LOGS: frozenset[ResultType] = frozenset({"configrationLog", "filteringLog", "publishLog"})


class _Value(BaseModel):
    """What a later release adds is left alone: the digest in Argo's record says that nobody else has."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ResultFile(_Value):
    """One published file. Its place in the list is the index by which a consumer asks for it."""

    index: int
    path: str  # below /data: outputs/…, logs/…, adminlogs/…; odd bytes of names are written as \xNN
    filename: str  # last part of the path
    filesize: int  # bytes
    sha256: str  # lower-case hex
    type: ResultType
    content_type: str
    key: str  # where the store has it


class LeftOut(_Value):
    """Something in outputs or logs that was not published. `path` as above, "" for "and further ones"."""

    path: str
    # link, special_file, unreadable, hard_link, too_deep, too_large (with it there were more bytes than the
    # environment publishes of a job), too_many, changed, upload_failed, store_full, log_cut (only the beginning is
    # there); once, for everything that a filter did not release: withheld
    reason: str


class RunNote(_Value):
    """When the start script saw the algorithm start and end. The algorithm can rewrite it: informative only."""

    started: int | None = None  # Unix seconds
    finished: int | None = None
    exit_code: int | None = None


class Manifest(_Value):
    version: Literal[1] = 1
    job_id: str
    created: int  # Unix seconds
    complete: bool  # False: a file that should be here did not reach the store
    files: tuple[ResultFile, ...]
    left_out: tuple[LeftOut, ...] = ()
    run: RunNote | None = None
    provisioned: Provisioned | None = None  # None: configuration did not come so far, or no passport is made

    def encoded(self) -> bytes:
        return self.model_dump_json(exclude={"provisioned"} if self.provisioned is None else None).encode()


class ManifestInvalid(ValueError):
    """The bytes in the store are not the manifest that the publishing step wrote."""


class FileSummary(_Value):
    """What the list of results says of one file."""

    index: int
    filename: str
    filesize: int
    type: ResultType
    path: str = ""  # as the manifest has it; "" from an older version, as the next
    sha256: str = ""


class Summary(BaseModel):
    """The output parameter. `digest`: SHA-256 of the manifest's bytes. `files`: None where the list, and what was
    provisioned, is too long together: then both stand in the manifest only."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    digest: str
    count: int
    files: tuple[FileSummary, ...] | None = None
    did: str | None = None  # of the asset that the outputs have become
    not_published: str | None = None  # why they have become none, although it was wanted: a code of `pods.publication`
    # What the start script noted: an Ending of `pods.start_script`, "never" if it has not begun, "begun" if it was
    # killed before it could tell more. None: an older version. The algorithm can write the note: a hint, no proof.
    run: str | None = None
    provisioned: Provisioned | None = None  # as the manifest has it
    withheld: bool = False  # the results met not all release rules

    def encoded(self) -> str:
        return self.model_dump_json(exclude_none=True, exclude=None if self.withheld else {"withheld"})


def summary_of(
    manifest: Manifest,
    encoded: bytes,
    *,
    did: str | None = None,
    not_published: str | None = None,
    run: str | None = None,
    withheld: bool = False,
) -> Summary:
    """The output parameter for a manifest and its bytes; with the list only while that is under 16 kB."""
    files = tuple(
        FileSummary(
            index=file.index,
            filename=file.filename,
            filesize=file.filesize,
            type=file.type,
            path=file.path,
            sha256=file.sha256,
        )
        for file in manifest.files
    )
    provisioned = manifest.provisioned
    size = sum(len(file.model_dump_json().encode()) + 1 for file in files)
    size += len(provisioned.model_dump_json().encode()) if provisioned is not None else 0
    short = size < MAX_SUMMARY_FILES_BYTES
    return Summary(
        digest=digest_of(encoded),
        count=len(files),
        files=files if short else None,
        did=did,
        not_published=not_published,
        run=run,
        provisioned=provisioned if short else None,
        withheld=withheld,
    )


def parse_summary(text: str) -> Summary:
    """Raises ManifestInvalid."""
    try:
        return Summary.model_validate_json(text)
    except ValueError:
        raise ManifestInvalid("the summary of the results has a form that this version does not know") from None


def digest_of(encoded: bytes) -> str:
    return hashlib.sha256(encoded).hexdigest()


def parse_manifest(encoded: bytes, *, job_id: str, digest: str | None) -> Manifest:
    """Raises ManifestInvalid. `digest` None: not compared (no summary is known)."""
    if digest is not None and digest_of(encoded) != digest:
        raise ManifestInvalid("the manifest in the result store is not the one that was published")
    try:
        manifest = Manifest.model_validate_json(encoded)
    except ValueError:
        raise ManifestInvalid("the manifest has a form that this version does not know") from None
    if manifest.job_id != job_id or any(file.index != place for place, file in enumerate(manifest.files)):
        raise ManifestInvalid("the manifest is of another job, or its list has gaps")
    prefix = job_id + "/"
    if not all(file.key.startswith(prefix) for file in manifest.files):
        raise ManifestInvalid("the manifest names files of another job")
    return manifest
