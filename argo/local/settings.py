"""What the single-machine server needs to know. Everything it keeps lies below one data folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class LocalArgoSettings(BaseModel):
    """Given by whoever starts the server; nothing is read from the environment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path  # made if missing, only for this user; holds argo.db, token, pods/, files/, volumes/, secrets/
    namespace: str = "jobs"
    host: str = "127.0.0.1"
    port: int = Field(default=2746, ge=0, le=65535)  # 0: any free port
    token_file: Path | None = None  # default data/token; made with a random token if missing, mode 0600
    templates: tuple[Path, ...] = ()  # manifest files, or folders of *.yaml; read again when they change
    secrets: Path | None = None  # default data/secrets: one folder per Secret, one file per key
    claims: Mapping[str, Path] = Field(default_factory=dict)  # persistentVolumeClaim name -> folder
    step_image: str | None = None  # default: the name in the manifests
    images: Mapping[str, Path] = Field(default_factory=dict)  # image name -> unpacked root folder
    image_register: Path | None = None  # TOML file with more of them, read again when it changes
    machine_images: tuple[str, ...] = ()  # further names for this machine's programs
    unsandboxed_images: tuple[str, ...] = ()  # may run as plain processes, with isolation "process"
    isolation: Literal["sandbox", "process"] = "sandbox"
    wait_for_images: bool = False  # as a cluster does, in case it is there later; else such a pod fails at once
    reserve_bytes: int = Field(default=1 << 30, ge=0)  # free disk, for us and for results, under which no pod starts
    allow_network: bool = False  # may an algorithm with network "public" reach the network (and this machine)?

    @property
    def token_path(self) -> Path:
        return self.token_file or self.data / "token"

    @property
    def secrets_folder(self) -> Path:
        return self.secrets or self.data / "secrets"
