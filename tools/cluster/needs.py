"""What a machine must have, and the packages of Debian that the node is made of."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.cluster.commands import output
from tools.cluster.places import ROOT

# Programs, and the package that brings each of them.
_PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ipset": "ipset",
    "conntrack": "conntrack",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "docker-registry": "docker-registry",
    "socat": "socat",
    "pg_lsclusters": "postgresql",
    "ip": "iproute2",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
}


_MOST_TEXT = 1000  # characters of what somebody else says

# Where the node mounts folders of its own.
HIDDEN = ("/run", "/var/lib", "/var/log")


class CannotRun(Exception):
    """Why there can be no cluster on this machine, in one line."""


@contextmanager
def needed(what: str) -> Iterator[None]:
    """Around what a machine may lack: its failure is `CannotRun`, which begins with `what`."""
    try:
        yield
    except (RuntimeError, OSError) as problem:
        raise CannotRun(f"{what}: {' '.join(str(problem).split())[:_MOST_TEXT]}") from problem


def check() -> None:
    """Install the packages that are missing.

    Raises `CannotRun` where no node can be started: not Linux, not root, no control groups, no Go, no packages.
    """
    if platform.system() != "Linux":
        raise CannotRun("a node needs Linux")
    if os.geteuid() != 0:
        raise CannotRun("a node needs root: network namespaces, control groups and mounts are made for it")
    if hidden := [place for place in HIDDEN if ROOT.is_relative_to(place)]:
        raise CannotRun(f"the checkout lies in {hidden[0]}, which the node has for itself: take another folder")
    controllers = _controllers()
    if missing := {"cpu", "memory", "pids"} - controllers:
        raise CannotRun(f"this machine's control groups lack {', '.join(sorted(missing))} (or are not mounted)")
    if shutil.which("go") is None:
        raise CannotRun("Kubernetes and Argo are built with Go, which was not found")
    absent = sorted({package for program, package in _PACKAGES.items() if shutil.which(program) is None})
    if absent:
        _install(absent)
    done = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False)
    if done.returncode != 0:
        raise CannotRun(f"this machine makes no namespaces: {done.stderr.decode().strip()}")


def _controllers() -> set[str]:
    unified = Path("/sys/fs/cgroup/cgroup.controllers")
    if unified.exists():
        return set(unified.read_text().split())
    lines = Path("/proc/cgroups").read_text().splitlines()[1:]
    mounted = {path.name for path in Path("/sys/fs/cgroup").iterdir()} if Path("/sys/fs/cgroup").exists() else set()
    return {line.split()[0] for line in lines} & mounted


def _install(packages: list[str]) -> None:
    if shutil.which("apt-get") is None:
        raise CannotRun(f"these packages are needed, and there is no apt-get to install them: {' '.join(packages)}")
    print(f"installing {' '.join(packages)}", flush=True)
    quiet = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    # Nothing is started: the node has its own containerd, beside it is its own registry.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in ([*quiet, "update"], [*quiet, "install", "-y", "--no-install-recommends", *packages]):
        with needed("Debian's packages are not to be had"):
            output(command, environment=environment)
