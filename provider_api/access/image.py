"""The algorithm's container: what it must say, and the one form in which an image may be named.

The image reference becomes an argument of the workflow, whose text Argo's controller would evaluate, so it is matched
strictly; everything else of the container travels in the sealed job spec.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocean.ddo import DDO

if TYPE_CHECKING:
    from provider_api.access.facts import ComputeFacts

_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_IMAGE = re.compile(rf"(?:{_PART}(?::[0-9]{{1,5}})?/)?{_PART}(?:/{_PART})*")
_DIGEST = re.compile(r"sha256:[0-9a-fA-F]{64}")
_MAX_IMAGE = 255


@dataclass(frozen=True, slots=True)
class AlgorithmContainer:
    entrypoint: str
    image: str
    checksum: str
    tag: str = ""

    def reference(self) -> str:
        """`image@sha256:…`: the tag is dropped, as in Ocean Provider. For a container without a `problem`."""
        return f"{self.image}@{self.checksum.lower()}"


def problem(container: AlgorithmContainer) -> str | None:
    """The first thing that is wrong, as the code for `algorithm.container`."""
    if not (container.entrypoint.strip() and container.image and container.checksum):
        return "missing_entrypoint_image_checksum"
    if not container.checksum.startswith("sha256:"):
        return "checksum_prefix"
    if not _DIGEST.fullmatch(container.checksum):
        return "invalid_checksum"
    if len(container.image) > _MAX_IMAGE or not _IMAGE.fullmatch(container.image):
        return "invalid_image"
    return None


def published_container(ddo: DDO | None) -> AlgorithmContainer | None:
    """The container section of an algorithm's DDO."""
    metadata = ddo.metadata if ddo is not None else None
    found = metadata.algorithm.container if metadata is not None and metadata.algorithm is not None else None
    return None if found is None else AlgorithmContainer(found.entrypoint, found.image, found.checksum, found.tag)


def hashable(ddo: DDO | None) -> bool:
    """Whether an algorithm's container has what its checksum is made of."""
    container = published_container(ddo)
    return container is not None and bool(container.entrypoint) and bool(container.checksum)


def container_of(facts: ComputeFacts) -> AlgorithmContainer | None:
    """The container that the job would run in."""
    if facts.algorithm is not None:
        return published_container(facts.algorithm.ddo)
    given = facts.request.algorithm.container()
    texts = [value if isinstance(value := given.get(name), str) else "" for name in ("entrypoint", "image", "checksum")]
    return AlgorithmContainer(*texts)
