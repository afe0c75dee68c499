"""Running pods in tests: start, wait for the end with a deadline, read the log."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo.local.pods import SandboxRuntime
from argo.local.pods.runtime import Container, Mount, PodEnd, PodSpec


@dataclass(frozen=True)
class Ran:
    end: PodEnd
    log: str
    folder: Path


class Pods:
    """A runtime with a data folder that is closed to others, as the server keeps it."""

    def __init__(self, runtime: SandboxRuntime, base: Path) -> None:
        self.runtime, self.base = runtime, base
        self._numbers = itertools.count()
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        base.chmod(0o700)

    def folder(self) -> Path:
        return self.base / "pods" / f"pod-{next(self._numbers)}"

    def volume(self, name: str = "volume") -> Path:
        path = self.base / "volumes" / name
        self.runtime.prepare_volume(path)
        return path

    def start(self, *command: str, image: str = "debian", **options: Any) -> Path:
        """`options`: env, mounts, working_dir of the container, and everything of PodSpec."""
        names = {field.name for field in dataclasses.fields(Container)}
        own = {name: options.pop(name) for name in tuple(options) if name in names}
        container = Container(image, command, own.pop("env", {}), own.pop("mounts", ()), **own)
        folder = self.folder()
        self.runtime.start(folder, PodSpec(folder.name, container, **options))
        return folder

    async def ended(self, folder: Path, seconds: float = 60) -> Ran:
        async with asyncio.timeout(seconds):
            status = self.runtime.status(folder)
            while status.state != "ended":
                assert status.state != "absent"
                status = await self.runtime.wait(folder)
        assert status.end is not None
        log = self.runtime.log_path(folder)
        return Ran(status.end, log.read_text(errors="replace") if log.exists() else "", folder)

    async def run(self, *command: str, **options: Any) -> Ran:
        return await self.ended(self.start(*command, **options))

    async def until(self, folder: Path, text: str, seconds: float = 60) -> str:
        """Wait until the growing log contains `text`."""
        log = self.runtime.log_path(folder)
        async with asyncio.timeout(seconds):
            while not (log.exists() and text in log.read_text(errors="replace")):
                assert self.runtime.status(folder).state != "ended", log.read_text() if log.exists() else "no log"
                await asyncio.sleep(0.01)
        return log.read_text(errors="replace")


def read_only(source: Path, target: str) -> Mount:
    return Mount(source, target, read_only=True)


def writable(source: Path, target: str) -> Mount:
    return Mount(source, target, read_only=False)


def unpack_image(image: Path) -> None:
    """An image root that borrows this machine's programs (mounted at /machine): a real one has its own."""
    for name in ("etc", "data", "proc"):
        (image / name).mkdir(parents=True)
    (image / "etc/motd").write_text("from the image\n")
    (image / "data/hidden").write_text("not here")
    for name in ("bin", "lib", "lib64", "lib32"):
        if Path(f"/{name}").is_symlink():
            (image / name).symlink_to(Path(f"/{name}").readlink())
    (image / "usr").symlink_to("/machine")


def living(text: str) -> list[int]:
    """Processes (zombies apart) whose command line or environment contains `text`."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            content = Path(f"/proc/{name}/cmdline").read_bytes() + Path(f"/proc/{name}/environ").read_bytes()
            state = Path(f"/proc/{name}/stat").read_text().rsplit(") ", 1)[1][0]
        except OSError:
            continue
        if text.encode() in content and state != "Z":
            found.append(int(name))
    return found
