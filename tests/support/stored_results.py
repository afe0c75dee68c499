"""Files in a result store that is a folder, as the publishing pod puts them there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from contract.manifest import Manifest, ResultFile
from contract.provenance import Provisioned


def store_files(
    results: Path,
    name: str,
    files: Sequence[tuple[str, bytes, str]],
    *,
    created: int = 1,
    provisioned: Provisioned | None = None,
) -> Manifest:
    """Those of one job, or of one asset, `name`: each with its name, content and type. `created`: Unix seconds."""
    folder = results / name
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for index, (filename, content, kind) in enumerate(files):
        (folder / str(index)).write_bytes(content)
        entries.append(
            ResultFile(
                index=index, path=f"outputs/{filename}", filename=filename, filesize=len(content),
                sha256=hashlib.sha256(content).hexdigest(), type=kind, content_type="text/csv",  # type: ignore[arg-type]
                key=f"{name}/{index}",
            )
        )  # fmt: skip
    manifest = Manifest(job_id=name, created=created, complete=True, files=tuple(entries), provisioned=provisioned)
    (folder / "manifest.json").write_bytes(manifest.encoded())
    return manifest
