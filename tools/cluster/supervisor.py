"""The first process of a PID namespace: it starts what a file lists, starts again what ends, and reaps orphans.

    python -m tools.cluster.supervisor FOLDER

`FOLDER/machine.json` is a `Machine`; each of its components has a log in `FOLDER/log`. When this process is killed, the
kernel ends everything that it has started, pods included: that is how a node is lost, and how it is removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tools.cluster.network import within

AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Component:
    """A program that runs for ever, under a name that tests kill it by."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str | None = None


@dataclass(frozen=True)
class Machine:
    """What is mounted before anything starts: folders of its own over folders of the machine, and memory at /run."""

    components: list[Component]
    mounts: Mapping[str, str] = field(default_factory=dict)  # place: folder
    settings: Mapping[str, str] = field(default_factory=dict)  # file under /proc/sys: value

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "machine.json").write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, folder: Path) -> Machine:
        found = json.loads((folder / "machine.json").read_text())
        return cls([Component(**each) for each in found.pop("components")], **found)


def start(name: str, folder: Path) -> None:
    """Start a supervisor in the network namespace of that name, apart from this process."""
    command = [sys.executable, "-m", "tools.cluster.supervisor", str(folder)]
    alone = [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--propagation",
        "private",
        *command,
    ]
    (folder / "log").mkdir(parents=True, exist_ok=True)
    with (folder / "log" / "supervisor.log").open("ab") as log:
        process = subprocess.Popen(
            within(name, *alone), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    (folder / "pid").write_text(str(process.pid))


def stop(folder: Path) -> None:
    """Kill it, and with it everything that it has started."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
        pid = int((folder / "pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"tools.cluster.supervisor" in command:
            os.kill(pid, signal.SIGKILL)  # unshare --kill-child: the first process of the namespace follows
            while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
                time.sleep(0.05)
    (folder / "pid").unlink(missing_ok=True)


def kill(folder: Path, name: str) -> None:
    """kill -9 one component; it starts again. Raises `LookupError` where there is none of that name."""
    component = next((each for each in Machine.read(folder).components if each.name == name), None)
    if component is None:
        raise LookupError(name)
    ours = os.readlink(f"/proc/{(folder / 'pid').read_text()}/ns/pid_for_children")
    for process in (path for path in Path("/proc").iterdir() if path.name.isdigit()):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            started_as = (process / "cmdline").read_bytes().split(b"\0")[0].decode()
            if started_as == component.command[0] and os.readlink(process / "ns" / "pid") == ours:
                os.kill(int(process.name), signal.SIGKILL)


def _mount(machine: Machine) -> None:
    for place, source in machine.mounts.items():
        if source == "tmpfs":
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", place], check=True)
        else:
            subprocess.run(["mount", "--bind", source, place], check=True)
    subprocess.run(["mount", "--make-rshared", "/"], check=True)  # volumes that the kubelet mounts reach containers
    for name, value in machine.settings.items():
        Path("/proc/sys", name).write_text(value)


def _run(folder: Path) -> None:
    machine = Machine.read(folder)
    _mount(machine)
    running: dict[int, Component] = {}
    due = [(0.0, component) for component in machine.components]
    while True:
        for when, component in list(due):
            if when <= time.monotonic():
                due.remove((when, component))
                with (folder / "log" / f"{component.name}.log").open("ab") as log:
                    process = subprocess.Popen(
                        component.command,
                        env={**os.environ, **component.environment},
                        cwd=component.folder,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                process.returncode = 0  # it is reaped below, not by its object
                running[process.pid] = component
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if component_ended := running.pop(ended[0], None):
                    print(f"{component_ended.name} ended with {ended[1]}", flush=True)
                    due.append((time.monotonic() + AGAIN_SECONDS, component_ended))
        time.sleep(0.1)


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
