"""What runs: the image and the command for a script, as an algorithm's asset would say them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from client.exits import Unusable
from provider_api.access.image import AlgorithmContainer, problem
from provider_api.cli.images import ImageUnusable, unpacked_image
from provider_api.cli.rehearsal.wanted import Reason, Wanted

# Suffix of the script: image, entrypoint. A program with another suffix, or none, is run as it is.
_BY_SUFFIX: Final = {
    ".py": ("python", "python $ALGO"),
    ".r": ("r-base", "Rscript $ALGO"),
    ".js": ("node", "node $ALGO"),
    ".sh": ("debian", "sh $ALGO"),
    ".bash": ("debian", "bash $ALGO"),
}
_AS_IT_IS: Final = ("debian", "$ALGO")
_NO_DIGEST: Final = "sha256:" + "0" * 64  # this machine's programs, and unpacked images, have none to compare


@dataclass(frozen=True, slots=True)
class Program:
    """`name`: of the image, as people say it. `images`: folders of unpacked images that were named along with it."""

    name: str
    container: AlgorithmContainer
    images: dict[str, Path]


def program_of(wanted: Wanted) -> Program:
    """Raises Unusable."""
    image, entrypoint = _BY_SUFFIX.get(wanted.script.suffix.lower(), _AS_IT_IS)
    named, unpacked = wanted.image or image, {}
    if "=" in named:
        try:
            named, folder = unpacked_image(named)
        except ImageUnusable as exc:
            raise Unusable(str(exc)) from None
        unpacked = {named: folder}
    name, _, digest = named.partition("@")
    repository, tag = _split(name)
    container = AlgorithmContainer(wanted.entrypoint or entrypoint, repository, digest or _NO_DIGEST, tag)
    return Program(named, container, unpacked)


def problems_of(container: AlgorithmContainer) -> list[Reason]:
    """What is wrong with it before an environment is asked."""
    found = []
    if "$ALGO" not in container.entrypoint:
        sentence = f"the entrypoint {container.entrypoint!r} does not name $ALGO, so it would not run the script"
        found.append(Reason("algorithm.container", "entrypoint_without_algo", sentence))
    if code := problem(container):
        sentence = f"{container.image}@{container.checksum} is no image that a job may name"
        found.append(Reason("algorithm.container", code, sentence))
    return found


def _split(name: str) -> tuple[str, str]:
    """Repository and tag: a colon before the last slash belongs to the registry's port."""
    before, colon, tag = name.rpartition(":")
    return (before, tag) if colon and "/" not in tag else (name, "")
