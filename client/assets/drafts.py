"""What is published of a file: its place, what an algorithm runs in, and what a TOML description may say besides.

name = "Rain in Potsdam"
description = "Daily rain since 1893, mm"
license = "CC-BY-4.0"
price = "5"
files = [{ type = "url", url = "https://example.org/rain.csv" }]

[release]
maxBytes = 1000000
"""

from __future__ import annotations

import re
import secrets
import shutil
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from client.exits import Unusable
from client.session import Session
from contract.release import RulesUnreadable, read_rules
from ocean.chain.publishing import AssetDraft
from ocean.files import File, FileObjectInvalid, parse_file

ANY_IMAGE_DIGEST: Final = "sha256:" + "0" * 64
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
# What an algorithm is started with, by its file's suffix: image, entrypoint, language.
_STARTS: Final = {
    ".py": ("python:3", "python $ALGO", "python"),
    ".sh": ("alpine:3", "sh $ALGO", "sh"),
    ".r": ("r-base:4.5.0", "Rscript $ALGO", "r"),
    ".js": ("node:22", "node $ALGO", "javascript"),
}


class Description(BaseModel):
    """A publisher's description, from TOML and options. `price`: whole tokens, 0 gives it away, "none" offers nothing.
    `trusted`: DIDs of algorithms that may read it; None: those that this account publishes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    files: list[dict[str, Any]] = Field(min_length=1)
    description: str = ""
    author: str = "unknown"
    license: str = "CC0-1.0"
    tags: list[str] = []
    price: Decimal | Literal["none"] = Decimal(0)
    token: str = ""  # what it is sold for; the chain's Ocean token
    timeout: int = Field(86_400, ge=0)
    trusted: list[str] | None = None
    release: dict[str, Any] = {}
    image: str = ""
    entrypoint: str = ""
    access: bool = False  # may also be downloaded; else only computed on


def describe_dataset(given: str, session: Session, **options: Any) -> Description:
    """The description of a file, a URL or a TOML file. `options`: what is given beside it, None for what is not. Raises
    Unusable."""
    return _described(given, session, options)


def describe_algorithm(given: str, session: Session, **options: Any) -> Description:
    """The same of an algorithm's file, whose suffix says image and entrypoint where nothing else does."""
    suffix = Path(urlsplit(given).path).suffix.lower()
    image, entrypoint, _ = _STARTS.get(suffix, ("", "", ""))
    found = _described(given, session, options)
    found = found.model_copy(
        update={"image": found.image or image, "entrypoint": found.entrypoint or entrypoint},
    )
    if not found.image or not found.entrypoint:
        raise Unusable(f"say what {given} runs in: --image NAME:TAG@sha256:… and --entrypoint 'program $ALGO'")
    if "$ALGO" not in found.entrypoint:
        raise Unusable("--entrypoint must contain $ALGO, which becomes the place of the algorithm's file")
    return found


def draft_of_dataset(found: Description, publisher: str) -> AssetDraft:
    """Without a word on trust only algorithms of the publisher's own may read it. Raises Unusable."""
    compute: dict[str, Any] = {"allowRawAlgorithm": False, "allowNetworkAccess": False}
    if found.trusted is None:
        compute["publisherTrustedAlgorithmPublishers"] = [publisher]
    return AssetDraft(
        name=found.name,
        files=_files(found),
        service="access" if found.access else "compute",
        description=found.description or found.name,
        author=found.author,
        license=found.license,
        timeout=found.timeout,
        compute=compute,
        release=_rules(found.release),
        tags=found.tags,
    )


def draft_of_algorithm(found: Description, *, digest_needed: bool) -> AssetDraft:
    """`digest_needed`: whether jobs run in a cluster, which takes an image by its digest only. Raises Unusable."""
    return AssetDraft(
        name=found.name,
        files=_files(found),
        type="algorithm",
        service="access" if found.access else "compute",
        description=found.description or found.name,
        author=found.author,
        license=found.license,
        timeout=found.timeout,
        algorithm={
            "language": _language(found),
            "version": "1",
            "container": _container(found, digest_needed=digest_needed),
        },
        tags=found.tags,
    )


