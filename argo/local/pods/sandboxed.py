"""Runs pods on this machine: bubblewrap sandboxes, or plain processes where the operator says so.

The runtime keeps nothing: each pod is a folder with the files of `watcher/files.py` and one watcher process, which
holds the folder's lock as long as it lives. The lock is taken before the watcher is forked and passed on to it, so at
every instant "lock held" means "watched". A server that starts again finds the pods as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

from argo.local.pods import launch, leftovers, trees, users
from argo.local.pods import mounts as plans
from argo.local.pods.images import Image, Images
from argo.local.pods.runtime import Container, ImageUnavailable, PodEnd, PodSpec, PodStatus
from argo.local.pods.watcher import files

_POLL_SECONDS = 0.01  # while a pod starts; afterwards its watcher is waited for


class SandboxRuntime:
    """A `PodRuntime`. `isolation` "process" runs only trusted images, as plain processes of the server's user.

    As root each volume's pods run as a spare user id out of `spare_ids`. Call `probe` once before the first pod.
    """

    def __init__(
        self,
        images: Images,
        *,
        isolation: Literal["sandbox", "process"] = "sandbox",
        spare_ids: range = users.SPARE_IDS,
        bwrap: Path | None = None,
    ) -> None:
        self.images, self.isolation = images, isolation
        found = str(bwrap) if bwrap else shutil.which("bwrap")
        self._bwrap = found or ""
        self._root = os.geteuid() == 0 and isolation == "sandbox"
        self._ids = spare_ids
        self._children: set[int] = set()
        self.problem = "" if found or isolation == "process" else "bubblewrap (bwrap) is not installed"
        if self._root and not self.problem:
            try:
                users.require_unused(spare_ids)
            except users.SpareIdsTaken as exc:
                self.problem = str(exc)

    # -- what this machine can do

    def probe(self) -> str:
        """Run one pod with the real options and the real interpreter. Answers "" when that works, or why it does not.

        The answer is kept: afterwards images need working sandboxes (isolation "sandbox"). Takes about 0.1 s.
        """
        if self.isolation == "process" or self.problem:
            return self.problem
        with tempfile.TemporaryDirectory(prefix="c2d-probe-") as place:
            folder = Path(place).resolve() / "pod"
            probes = (Image("probe", "step"), Container("probe", ("python", "-I", "-c", "import pods"), {}, ()))
            programs = (Image("probe", "machine"), Container("probe", ("true",), {}, ()))
            spec = PodSpec("probe", programs[1], (probes[1],), deadline_seconds=20, grace_seconds=0)
            try:
                self._begin(folder, spec, [probes, programs])
                self.problem = self._verdict(folder)
            except OSError as exc:
                self.problem = str(exc)
            finally:
                self.remove(folder)
        return self.problem

    def _verdict(self, folder: Path) -> str:
        limit = time.monotonic() + 30
        while (status := self.status(folder)).state != "ended":
            if time.monotonic() > limit:
                return "a trial pod did not end"
            time.sleep(_POLL_SECONDS)
        end = status.end
        assert end is not None  # noqa: S101  (state "ended")
        if end.why == "exited" and end.code == 0:
            return ""
        return end.message or f"a trial pod ended as {end.why} with exit code {end.code}"

    def require_image(self, image: str) -> None:
        """Raises ImageUnavailable: unknown here, or not to be run without a sandbox."""
        self._find(image)

    def image_names(self) -> tuple[str, ...]:
        """All images that can be run here at this moment."""
        found = []
        for image in self.images.known():
            with contextlib.suppress(ImageUnavailable):
                self._find(image.name)
                found.append(image.name)
        return tuple(found)

    def _find(self, reference: str) -> Image:
        image = self.images.find(reference)
        if self.isolation == "process":
            if not image.without_sandbox:
                raise ImageUnavailable(reference, "it would need a sandbox, and pods run as plain processes here")
        elif self.problem:
            raise ImageUnavailable(reference, f"sandboxes are not available on this machine ({self.problem})")
        return image

    # -- the life of a pod

    def start(self, folder: Path, spec: PodSpec) -> None:
        """Start the pod once; returns as soon as its watcher was started. Raises ImageUnavailable, OSError."""
        self._begin(folder, spec, [(self._find(c.image), c) for c in (*spec.init, spec.main)])

    def _begin(self, folder: Path, spec: PodSpec, containers: list[tuple[Image, Container]]) -> None:
        launch.reap(self._children)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / files.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # it runs
            if files.exists(str(folder), files.END) or files.exists(str(folder), files.GATE):
                return  # it ran
            plan = files.get(str(folder), files.PLAN)
            if plan is not None and plan["boot"] != files.boot_id():
                return  # it may have run before the machine was started again: `status` says lost
            if plan is None:
                plan = plans.make_plan(
                    folder, spec, containers, isolation=self.isolation, bwrap=self._bwrap, user=self._user(spec)
                )
                files.put(str(folder), files.PLAN, plan, durable=True)
            else:
                leftovers.sweep(plan)  # of a watcher that died before it let anything run
            self._children.add(launch.spawn_watcher(folder, lock))
        finally:
            os.close(lock)  # the watcher has its own copy

    def _user(self, spec: PodSpec) -> int | None:
        """As root: the owner of the volume that the pod mounts; a fresh id for a pod without one."""
        if not self._root:
            return None
        for mount in plans.mounts(spec):
            owner = os.stat(mount.source, follow_symlinks=False).st_uid
            if owner in self._ids:
                return owner
        half = self._ids[len(self._ids) // 2 :]  # volumes take the first half
        return users.pick(half, ())

    def status(self, folder: Path) -> PodStatus:
        """What the files in the folder say now. A pod whose watcher died is ended as "lost" here."""
        launch.reap(self._children)
        place = str(folder)
        if (end := files.get(place, files.END)) is not None:
            return _ended(end)
        try:
            lock = os.open(folder / files.LOCK, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return PodStatus("absent")
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                gate = files.get(place, files.GATE)
                if (end := files.get(place, files.END)) is not None:
                    return _ended(end)
                if gate is not None and gate["main"]:
                    return PodStatus("running", started_at=gate["at"])
                return PodStatus("starting")
            if (end := files.get(place, files.END)) is not None:  # between the two looks
                return _ended(end)
            plan = files.get(place, files.PLAN)
            if plan is None:
                return PodStatus("absent")
            if not files.exists(place, files.GATE) and plan["boot"] == files.boot_id():
                return PodStatus("absent")  # its watcher died before anything ran: it may be started again
            return _ended(leftovers.end_lost(place, plan))
        finally:
            os.close(lock)

    async def wait(self, folder: Path) -> PodStatus:
        """Return when the status is no longer what it was at the call (starting -> running -> ended)."""
        first = status = self.status(folder)
        while status.state == first.state and status.state not in ("absent", "ended"):
            if status.state == "starting":
                await asyncio.sleep(_POLL_SECONDS)
            else:
                await launch.watcher_ends(folder, otherwise_seconds=_POLL_SECONDS)
            status = self.status(folder)
        return status

    def stop(self, folder: Path) -> None:
        """Ask the pod to end: SIGTERM, then SIGKILL after its grace period. Returns at once; also before it started."""
        self._wish(folder, files.STOP)

    def kill(self, folder: Path) -> None:
        """End everything of the pod now. Its watcher writes the end a moment later."""
        try:
            self._wish(folder, files.KILL)
        except OSError:
            gate = files.get(str(folder), files.GATE)  # no room for the wish: end what runs, its watcher sees that
            process = files.open_process(gate["pid"], gate["start"]) if gate is not None else None
            if process is None:
                raise
            try:
                signal.pidfd_send_signal(process, signal.SIGKILL)
            finally:
                os.close(process)

    def _wish(self, folder: Path, name: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.put(str(folder), name, {"at": time.time()})
        if (watcher := files.get(str(folder), files.WATCHER)) is None:
            return  # none yet; it looks for wishes once it can hear
        if (process := files.open_process(watcher["pid"], watcher["start"])) is not None:
            try:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(process, signal.SIGTERM)
            finally:
                os.close(process)

    def log_path(self, folder: Path) -> Path:
        """The captured output of main, both streams in order; may not exist yet."""
        return folder / files.LOG

    def remove(self, folder: Path) -> None:
        """Kill what is left of the pod and remove its folder. Waits until it is dead (milliseconds)."""
        if not folder.exists():
            return
        self.kill(folder)
        limit = time.monotonic() + 15
        while self.status(folder).state in ("starting", "running"):
            if time.monotonic() > limit:
                raise TimeoutError(f"the pod in {folder} does not end")
            time.sleep(_POLL_SECONDS / 5)
        plan = files.get(str(folder), files.PLAN)
        if plan is not None and not files.exists(str(folder), files.END):
            leftovers.sweep(plan)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(plans.alias_of(folder))
        trees.remove_tree(folder)

    # -- volumes

    def prepare_volume(self, path: Path, *, shared: bool = False) -> None:
        """Make the folder of a volume and let pods write to it. Safe to repeat.

        Pods that mount a part of it run as its owner. `shared`: for pods of several volumes (results), which each
        make folders of their own there as another user, and can neither list nor touch those of others; nobody else
        gets there when its parent is closed to others. `take_over` ends that.
        """
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._root:
            return
        if shared:
            path.chmod(0o1733)
        elif path.stat().st_uid not in self._ids:
            half = self._ids[: len(self._ids) // 2]
            owner = users.pick(half, users.owners(path.parent))
            os.chown(path, owner, owner)

    def take_over(self, shared: Path, volume: Path) -> None:
        """What the pods of a volume have put into a shared one is ours from now on, and closed to everybody else.

        User ids are used again, so that a later job might else own the results of an earlier one.
        """
        if not self._root or not volume.exists():
            return
        owner = os.stat(volume, follow_symlinks=False).st_uid
        if owner not in self._ids or not shared.is_dir():
            return
        with os.scandir(shared) as entries:
            found = [e.name for e in entries if e.stat(follow_symlinks=False).st_uid == owner and not e.is_symlink()]
        for name in found:
            trees.close_to_others(shared, name)


def _ended(end: dict[str, Any]) -> PodStatus:
    known = PodEnd(end["why"], end["code"], end["message"], end["started_at"], end["finished_at"])
    return PodStatus("ended", started_at=known.started_at, end=known)
