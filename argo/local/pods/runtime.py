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
import secrets
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

from argo.local.pods import layout, leftovers, trees, users
from argo.local.pods.images import Image, Images
from argo.local.pods.watcher import files, stage
from argo.local.runtime import Container, ImageUnavailable, Mount, PodEnd, PodSpec, PodStatus

_POLL_SECONDS = 0.01  # while a pod starts; afterwards its watcher is waited for
_START = "import sys; sys.path.append(sys.argv[1]); from watcher.main import main; main(sys.argv[2], int(sys.argv[3]))"
_WATCHER_LOCK = 3


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
        self._reap()
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
                plan = self._plan(folder, spec, containers)
                files.put(str(folder), files.PLAN, plan, durable=True)
            else:
                leftovers.sweep(plan)  # of a watcher that died before it let anything run
            self._spawn(folder, lock)
        finally:
            os.close(lock)  # the watcher has its own copy

    def _plan(self, folder: Path, spec: PodSpec, containers: list[tuple[Image, Container]]) -> dict[str, Any]:
        limits = spec.limits
        for mount in _mounts(spec):
            os.close(stage.open_plain(str(mount.source)))  # it exists, and no link leads elsewhere
        return {
            "name": spec.name,
            "marker": f"c2d-pod-{secrets.token_hex(12)}",
            "boot": files.boot_id(),
            "isolation": self.isolation,
            "bwrap": self._bwrap,
            "user": self._user(spec) if self._root else None,
            "network": spec.network,
            "deadline_seconds": spec.deadline_seconds,
            "grace_seconds": spec.grace_seconds,
            "limits": {name: getattr(limits, name) for name in limits.__slots__},
            "containers": [self._container(folder, spec, *pair) for pair in containers],
        }

    def _container(self, folder: Path, spec: PodSpec, image: Image, container: Container) -> dict[str, Any]:
        env = layout.environment(image, container)
        if self.isolation == "sandbox":
            inside = layout.layout(image, container, network=spec.network)
            return {"argv": list(container.command), "env": env, "cwd": container.working_dir, "inside": inside}
        targets = {os.path.normpath(m.target): str(m.source) for m in container.mounts}
        tmp = folder / "tmp"
        tmp.mkdir(mode=0o700, exist_ok=True)
        own = {"HOME": str(tmp), "TMPDIR": str(tmp), "PATH": env["PATH"], "LANG": env["LANG"]}
        env = own | {name: layout.translate(value, targets) for name, value in container.env.items()}
        cwd = layout.translate(container.working_dir, targets)
        return {"argv": [layout.translate(word, targets) for word in container.command], "env": env, "cwd": cwd}

    def _user(self, spec: PodSpec) -> int:
        """The owner of the volume that the pod mounts; a fresh id for a pod without one."""
        for mount in _mounts(spec):
            owner = os.stat(mount.source, follow_symlinks=False).st_uid
            if owner in self._ids:
                return owner
        half = self._ids[len(self._ids) // 2 :]  # volumes take the first half
        return users.pick(half, ())

    def _spawn(self, folder: Path, lock: int) -> None:
        high = fcntl.fcntl(lock, fcntl.F_DUPFD_CLOEXEC, 10)  # a dup2 onto itself would leave it closed on exec
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        err = os.open(folder / "watcher.err", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            argv = [
                sys.executable,
                "-I",
                "-S",
                "-c",
                _START,
                os.path.dirname(__file__),
                str(folder),
                str(_WATCHER_LOCK),
            ]
            dups = [
                (os.POSIX_SPAWN_DUP2, old, new) for old, new in ((null, 0), (null, 1), (err, 2), (high, _WATCHER_LOCK))
            ]
            default = [signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD]
            pid = os.posix_spawn(
                sys.executable, argv, {}, file_actions=dups, setsid=True, setsigdef=default, setsigmask=[]
            )
        finally:
            for fd in (high, null, err):
                os.close(fd)
        self._children.add(pid)

    def status(self, folder: Path) -> PodStatus:
        """What the files in the folder say now. A pod whose watcher died is ended as "lost" here."""
        self._reap()
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
                await _watcher_ends(str(folder))
            status = self.status(folder)
        return status

    def stop(self, folder: Path) -> None:
        """Ask the pod to end: SIGTERM, then SIGKILL after its grace period. Returns at once; also before it started."""
        self._wish(folder, files.STOP)

    def kill(self, folder: Path) -> None:
        """End everything of the pod now. Its watcher writes the end a moment later."""
        self._wish(folder, files.KILL)

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
        trees.remove_tree(folder)

    # -- volumes

    def prepare_volume(self, path: Path, *, shared: bool = False) -> None:
        """Make the folder of a volume and let pods write to it. Safe to repeat.

        Pods that mount a part of it run as its owner. `shared`: for pods of several volumes (results), which each
        write as another user; nobody else gets there when its parent is closed to others.
        """
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._root:
            return
        if shared:
            path.chmod(0o1777)
        elif path.stat().st_uid not in self._ids:
            half = self._ids[: len(self._ids) // 2]
            owner = users.pick(half, users.owners(path.parent))
            os.chown(path, owner, owner)

    def _reap(self) -> None:
        for pid in tuple(self._children):
            try:
                if os.waitpid(pid, os.WNOHANG)[0]:
                    self._children.discard(pid)
            except ChildProcessError:
                self._children.discard(pid)


def _mounts(spec: PodSpec) -> list[Mount]:
    """Writable ones first: their owner is who must be able to write."""
    return sorted((m for c in (spec.main, *spec.init) for m in c.mounts), key=lambda m: m.read_only)


def _ended(end: dict[str, Any]) -> PodStatus:
    known = PodEnd(end["why"], end["code"], end["message"], end["started_at"], end["finished_at"])
    return PodStatus("ended", started_at=known.started_at, end=known)


async def _watcher_ends(folder: str) -> None:
    watcher = files.get(folder, files.WATCHER)
    process = files.open_process(watcher["pid"], watcher["start"]) if watcher else None
    if process is None:
        await asyncio.sleep(_POLL_SECONDS)
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(process, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process)
        os.close(process)
