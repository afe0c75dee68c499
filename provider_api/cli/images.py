"""Unpacked images as commands name them: NAME=FOLDER."""

from __future__ import annotations

from pathlib import Path

from argo.local.pods import Image, Images


class ImageUnusable(ValueError):
    """What was given names no image that could be run; the text says why."""


def unpacked_image(text: str) -> tuple[str, Path]:
    """Name and folder, from the root. Raises ImageUnusable."""
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise ImageUnusable(f"--image {text}: NAME=FOLDER is expected")
    root = Path(folder).resolve()
    if not root.is_dir():
        raise ImageUnusable(f"--image {text}: there is no such folder")
    try:
        Images([Image(name, "folder", folder=root)])
    except ValueError as exc:
        raise ImageUnusable(f"--image {text}: {exc}") from None
    if ":" in name.partition("@")[0].rpartition("/")[2]:
        raise ImageUnusable(f"--image {text}: jobs name images by digest, never by tag, so leave the tag out")
    return name, root
