"""What the job has published, copied to where its reader wants it; a folder that is there is never written into."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from argo.client.records import Workflow
from client.exits import Unusable
from contract.manifest import MANIFEST_NAME, LeftOut, Manifest, ResultFile, parse_manifest
from provider_api.cli.rehearsal.report import NotPublished, Result
from provider_api.cli.rehearsal.sentences import LEFT_OUT
from provider_api.jobs import ends


def require_free(output: Path | None) -> None:
    """Raises Unusable for a folder that has something in it, before anything runs."""
    if output is None:
        return
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise Unusable(f"--output {output} is there already: name a new folder, or an empty one")


def published(store: Path, workflow: Workflow) -> Manifest | None:
    """The manifest of the job's results; None where nothing was published. Raises ManifestInvalid, OSError."""
    summary = ends.summary_of(workflow)
    if summary is None:
        return None
    encoded = (store / workflow.name / MANIFEST_NAME).read_bytes()
    return parse_manifest(encoded, job_id=workflow.name, digest=summary.digest)


def copy_out(store: Path, files: Iterable[ResultFile], output: Path | None, script: Path) -> Path:
    """Copy them to `output`, or to a new folder here that is named after the script. Returns the folder."""
    target = _new_folder(script) if output is None else output
    target.mkdir(parents=True, exist_ok=True)
    for file in files:
        path = target.joinpath(*PurePosixPath(file.path).parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(store / file.key, path)
    return target


def shown(file: ResultFile) -> Result:
    return Result(index=file.index, path=file.path, size=file.filesize, type=file.type, sha256=file.sha256)


def not_published(entry: LeftOut) -> NotPublished:
    return NotPublished(path=entry.path, code=entry.reason, sentence=LEFT_OUT.get(entry.reason, entry.reason))


def _new_folder(script: Path) -> Path:
    for number in itertools.count(1):
        path = Path(f"c2d-try-{script.stem}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise AssertionError("numbers do not end")
