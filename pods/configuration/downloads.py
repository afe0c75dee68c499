"""What has to be downloaded and where it goes: a pure function of the job spec."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from contract.job_spec import Algorithm, InputAsset, JobSpec, ProviderSource, TextSource, UrlSource
from ocean.ddo import publisher_of

ALGORITHM_FILE = "algorithm"
_FOLDER_NAME = re.compile(r"[A-Za-z0-9]{1,128}")


class PlanImpossible(ValueError):
    """The job spec asks for something that cannot be provided. The text has no address in it."""


@dataclass(frozen=True, slots=True)
class Download:
    """One file. `target` is relative to the folder (inputs or transformations); `label` names it in logs."""

    label: str
    target: PurePosixPath
    source: UrlSource | TextSource | ProviderSource = field(repr=False)
    sha256: str | None = None  # lower-case hex; None: any bytes will do
    publisher: str | None = None  # whose file it is, canonical; None: nobody has published it


@dataclass(frozen=True, slots=True)
class PlannedInput:
    did: str
    service_id: str
    folder: str
    downloads: tuple[Download, ...]


def plan_inputs(spec: JobSpec) -> tuple[PlannedInput, ...]:
    """Inputs in order. The first service of a DID gets the folder that algorithms expect (the DID without `did:op:`),
    a further one of the same DID a folder beside it, `DID-2`, `DID-3`, …, where Ocean's pod overwrote the first.

    Raises PlanImpossible.
    """
    planned = []
    count: dict[str, int] = {}
    for asset in spec.inputs:
        bare = folder_of(asset.did)
        count[bare] = count.get(bare, 0) + 1
        folder = bare if count[bare] == 1 else f"{bare}-{count[bare]}"
        planned.append(PlannedInput(asset.did, asset.service_id, folder, _input_downloads(asset, folder)))
    return tuple(planned)


def plan_algorithm(algorithm: Algorithm) -> tuple[Download, ...]:
    """The algorithm's files: `algorithm`, then `1`, `2`, …; none for raw code. Raises PlanImpossible."""
    if algorithm.rawcode is not None:
        return ()
    if not algorithm.files:
        raise PlanImpossible("the algorithm has neither code nor files")
    if algorithm.sha256 and len(algorithm.sha256) != len(algorithm.files):
        raise PlanImpossible("the algorithm has another number of files than expected")
    return tuple(
        Download(
            label=f"algorithm, file {position}",
            target=PurePosixPath(ALGORITHM_FILE if position == 0 else str(position)),
            source=source,
            sha256=algorithm.sha256[position].lower() if algorithm.sha256 else None,
            publisher=publisher_of(algorithm.ddo) if algorithm.ddo is not None else None,
        )
        for position, source in enumerate(algorithm.files)
    )


def folder_of(did: str) -> str:
    """The DID without `did:op:`, as the name of a file or folder. Raises PlanImpossible for anything else."""
    bare = did.removeprefix("did:op:")
    if not _FOLDER_NAME.fullmatch(bare):
        raise PlanImpossible("an asset's identifier cannot be the name of a folder")
    return bare


def input_index(planned: tuple[PlannedInput, ...], sizes: Mapping[PurePosixPath, int]) -> dict[str, Any]:
    """Which folder below `inputs` has which service's files, in the order of the request. It lies beside the start
    script: public algorithms take whatever they find below `inputs` for a dataset."""
    return {
        "version": 1,
        "inputs": [
            {
                "did": asset.did,
                "serviceId": asset.service_id,
                "folder": asset.folder,
                "files": [{"path": str(item.target), "size": sizes[item.target]} for item in asset.downloads],
            }
            for asset in planned
        ],
    }


def _input_downloads(asset: InputAsset, folder: str) -> tuple[Download, ...]:
    if not asset.files:
        raise PlanImpossible(f"{asset.did} has no files")
    return tuple(
        Download(
            label=f"{asset.did}, file {position}",
            target=PurePosixPath(folder, str(position)),
            source=source,
            publisher=publisher_of(asset.ddo),
        )
        for position, source in enumerate(asset.files)
    )
