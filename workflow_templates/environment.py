"""What an operator says about one compute environment: a small TOML file, read into a typed value.

The file's name is the environment's id. Everything announced to consumers, every limit of its pods and how long its
jobs are remembered comes from here; `render` turns it into a WorkflowTemplate.
"""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from contract import names
from ocean.kit.kubernetes_names import LABEL, SUBDOMAIN

FOLDER: Final = Path(__file__).parent / "environments"

_QUANTITY: Final = r"^[1-9][0-9]*(m|Ki|Mi|Gi)?$"
_ADDRESS: Final = r"^0x[0-9a-fA-F]{40}$"
_DECIMAL: Final = r"^(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?$"

# Storage expiry 0 means "for ever". The workflow is the only record of its results, so it has to stay as long;
# Argo wants a number, and ten years are longer than a cluster lives.
KEEP_SECONDS: Final = 10 * 365 * 86_400
# A workflow outlives its results by this much: they are written a little before it ends, and removed a little late.
RECORD_MARGIN_SECONDS: Final = 3_600

Seconds = Annotated[int, Field(gt=0, le=KEEP_SECONDS)]
Quantity = Annotated[str, Field(pattern=_QUANTITY)]  # as Kubernetes writes amounts: 500m, 2, 512Mi


class EnvironmentInvalid(ValueError):
    """A description that cannot be read. `problems`: one line each, naming the field."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        super().__init__(f"{path}: " + "; ".join(problems))
        self.path, self.problems = path, problems


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StepPods(_Value):
    """The pods of our own programs, configuration and publishing."""

    cpu: Quantity = "1"
    memory: Quantity = "512Mi"
    tmp: Quantity = "64Mi"  # /tmp, the only writable folder beside the job's volume
    configuration_seconds: Seconds = 3_600  # all downloads of one attempt
    publishing_seconds: Seconds = 3_600  # all uploads of one attempt


class Filter(_Value):
    """The operator's own program that sees a job's results before anybody else, and may withhold or rewrite them.

    It runs without a network as `command` in `image`, which needs `sh` and `tee`.
    """

    image: str = Field(min_length=1, max_length=500)
    command: tuple[str, ...] = Field(min_length=1, max_length=100)
    cpu: Quantity = "1"
    memory: Quantity = "512Mi"
    tmp: Quantity = "64Mi"
    seconds: Seconds = 3_600  # one attempt, copying the results included

    @field_validator("command", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _literal(self) -> Self:
        if any("{{" in text or "\0" in text for text in (self.image, *self.command)):
            raise ValueError("image and command must be text without {{")
        return self


class Publication(_Value):
    """A consumer may ask that a job's outputs become a new asset: on this chain, by the account in this Secret."""

    chain_id: int = Field(ge=1)
    secret: str = Field(default=names.PUBLICATION_SECRET, pattern=f"^{SUBDOMAIN}$")


