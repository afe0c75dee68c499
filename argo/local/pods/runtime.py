"""What the controller asks of whatever runs pods: a narrow interface, so that the isolation can be read on its own.

A pod lives in a folder of its own. Everything that must survive a kill of the server (the spec, the process that
watches the pod, its log, its end) is a file in there, written durably; the runtime keeps nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Mount:
    source: Path  # on this machine; exists before the pod starts
    target: str  # absolute path in the pod
    read_only: bool


@dataclass(frozen=True, slots=True)
class Limits:
    memory_bytes: int = 1 << 30  # of all processes together, as far as the machine allows
    processes: int = 256
    file_bytes: int = 16 << 30  # one file
    tmp_bytes: int = 256 << 20  # /tmp, which is memory
    log_bytes: int = 64 << 20  # the captured streams
    scratch_bytes: int = 0  # what may be written to the root of the file system, which is memory; 0: it is read-only


@dataclass(frozen=True, slots=True)
class Container:
    """`command` + `args` are run as they are; nothing of the image's own start-up is used."""

    image: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    mounts: tuple[Mount, ...]
    working_dir: str = "/"


@dataclass(frozen=True, slots=True)
class VolumeLimit:
    """How much a folder that the pod writes to may take of the disk; `limit` is the text of the manifest."""

    path: Path
    bytes: int
    name: str
    limit: str


@dataclass(frozen=True, slots=True)
class PodSpec:
    name: str
    main: Container
    init: tuple[Container, ...] = ()  # run one after the other before main; a failure ends the pod
    network: bool = False  # False: a network namespace of its own with nothing but loopback
    limits: Limits = Limits()
    volumes: tuple[VolumeLimit, ...] = ()  # watched while it runs; a pod that takes more is ended as "out_of_disk"
    deadline_seconds: float | None = None  # from the start of the pod; enforced although the server may be away
    grace_seconds: float = 30.0  # between SIGTERM and SIGKILL


@dataclass(frozen=True, slots=True)
class PodEnd:
    """How a pod ended. `code`: exit code of main (128+n for a signal), None when it never ran or could not be seen."""

    why: Literal["exited", "stopped", "deadline", "out_of_memory", "out_of_disk", "init_failed", "setup_failed", "lost"]
    code: int | None
    message: str  # for out_of_disk, init_failed and setup_failed: what went wrong, one line
    started_at: float | None  # Unix seconds; None: main never started
    finished_at: float


@dataclass(frozen=True, slots=True)
class PodStatus:
    """`state`: absent (no such pod), starting, running, ended."""

    state: Literal["absent", "starting", "running", "ended"]
    started_at: float | None = None
    end: PodEnd | None = None


class ImageUnavailable(Exception):
    """This machine has nothing to run that image with."""

    def __init__(self, image: str, reason: str) -> None:
        super().__init__(f"{image}: {reason}")
        self.image, self.reason = image, reason


class PodRuntime(Protocol):
    """All methods are quick and may be called again after a restart of the server with the same folder."""

    def require_image(self, image: str) -> None:
        """Raises ImageUnavailable."""

    def image_names(self) -> tuple[str, ...]:
        """All images that can be run at this moment: repositories, or exact references."""

    def start(self, folder: Path, spec: PodSpec) -> None:
        """Start the pod once; a folder that was started already is left alone. Raises ImageUnavailable, OSError."""

    def status(self, folder: Path) -> PodStatus:
        """What the files in the folder say now. A pod whose watcher died is ended as "lost" here."""

    async def wait(self, folder: Path) -> PodStatus:
        """Return when the status is no longer what it was at the call (starting -> running -> ended)."""

    def stop(self, folder: Path) -> None:
        """Ask the pod to end: SIGTERM, then SIGKILL after its grace period. Returns at once; also before it started."""

    def kill(self, folder: Path) -> None:
        """End everything of the pod now."""

    def log_path(self, folder: Path) -> Path:
        """The captured output of main, both streams in order; may not exist yet."""

    def remove(self, folder: Path) -> None:
        """Kill what is left of the pod and remove its folder."""

    def prepare_volume(self, path: Path, *, shared: bool = False) -> None:
        """Make the folder of a volume and let pods write to it. `shared`: a volume that pods of several jobs mount."""

    def take_over(self, shared: Path, volume: Path) -> None:
        """The pods of `volume` have ended: what they have put into a shared volume is the server's from now on."""
