"""File objects: where a dataset's or an algorithm's bytes are.

A publisher's URL is the secret that the whole service protects: it never appears in a repr, an error or a log.
Texts of errors are the ones that clients of the peer know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

OTHER_TYPES: Final = ("ipfs", "arweave", "graphql", "smartcontract")

_MISSING = "malformed service files, missing required keys."
_MALFORMED = "malformed file object."


class FileObjectInvalid(ValueError):
    """The object does not describe a file. The text is for the client and shows no URL."""


class FileTypeUnsupported(FileObjectInvalid):
    """A file type of the protocol that this version cannot fetch."""

    def __init__(self, type_: str) -> None:
        super().__init__(f"files of type {type_} are not supported yet")
        self.type = type_


@dataclass(frozen=True, slots=True)
class UrlFile:
    """A file behind a URL. `headers` are sent with the request and are as secret as the URL."""

    url: str = field(repr=False)
    method: Literal["GET", "POST"] = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    type: Literal["url"] = "url"

    def to_json(self) -> dict[str, Any]:
        """The file object; `parse_file` reads it back."""
        headers = {"headers": dict(self.headers)} if self.headers else {}
        return {"type": self.type, "url": self.url, "method": self.method} | headers


def parse_file(obj: Any) -> UrlFile:
    """Read a file object. Raises FileObjectInvalid, FileTypeUnsupported."""
    if not isinstance(obj, dict):
        raise FileObjectInvalid(_MALFORMED)
    if not obj:
        raise FileObjectInvalid("cannot decrypt files for this service.")
    type_ = obj.get("type")
    if type_ is None:
        raise FileObjectInvalid(_MISSING)
    if not isinstance(type_, str):
        raise FileObjectInvalid(_MALFORMED)
    if type_ in OTHER_TYPES:
        raise FileTypeUnsupported(type_)
    if type_ != "url":
        raise FileObjectInvalid(f"Unsupported type {type_[:64]}")
    return _parse_url_file(obj)


def _parse_url_file(obj: dict[str, Any]) -> UrlFile:
    url, method, headers = obj.get("url"), obj.get("method"), obj.get("headers")
    if url is None or url == "":
        raise FileObjectInvalid(_MISSING)
    method = "GET" if method is None else method
    headers = {} if headers is None else headers
    if not isinstance(url, str) or not isinstance(method, str) or not isinstance(headers, dict):
        raise FileObjectInvalid(_MALFORMED)
    if not all(isinstance(value, str) for value in headers.values()):
        raise FileObjectInvalid(_MALFORMED)
    if method.upper() not in ("GET", "POST"):
        raise FileObjectInvalid(f"Unsafe method {method[:64].lower()}.")
    if not url.lower().startswith(("http://", "https://")) and "/" in url:
        raise FileObjectInvalid("Invalid file name format. It was not possible to get the file name.")
    return UrlFile(url, cast(Literal["GET", "POST"], method.upper()), dict(headers))