class Environment(_Value):
    """One compute environment."""

    id: str = Field(pattern=f"^{LABEL}$")  # the template's name, a label value and a ConfigMap key
    description: str = Field(max_length=500)

    # what a job gets, and what is announced
    cpu_number: int = Field(ge=1, le=1024)
    cpu_type: str = Field(default="", max_length=100)
    gpu_number: int = Field(default=0, ge=0, le=64)
    gpu_type: str = Field(default="", max_length=100)
    gpu_resource: str = Field(default="nvidia.com/gpu", pattern=r"^[a-z0-9.-]+/[a-z0-9.-]+$")  # Kubernetes' name for it
    ram_gb: int = Field(ge=1, le=65_536)  # of 2^30 bytes
    disk_gb: int = Field(ge=1, le=65_536)  # of 2^30 bytes: the job's volume, inputs and outputs together
    tmp: Quantity = "1Gi"  # the algorithm's /tmp

    price_per_minute: str = Field(pattern=_DECIMAL)  # whole fee tokens, decimal text: binary fractions are no money
    max_job_duration: Seconds
    max_jobs: int = Field(ge=1, le=10_000)  # that run at once
    max_queued_jobs: int = Field(ge=0, le=100_000)  # that may wait for one of those places
    # Unfinished jobs of one account, running and waiting; None: a quarter of the places, at least one.
    max_jobs_per_account: int | None = Field(default=None, ge=1, le=110_000)
    position: int = Field(default=100, ge=0, le=10_000)  # smaller ones are announced first; some clients take the first
    allowed_chains: tuple[int, ...] = ()  # empty: every chain

    # how long things last, in seconds
    storage_expiry: int = Field(ge=0, le=KEEP_SECONDS)  # of results; 0: kept for ever
    pending_timeout: Seconds = 300  # a pod that has not started by then never will: image missing, no room

    results: Literal["shared-volume", "object-store"] = "shared-volume"
    storage_class: str | None = Field(default=None, pattern=f"^{SUBDOMAIN}$")
    steps: StepPods = StepPods()
    filter: Filter | None = None  # None: results are published as they are
    publication: Publication | None = None  # None: results do not become assets

    # belong to keys that a deployment makes, so normally set there (overlay, or the service on one machine)
    consumer_address: str | None = Field(default=None, pattern=_ADDRESS)
    box_public_key: str | None = Field(default=None, pattern=r"^[A-Za-z0-9+/]{43}=$")

    # of 2^30 bytes: the most that is published of one job, outputs and logs together; None: `disk_gb`
    max_results_gb: int | None = Field(default=None, ge=1, le=65_536)
    # of 2^30 bytes: on a shared volume, what publishing leaves free for everybody's logs and manifests
    results_reserve_gb: int = Field(default=1, ge=0, le=65_536)
    # None: an algorithm writes to its folders and /tmp alone; else how much it may write anywhere in its image's files
    scratch_root: Quantity | None = None

    @field_validator("allowed_chains", mode="before")
    @classmethod
    def _chains(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("description", "cpu_type", "gpu_type")
    @classmethod
    def _plain_text(cls, value: str) -> str:
        if "{{" in value or re.search(r"[\x00-\x1f\x7f]", value):
            raise ValueError("must be one line of text without {{")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if any(chain < 1 for chain in self.allowed_chains):
            raise ValueError("allowed_chains: chain ids are positive numbers")
        if bool(self.gpu_number) != bool(self.gpu_type):
            raise ValueError("gpu_number and gpu_type go together")
        return self

    @property
    def price(self) -> Decimal:
        return Decimal(self.price_per_minute)

    @property
    def most_results_gb(self) -> int:
        return self.disk_gb if self.max_results_gb is None else self.max_results_gb

    @property
    def jobs_per_account(self) -> int:
        """How many unfinished jobs one account may have."""
        if self.max_jobs_per_account is not None:
            return self.max_jobs_per_account
        return max(1, (self.max_jobs + self.max_queued_jobs) // 4)

    @property
    def record_seconds(self) -> int:
        """How long Argo keeps a finished workflow: never shorter than its results are kept."""
        return self.storage_expiry + RECORD_MARGIN_SECONDS if self.storage_expiry else KEEP_SECONDS


def read_environment(path: Path) -> Environment:
    """Read one file. Raises EnvironmentInvalid."""
    try:
        environment = Environment.model_validate(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as exc:
        problems = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in exc.errors()]
        raise EnvironmentInvalid(path, problems) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise EnvironmentInvalid(path, [str(exc)]) from exc
    if environment.id != path.stem:
        raise EnvironmentInvalid(path, [f"id: is {environment.id!r}, but the file is named {path.stem!r}"])
    return environment


def read_environments(folder: Path = FOLDER) -> tuple[Environment, ...]:
    """All environments of a folder, at least one, sorted by id. Raises EnvironmentInvalid.

    A folder without any is an error, because what is rendered of none removes all that is deployed.
    """
    if not folder.is_dir():
        raise EnvironmentInvalid(folder, ["there is no such folder"])
    found = tuple(read_environment(path) for path in sorted(folder.glob("*.toml")))
    if not found:
        raise EnvironmentInvalid(folder, ["the folder has no description of an environment (NAME.toml)"])
    return tuple(sorted(found, key=lambda environment: environment.id))
