"""Pods without processes: a `PodRuntime` in memory whose pods do what the test says. For tests of what drives them."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from argo.local.pods.runtime import PodEnd, PodSpec, PodStatus


class FakePods:
    """Each pod ends well at once, unless `hold` is set: then it runs until it is killed or `release` is called."""

    def __init__(self, *, hold: bool = False) -> None:
        self.hold = hold
        self.specs: dict[Path, PodSpec] = {}
        self.ends: dict[Path, PodEnd] = {}
        self.removals: list[Path] = []
        self.trouble: dict[str, Exception] = {}  # name of a method -> what it raises

    def _try(self, name: str) -> None:
        if name in self.trouble:
            raise self.trouble[name]

    def require_image(self, image: str) -> None:
        self._try("require_image")

    def image_names(self) -> tuple[str, ...]:
        return ("python",)

    def start(self, folder: Path, spec: PodSpec) -> None:
        self._try("start")
        if folder not in self.specs:
            folder.mkdir(parents=True, exist_ok=True)
            self.specs[folder] = spec
            if not self.hold:
                self.end(folder)

    def end(self, folder: Path, code: int = 0) -> None:
        for mount in self.specs[folder].main.mounts:
            if mount.target == "/tmp" and not mount.read_only:
                (mount.source / "results.json").write_text("{}")
        self.ends[folder] = PodEnd("exited", code, "", 1.0, 2.0)

    def release(self) -> None:
        self.hold = False
        for folder in self.specs:
            if folder not in self.ends:
                self.end(folder)

    def status(self, folder: Path) -> PodStatus:
        self._try("status")
        if folder in self.ends:
            return PodStatus("ended", 1.0, self.ends[folder])
        return PodStatus("running", 1.0) if folder in self.specs else PodStatus("absent")

    async def wait(self, folder: Path) -> PodStatus:
        first = self.status(folder)
        while self.status(folder) == first and first.state == "running":
            await asyncio.sleep(0.005)
        return self.status(folder)

    def stop(self, folder: Path) -> None:
        self._try("stop")
        self.end(folder, 143)

    def kill(self, folder: Path) -> None:
        self._try("kill")
        if folder in self.specs:
            self.end(folder, 137)

    def log_path(self, folder: Path) -> Path:
        return folder / "log"

    def remove(self, folder: Path) -> None:
        self._try("remove")
        self.removals.append(folder)
        self.specs.pop(folder, None)
        self.ends.pop(folder, None)
        if folder.exists():
            shutil.rmtree(folder)

    def prepare_volume(self, path: Path, *, shared: bool = False) -> None:
        path.mkdir(parents=True, exist_ok=True)

    def take_over(self, shared: Path, volume: Path) -> None:
        self._try("take_over")
