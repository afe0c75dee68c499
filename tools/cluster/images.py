"""The images that a registry on the internet would have: made of our own builds and Debian's packages.

They lie in a registry beside the node, which answers for every registry: manifests keep the names that they have.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.cluster.commands import output
from tools.cluster.needs import needed
from tools.cluster.network import within
from tools.cluster.places import BESIDE, FOLDER, KEPT, MODULES, PROGRAMS, REGISTRY
from tools.cluster.programs import ARGO, version_of

DOCKER: Final = FOLDER / "bin" / "docker"
BASE: Final = "localhost/c2d-base"
PAUSE: Final = "registry.k8s.io/pause:3.10"
ALGORITHM: Final = "python:3"  # what the algorithms of tests run in
OWN_USER: Final = "python-of-4321:3"  # the same with a user of its own
_STORE, _NOTES = KEPT / "images", KEPT / "pushed"
_ARGO_IMAGES: Final = {"argoexec": "argoexec", "workflow-controller": "workflow-controller", "argocli": "argo"}
_TMP: Final = "COPY tmp /tmp\n"
_RUN = 'RUN ["/bin/busybox", {}]\n'
_BUSYBOX: Final = (  # buildah's COPY --chmod leaves folders as they are
    _TMP + "COPY busybox /bin/\n" + _RUN.format('"--install", "-s", "/bin"') + _RUN.format('"chmod", "1777", "/tmp"')
)
_ARGO_VERSION: Final = version_of(MODULES / "argo", ARGO)


@dataclass(frozen=True)
class Image:
    """`files` lie in it under their names; where there is no `base`, nothing else does."""

    name: str  # as in the registry beside the node: without the host of the registry that it is known from
    files: Mapping[str, Path]
    instructions: str
    base: str = "scratch"

    @property
    def sum(self) -> str:
        parts = [self.base, self.instructions, *(f"{name}{_sum_of(path)}" for name, path in self.files.items())]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _program(name: str, program: str, *, user: int = 0, folder: str = "/bin/") -> Image:
    instructions = f'{_TMP}COPY {program} {folder}\nUSER {user}\nENTRYPOINT ["{folder}{program}"]\n'
    return Image(name, {program: PROGRAMS / program}, instructions)


def all_images() -> list[Image]:
    coredns = version_of(MODULES / "coredns", "github.com/coredns/coredns")
    provisioner = version_of(MODULES / "local-path-provisioner", "github.com/rancher/local-path-provisioner")
    links = "RUN ln -s python3 /usr/bin/python && mkdir -m 1777 -p /tmp\nUSER {}\n"
    return [
        _program("pause:3.10", "pause", user=65535),
        _program(f"coredns/coredns:{coredns}", "coredns"),
        _program(f"rancher/local-path-provisioner:{provisioner}", "local-path-provisioner"),
        *(_program(f"argoproj/{name}:{_ARGO_VERSION}", program, user=8737) for name, program in _ARGO_IMAGES.items()),
        # For volumes; and under the name that the recorded scenarios have for it.
        *(Image(name, {"busybox": _busybox()}, _BUSYBOX) for name in ("library/busybox:latest", "busybox:1")),
        Image(ALGORITHM, {}, links.format(1000), BASE),
        Image(OWN_USER, {}, links.format(4321), BASE),
    ]


def _busybox() -> Path:
    """Debian's static one; it cannot be installed beside the other."""
    folder = KEPT / "busybox"
    if not (folder / "bin" / "busybox").exists():
        folder.mkdir(exist_ok=True)
        output(["sh", "-euc", "apt-get -qq download busybox-static; dpkg -x *.deb .; rm *.deb"], folder=folder)
    return folder / "bin" / "busybox"


def make_base() -> None:
    """A base with Python and nothing else, of Debian's packages; it needs some minutes the first time."""
    DOCKER.parent.mkdir(parents=True, exist_ok=True)
    (FOLDER / "registries.conf").write_text(f'[[registry]]\nlocation = "{REGISTRY}"\ninsecure = true\n')
    run = Path("/run/c2d-images")
    settings = {
        "BUILDAH_ISOLATION": "chroot",
        "BUILDAH_LAYERS": "true",
        "CONTAINERS_REGISTRIES_CONF": str(FOLDER / "registries.conf"),
    }
    words = " ".join(f"{name}={value}" for name, value in settings.items())
    DOCKER.write_text(
        f'#!/bin/sh\nexec env {words} buildah --root {_STORE} --runroot {run} --storage-driver overlay "$@"\n'
    )
    DOCKER.chmod(0o755)
    if output([str(DOCKER), "images", "--quiet", BASE], check=False):
        return
    print("making a base image of Debian's packages (two minutes)", flush=True)
    folder = KEPT / "base"
    shutil.rmtree(folder, ignore_errors=True)
    packages = "python3,python3-venv,ca-certificates"
    with needed("Debian's packages are not to be had"):
        output(["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(folder / "root")])
    shutil.rmtree(folder / "root" / "var" / "cache" / "apt")
    # The authorities by which this machine reaches package registries.
    authorities = "etc/ssl/certs/ca-certificates.crt"
    shutil.copyfile(Path("/") / authorities, folder / "root" / authorities)
    (folder / "Dockerfile").write_text("FROM scratch\nADD root /\n")
    output([str(DOCKER), "build", "--tag", BASE, str(folder)])
    shutil.rmtree(folder)


def push() -> None:
    """Build and push what has changed since the last time."""
    _NOTES.mkdir(parents=True, exist_ok=True)
    for image in all_images():
        note = _NOTES / image.name.replace("/", "_").replace(":", "_")
        if note.exists() and note.read_text() == image.sum:
            continue
        print(f"image {image.name}", flush=True)
        folder = KEPT / "context"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "tmp").mkdir(parents=True)
        (folder / "tmp").chmod(0o1777)
        for name, path in image.files.items():
            shutil.copyfile(path, folder / name)
            (folder / name).chmod(0o755)
        (folder / "Dockerfile").write_text(f"FROM {image.base}\n{image.instructions}")
        tag = f"{REGISTRY}/{image.name}"
        output([str(DOCKER), "build", "--tag", tag, str(folder)])
        output(within(BESIDE, str(DOCKER), "push", tag))
        shutil.rmtree(folder)
        note.write_text(image.sum)


def digest_of(name: str) -> str:
    """`sha256:…`, by which the registry knows an image."""
    place, tag = name.rsplit(":", 1)
    link = KEPT / "registry/docker/registry/v2/repositories" / place / "_manifests/tags" / tag / "current/link"
    return link.read_text().strip()


def unmount() -> None:
    """buildah leaves mounts at its storage, and in them."""
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        place = line.split()[1]
        if Path(place).is_relative_to(_STORE):
            output(["umount", place])


def _sum_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
