"""A step's settings: the environment variables that the environment's template gives to its containers.

All paths come from here, because on the single-machine server without a sandbox the volume lies elsewhere than `/data`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contract.release import NO_RULES, ReleaseRules, read_rules
from ocean.kit.kubernetes_names import is_subdomain

GIB = 1 << 30


class SettingsInvalid(ValueError):
    """A variable is missing or has no sense. The fault of whoever wrote the template, never of a consumer."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Volume:
    """The folders of a job's volume. `root` is also what the algorithm reads as `VOLUME`."""

    root: Path

    @property
    def inputs(self) -> Path:
        return self.root / "inputs"

    @property
    def ddos(self) -> Path:
        return self.root / "ddos"

    @property
    def transformations(self) -> Path:
        return self.root / "transformations"

    @property
    def outputs(self) -> Path:
        return self.root / "outputs"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def start(self) -> Path:
        return self.root / "start"

    @property
    def adminlogs(self) -> Path:
        return self.root / "adminlogs"

    @property
    def publication(self) -> Path:
        """What is to become an asset, and how far that has come; no algorithm and no filter ever has it mounted."""
        return self.root / "publication"

    @property
    def record(self) -> Path:
        """What a job's passport says of its inputs; no algorithm and no filter ever has it mounted."""
        return self.root / "record"

    @property
    def released(self) -> Volume:
        """The copy of outputs and logs that a filter judges; an algorithm never has it mounted."""
        return Volume(self.root / "released")


@dataclass(frozen=True, slots=True)
class ConfigurationSettings:
    job_id: str  # C2D_JOB_ID, the workflow's name
    environment: str  # C2D_ENVIRONMENT
    volume: Volume  # C2D_DATA
    job_spec: Path  # C2D_JOB_SPEC, the sealed job spec (base64)
    keys: Path  # C2D_KEYS, folder with environment.key and service.pub
    image: str  # C2D_IMAGE, the algorithm's image as the workflow has it
    seconds: int  # C2D_SECONDS, outer limit of the algorithm's run time
    network: str  # C2D_NETWORK, none | public
    parallel_downloads: int = 6  # C2D_PARALLEL_DOWNLOADS; every file has a connection of its own
    download_attempts: int = 5  # C2D_DOWNLOAD_ATTEMPTS, in a row without any progress, before a file is given up
    # Output parameters; None: the workflow's template has none of them.
    outer_seconds: Path | None = None  # C2D_OUTER_SECONDS: how long Argo may let the algorithm's pod live
    limits: Path | None = None  # C2D_LIMITS: what the algorithm may run, as JSON


@dataclass(frozen=True, slots=True)
class FilteringSettings:
    volume: Volume  # C2D_DATA
    max_files: int = 10_000  # C2D_MAX_OUTPUT_FILES, as publishing's
    max_bytes: int = 64 * GIB  # C2D_MAX_OUTPUT_BYTES, as publishing's


@dataclass(frozen=True, slots=True)
class PublicationSettings:
    """Of an environment in which results may become assets."""

    facts: Path  # C2D_PUBLICATION, folder with publication.json and publisher.key
    chain_id: int  # C2D_PUBLICATION_CHAIN
    compute_ended: str  # C2D_COMPUTE_ENDED, how configuration and algorithm ended, in Argo's words
    seconds: int  # C2D_PUBLISHING_SECONDS, after which Argo ends the pod, and what is not published by then is lost


@dataclass(frozen=True, slots=True)
class PublishingSettings:
    job_id: str  # C2D_JOB_ID
    environment: str  # C2D_ENVIRONMENT
    volume: Volume  # C2D_DATA
    store: Path  # C2D_STORE, folder with store.json (`results.store`)
    results: Path  # C2D_RESULTS, output parameter: where the summary is written
    release: str | None = None  # C2D_RELEASE, how filtering ended; None: this environment has no filter
    max_files: int = 10_000  # C2D_MAX_OUTPUT_FILES; further files are named as left out
    # C2D_MAX_OUTPUT_BYTES, of all outputs together. A sparse file counts with its apparent size, because that is what
    # a store keeps and a consumer downloads. Files that do not fit are named as left out.
    max_bytes: int = 64 * GIB
    parallel_uploads: int = 4  # C2D_PARALLEL_UPLOADS; each needs about 16 MiB of memory
    # C2D_STORE_RESERVE_BYTES: what a store in a folder keeps free; files that would use it are told as not published
    reserve_bytes: int = 0
    rules: ReleaseRules = NO_RULES  # C2D_RELEASE_RULES, JSON: those of the environment; datasets have more
    publication: PublicationSettings | None = None  # None: results do not become assets here


