"""The datasets and the algorithm of a rehearsal as assets: what a job finds below /data/inputs and /data/ddos.

A file is a dataset of its own; a folder is one dataset of several files, in the order of their names.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from client.exits import Unusable
from contract.release import ReleaseRules, RulesUnreadable, read_rules
from ocean.ddo import DDO, DDOMalformed, Service
from ocean.did import PREFIX, is_did
from provider_api.access.image import AlgorithmContainer
from provider_api.cli.rehearsal.wanted import Wanted

_MOST_DOCUMENT_BYTES: Final = 1 << 20
_NOBODY: Final = "0x" + "0" * 40
_CHAIN_ID: Final = 8996  # of Ocean's development chains
_SINCE: Final = "2000-01-01T00:00:00"  # so that two rehearsals see the same documents


@dataclass(frozen=True, slots=True)
class Dataset:
    """One dataset. `service`: the compute service of its document."""

    did: str
    document: dict[str, Any]
    service: Service
    files: tuple[Path, ...]
    release: ReleaseRules

    @property
    def allows_network(self) -> bool:
        return self.service.compute is not None and self.service.compute.allow_network_access is True


def read_datasets(wanted: Wanted) -> tuple[Dataset, ...]:
    """Raises Unusable."""
    if not wanted.data:
        raise Unusable("no data: name at least one file with --data")
    if len(wanted.documents) > len(wanted.data):
        raise Unusable("more documents (--ddo) than datasets (--data): the first document belongs to the first dataset")
    found = []
    for place, path in enumerate(wanted.data):
        document = (
            _read_document(wanted.documents[place])
            if place < len(wanted.documents)
            else made_document("dataset", f"{place} {path.name}", path.name)
        )
        found.append(_dataset(document, _files(path), path))
    if len({dataset.did for dataset in found}) < len(found):
        raise Unusable("two datasets have the same document; a job names each dataset once")
    return tuple(found)


def made_document(kind: str, token: str, name: str, algorithm: dict[str, Any] | None = None) -> dict[str, Any]:
    """A document as a metadata store has it, of an asset that no chain knows. The same token gives the same DID."""
    did = PREFIX + hashlib.sha256(f"c2d try: {kind} {token}".encode(errors="surrogateescape")).hexdigest()
    service: dict[str, Any] = {
        "id": "main",
        "type": "compute",
        "files": "",
        "datatokenAddress": _NOBODY,
        "serviceEndpoint": "",
        "timeout": 0,
        "compute": {
            "allowRawAlgorithm": False,
            "allowNetworkAccess": False,
            "publisherTrustedAlgorithmPublishers": [],
            "publisherTrustedAlgorithms": [],
        },
    }
    metadata: dict[str, Any] = {
        "created": _SINCE,
        "updated": _SINCE,
        "type": kind,
        "name": _text(name),
        "description": "An asset of a rehearsal on one machine",
        "author": "c2d try",
        "license": "",
    }
    return {
        "@context": ["https://w3id.org/did/v1"],
        "id": did,
        "version": "4.1.0",
        "chainId": _CHAIN_ID,
        "nftAddress": _NOBODY,
        "metadata": metadata | ({"algorithm": algorithm} if algorithm else {}),
        "services": [service],
    }


def algorithm_document(script: Path, container: AlgorithmContainer) -> dict[str, Any]:
    section = {
        "language": _text(script.suffix.removeprefix(".")),
        "version": "0.1",
        "container": {
            "entrypoint": container.entrypoint,
            "image": container.image,
            "tag": container.tag,
            "checksum": container.checksum,
        },
    }
    return made_document("algorithm", script.name, script.name, section)


def _text(name: str) -> str:
    """Names of files need not be text; documents are."""
    return name.encode(errors="replace").decode()


def _dataset(document: dict[str, Any], files: tuple[Path, ...], path: Path) -> Dataset:
    try:
        ddo = DDO.parse(document)
    except DDOMalformed as exc:
        raise Unusable(f"the document for {path}: {exc}") from None
    if not is_did(ddo.id):
        raise Unusable(f"the document for {path} has no DID: {ddo.id!r} is not did:op: and 64 hexadecimal digits")
    service = next((each for each in ddo.services if each.type == "compute"), None)
    if service is None:
        raise Unusable(f"the document for {path} has no compute service, so no job may run on that dataset")
    information = service.additional_information
    try:
        rules = read_rules(information.get("release") if isinstance(information, dict) else None)
    except RulesUnreadable as exc:
        raise Unusable(f"the document for {path}: its release rules cannot be read: {exc}") from None
    return Dataset(ddo.id, {name: value for name, value in document.items() if name != "stats"}, service, files, rules)


def _read_document(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_DOCUMENT_BYTES:
            raise Unusable(f"{path} is larger than any asset's document")
        return DDO.parse(path.read_bytes()).document()
    except OSError as exc:
        raise Unusable(f"{path} cannot be read: {exc.strerror}") from None
    except DDOMalformed as exc:
        raise Unusable(f"{path}: {exc}") from None


def _files(path: Path) -> tuple[Path, ...]:
    if not path.is_dir():
        return (readable_file(path),)
    try:
        entries = sorted(path.iterdir(), key=lambda entry: os.fsencode(entry.name))
    except OSError as exc:
        raise Unusable(f"{path} cannot be read: {exc.strerror}") from None
    if not entries:
        raise Unusable(f"{path} is an empty folder; a dataset has at least one file")
    if folder := next((entry for entry in entries if entry.is_dir()), None):
        raise Unusable(f"{path} has a folder in it, {folder.name}; a dataset is one file, or a folder of files")
    return tuple(readable_file(entry) for entry in entries)


def readable_file(path: Path) -> Path:
    """The path from the root. Raises Unusable for what is no file that we may read."""
    if not path.exists():
        raise Unusable(f"{path}: there is no such file")
    if not path.is_file():
        raise Unusable(f"{path} is not a file")
    if not os.access(path, os.R_OK):
        raise Unusable(f"{path} may not be read by this user")
    return path.absolute()
