"""What this machine has to run an image with. Nothing is pulled: an image is a name for programs that are here.

Three kinds. `step`: our own pod programs, run by this project's interpreter. `machine`: the programs of this machine
(/usr and its neighbours). `folder`: an unpacked image that the operator has registered. Machine images are the
operator's word, not the registry's: no digest is verified, which is announced.
"""

from __future__ import annotations

import logging
import re
import shutil
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from argo.local.pods.runtime import ImageUnavailable
from contract.names import STEP_IMAGE

_log = logging.getLogger(__name__)
_PATH = "/usr/local/bin:/usr/bin:/bin"
_REFERENCE = re.compile(
    r"(?P<repository>(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9._-]+(?:/[a-z0-9._-]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>[a-z0-9]+:[0-9a-f]{32,128}))?"
)
_DOCKER_HUB = ("docker.io/", "index.docker.io/", "registry-1.docker.io/")


@dataclass(frozen=True, slots=True)
class Image:
    """`name`: a repository (any tag and digest), `repository:tag` or `repository@digest` (only that)."""

    name: str
    kind: Literal["step", "machine", "folder"]
    folder: Path | None = None  # kind folder: the image's root
    python: bool = False  # kind machine: this project's Python, with its packages, comes first on PATH
    without_sandbox: bool = False  # the operator trusts it to run as a plain process too


class Register:
    """The operator's file of unpacked images, `"name" = "/folder"`. What cannot be read changes nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._told = ""  # what was wrong with it at the last look
        self._images: dict[str, Image] = {}

    def images(self) -> Mapping[str, Image]:
        try:
            facts = self._path.stat()
            if (facts.st_mtime_ns, facts.st_size) != self._seen:
                self._seen = (facts.st_mtime_ns, facts.st_size)
                self._images = {_key(image.name): image for image in self._read()}
        except (OSError, ValueError) as trouble:
            if str(trouble) != self._told:
                _log.warning("the register of images %s is not taken up: %s", self._path, trouble)
            self._told = str(trouble)
        return self._images

    def _read(self) -> list[Image]:
        """Raises OSError, ValueError."""
        found = tomllib.loads(self._path.read_text("utf-8"))
        for name, folder in found.items():
            if not isinstance(folder, str) or not Path(folder).is_absolute():
                raise ValueError(f'{name!r} needs the absolute path of a folder, "{name}" = "/…"')
        return [Image(name, "folder", folder=Path(folder).resolve()) for name, folder in found.items()]


class Images:
    """A map from image references to what runs them."""

    def __init__(self, images: Iterable[Image], register: Register | None = None) -> None:
        self._images = {_key(image.name): image for image in images}
        self._register = register

    @classmethod
    def default(
        cls,
        *,
        step: str = STEP_IMAGE,
        folders: Mapping[str, Path] | None = None,
        machine: Iterable[str] = (),
        without_sandbox: Iterable[str] = (),
        register: Path | None = None,
    ) -> Images:
        """Our steps, the well-known names that this machine can serve, and what the operator adds.

        `folders`: image name to unpacked root. `machine`: further names for this machine's programs.
        `without_sandbox`: names (of any of these) that may run where there are no sandboxes; our steps always may.
        `register`: a TOML file with more `folders`, read again when it changes.
        """
        images = [Image(step, "step", without_sandbox=True), Image("python", "machine", python=True)]
        images += [Image(name, "machine") for name in ("debian", "ubuntu", "busybox", *machine)]
        if shutil.which("node", path=_PATH):
            images.append(Image("node", "machine"))
        images += [Image(name, "folder", folder=root.resolve()) for name, root in (folders or {}).items()]
        trusted = {_key(name) for name in without_sandbox}
        return cls(
            (Image(i.name, i.kind, i.folder, i.python, i.without_sandbox or _key(i.name) in trusted) for i in images),
            None if register is None else Register(register),
        )

    def find(self, reference: str) -> Image:
        """The image for a reference as it stands in a manifest. Raises ImageUnavailable."""
        keys = _keys(reference)
        if not keys:
            raise ImageUnavailable(reference, "invalid reference format")
        images = self._all()
        for key in keys:
            if (image := images.get(key)) is not None:
                if image.kind == "folder" and not (image.folder and image.folder.is_dir()):
                    raise ImageUnavailable(reference, "the folder registered for this image does not exist")
                return image
        raise ImageUnavailable(reference, "this machine has nothing to run it with, and images are not pulled here")

    def known(self) -> tuple[Image, ...]:
        """All images, for announcements."""
        return tuple(self._all().values())

    def _all(self) -> Mapping[str, Image]:
        return self._images if self._register is None else {**self._images, **self._register.images()}


class ImageNames:
    """The names of all images that a server can run, told to others. Raises ValueError, TypeError for no such list."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self._known = frozenset(_key(name) for name in self.names)

    def __contains__(self, reference: object) -> bool:
        return isinstance(reference, str) and any(key in self._known for key in _keys(reference))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImageNames) and self._known == other._known

    def __hash__(self) -> int:
        return hash(self._known)


def _keys(reference: str) -> list[str]:
    """What an image may be registered as so that it stands for this reference, the most exact first."""
    match = _REFERENCE.fullmatch(reference)
    if not match:
        return []
    repository, tag, digest = _plain(match["repository"]), match["tag"], match["digest"]
    return [*([f"{repository}@{digest}"] if digest else []), f"{repository}:{tag or 'latest'}", repository]


def _plain(repository: str) -> str:
    """`docker.io/library/python` and `python` are the same repository; other registries stay what they are."""
    for prefix in _DOCKER_HUB:
        repository = repository.removeprefix(prefix)
    return repository.removeprefix("library/")


def _key(name: str) -> str:
    match = _REFERENCE.fullmatch(name)
    if not match:
        raise ValueError(f"not an image reference: {name!r}")
    plain = _plain(match["repository"])
    if match["digest"]:
        return f"{plain}@{match['digest']}"
    return f"{plain}:{match['tag']}" if match["tag"] else plain