def read_configuration_settings(environ: Mapping[str, str]) -> ConfigurationSettings:
    """Raises SettingsInvalid."""
    return ConfigurationSettings(
        job_id=_job_id(environ),
        environment=_text(environ, "C2D_ENVIRONMENT"),
        volume=Volume(_path(environ, "C2D_DATA")),
        job_spec=_path(environ, "C2D_JOB_SPEC"),
        keys=_path(environ, "C2D_KEYS"),
        image=_text(environ, "C2D_IMAGE"),
        seconds=_number(environ, "C2D_SECONDS"),
        network=_text(environ, "C2D_NETWORK"),
        parallel_downloads=_number(environ, "C2D_PARALLEL_DOWNLOADS", 6),
        download_attempts=_number(environ, "C2D_DOWNLOAD_ATTEMPTS", 5),
        outer_seconds=_path(environ, "C2D_OUTER_SECONDS") if "C2D_OUTER_SECONDS" in environ else None,
        limits=_path(environ, "C2D_LIMITS") if "C2D_LIMITS" in environ else None,
    )


def read_filtering_settings(environ: Mapping[str, str]) -> FilteringSettings:
    """Raises SettingsInvalid."""
    return FilteringSettings(
        volume=Volume(_path(environ, "C2D_DATA")),
        max_files=_number(environ, "C2D_MAX_OUTPUT_FILES", 10_000),
        max_bytes=_number(environ, "C2D_MAX_OUTPUT_BYTES", 64 * GIB),
    )


def read_publishing_settings(environ: Mapping[str, str]) -> PublishingSettings:
    """Raises SettingsInvalid."""
    return PublishingSettings(
        job_id=_job_id(environ),
        environment=_text(environ, "C2D_ENVIRONMENT"),
        volume=Volume(_path(environ, "C2D_DATA")),
        store=_path(environ, "C2D_STORE"),
        results=_path(environ, "C2D_RESULTS"),
        release=environ.get("C2D_RELEASE"),
        max_files=_number(environ, "C2D_MAX_OUTPUT_FILES", 10_000),
        max_bytes=_number(environ, "C2D_MAX_OUTPUT_BYTES", 64 * GIB),
        parallel_uploads=_number(environ, "C2D_PARALLEL_UPLOADS", 4),
        reserve_bytes=_number(environ, "C2D_STORE_RESERVE_BYTES", 0, least=0),
        rules=_rules(environ),
        publication=_publication(environ),
    )


def _rules(environ: Mapping[str, str]) -> ReleaseRules:
    try:
        return read_rules(json.loads(environ.get("C2D_RELEASE_RULES", "null")))
    except ValueError:
        raise SettingsInvalid("C2D_RELEASE_RULES", "has no release rules") from None


def _publication(environ: Mapping[str, str]) -> PublicationSettings | None:
    if "C2D_PUBLICATION" not in environ:
        return None
    return PublicationSettings(
        facts=_path(environ, "C2D_PUBLICATION"),
        chain_id=_number(environ, "C2D_PUBLICATION_CHAIN"),
        compute_ended=_text(environ, "C2D_COMPUTE_ENDED"),
        seconds=_number(environ, "C2D_PUBLISHING_SECONDS"),
    )


def _text(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise SettingsInvalid(name, "is not set")
    return value


def _path(environ: Mapping[str, str], name: str) -> Path:
    path = Path(_text(environ, name))
    if not path.is_absolute():
        raise SettingsInvalid(name, "is not an absolute path")
    return path


def _number(environ: Mapping[str, str], name: str, default: int | None = None, *, least: int = 1) -> int:
    value = environ.get(name, "") if default is None else environ.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,15}", value) or int(value) < least:
        raise SettingsInvalid(name, f"is not a whole number, at least {least}")
    return int(value)


def _job_id(environ: Mapping[str, str]) -> str:
    value = _text(environ, "C2D_JOB_ID")
    if not is_subdomain(value):
        raise SettingsInvalid("C2D_JOB_ID", "is not the name of a workflow")
    return value
