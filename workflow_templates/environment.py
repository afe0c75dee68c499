"""What an operator says about one compute environment: a small TOML file, read into a typed value.

The file's name is the environment's id. Everything announced to consumers, every limit of its pods and how long its
jobs are remembered comes from here; `render` turns it into a WorkflowTemplate. `options.py` has the options.
"""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Final, Self

from pydantic import ValidationError, field_validator, model_validator

from contract.release import ReleaseRules
from workflow_templates.declaring import announced
from workflow_templates.options import Options
from workflow_templates.parts import KEEP_SECONDS

FOLDER: Final = Path(__file__).parent / "environments"
# A workflow outlives its results by this much: they are written a little before it ends, and removed a little late.
RECORD_MARGIN_SECONDS: Final = 3_600


class EnvironmentInvalid(ValueError):
    """A description that cannot be read. `problems`: one line each, naming the field."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        super().__init__(f"{path}: " + "; ".join(problems))
        self.path, self.problems = path, problems


class Environment(Options):
    """One compute environment: its options, checked together, and what follows from them."""

    @field_validator("allowed_chains", "tolerations", "image_pull_secrets", mode="before")
    @classmethod
    def _lists(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("release", mode="before")
    @classmethod
    def _rules(cls, value: object) -> object:
        """In Python's spelling; TOML has lists only."""
        if not isinstance(value, dict):
            return value
        given = {name: tuple(found) if isinstance(found, list) else found for name, found in value.items()}
        return ReleaseRules.model_validate(given, by_alias=False, by_name=True)

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
    def filtered(self) -> bool:
        return self.filter is not None

    @property
    def publication_chain(self) -> int | None:
        return None if self.publication is None else self.publication.chain_id

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


ANNOUNCED: Final = announced(Environment)


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