def _described(given: str, session: Session, options: dict[str, Any]) -> Description:
    said = {name: value for name, value in options.items() if value is not None}
    path = Path(given)
    if path.suffix == ".toml" and path.is_file():
        try:
            read = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as exc:
            raise Unusable(f"{path} cannot be read: {exc}") from None
        for file in read.get("files", ()) if isinstance(read.get("files"), list) else ():
            if isinstance(file, dict) and "path" in file:
                local = path.parent / str(file.pop("path"))
                file |= {"type": "url", "url": _on_shelf(local, session), "method": "GET"}
        document = {"name": path.stem, **read, **said}
    elif given.startswith(("https://", "http://")):
        name = unquote(urlsplit(given).path.rpartition("/")[2]) or urlsplit(given).netloc
        document = {"name": name, "files": [{"type": "url", "url": given, "method": "GET"}], **said}
    else:
        document = {"name": path.name, "files": [{"type": "url", "url": _on_shelf(path, session)}], **said}
    try:
        return Description.model_validate(document)
    except ValidationError as exc:
        error = exc.errors()[0]
        raise Unusable(f"{given}: {'.'.join(str(part) for part in error['loc'])}: {error['msg']}") from None


def _on_shelf(path: Path, session: Session) -> str:
    """The URL of a local file that a service on this machine serves: a copy, in a folder that cannot be guessed. Raises
    Unusable."""
    if not path.is_file():
        raise Unusable(f"there is no file {path}; a dataset is a file, an address (https://…) or a TOML description")
    if session.local is None or not session.local.shelf:
        raise Unusable(
            f"{path} lies on this machine, and only a service on this machine (c2d serve) could fetch it from here: put"
            " it where the provider reaches it, and publish its address"
        )
    folder = Path(session.local.shelf) / secrets.token_urlsafe(16)
    try:
        folder.mkdir(mode=0o700, parents=True)
        shutil.copyfile(path, folder / path.name)
    except OSError as exc:
        raise Unusable(f"{path} cannot be copied to {folder}: {exc.strerror}") from None
    return f"{session.local.shelf_url}/{folder.name}/{quote(path.name)}"


def _files(found: Description) -> list[File]:
    try:
        return [parse_file(file if "type" in file else {**file, "type": "url"}) for file in found.files]
    except FileObjectInvalid as exc:
        raise Unusable(f"files: {exc}") from None


def _rules(given: dict[str, Any]) -> dict[str, Any]:
    try:
        read_rules(given)
    except RulesUnreadable as exc:
        raise Unusable(f"release: {exc}") from None
    return given


def _container(found: Description, *, digest_needed: bool) -> dict[str, str]:
    """Raises Unusable."""
    name, _, digest = found.image.partition("@")
    image, tag = name, ""
    if ":" in name.rpartition("/")[2]:
        image, _, tag = name.rpartition(":")
    if digest and not _DIGEST.fullmatch(digest):
        raise Unusable(f"--image: {digest} is no digest; sha256: and 64 hexadecimal digits are expected")
    if not digest and digest_needed:
        raise Unusable(
            f"--image {found.image} needs the image's digest, for a cluster runs by it: {name}@sha256:…"
            f" (`docker buildx imagetools inspect {name}` shows it)"
        )
    return {
        "entrypoint": found.entrypoint,
        "image": image,
        "tag": tag or "latest",
        "checksum": digest or ANY_IMAGE_DIGEST,
    }


def _language(found: Description) -> str:
    suffix = Path(urlsplit(str(found.files[0].get("url", ""))).path).suffix.lower()
    return _STARTS.get(suffix, ("", "", suffix.removeprefix(".") or "unknown"))[2]


__all__ = [
    "Description",
    "describe_algorithm",
    "describe_dataset",
    "draft_of_algorithm",
    "draft_of_dataset",
]
