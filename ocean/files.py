"""File objects: where a dataset's or an algorithm's bytes are, and their encrypted form in a DDO.

A publisher's URL is the secret that the whole service protects: it never appears in a repr, an error or a log.
Texts of errors are the ones that clients of the peer know.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from ocean import ecies
from ocean.addresses import AddressInvalid, canonical, checksum
from ocean.ddo import UNBOUND_VERSION
from ocean.keys import Key, private_bytes

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


class FilesUnreadable(ValueError):
    """The encrypted files of a service give no file list: made for another key or asset, damaged, or empty."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the files of the service cannot be read: {reason}")
        self.reason = reason


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


def encode_files(files: Iterable[UrlFile], datatoken: str, nft: str, public_key: bytes | str) -> str:
    """The `files` of a service: `0x` hex, readable with the key, and usable in this asset and service only.

    Raises AddressInvalid, PublicKeyInvalid.
    """
    document = {
        "datatokenAddress": checksum(datatoken),
        "nftAddress": checksum(nft),
        "files": [file.to_json() for file in files],
    }
    return "0x" + ecies.encrypt(public_key, _compact(document)).hex()


def decode_files(
    service_files: str,
    *,
    version: str | None,
    datatoken: str,
    nft: str,
    private_key: Key,
    allow_unbound: bool = False,
) -> tuple[UrlFile, ...]:
    """The file list of a service of a DDO with this version. Raises FilesUnreadable, also for an empty list,
    and KeyInvalid.

    A document of version 4.0.0, or without one, does not say which asset it belongs to: whoever sees it could publish
    it as his own and choose its rules. Such lists are refused unless `allow_unbound`.
    """
    listed = _listed(_opened(service_files, private_key), version, datatoken, nft, allow_unbound=allow_unbound)
    if not isinstance(listed, list):
        raise FilesUnreadable("no list of files")
    if not listed:
        raise FilesUnreadable("the list of files is empty")
    try:
        return tuple(parse_file(obj) for obj in listed)
    except FileObjectInvalid as error:
        raise FilesUnreadable(str(error)) from None


def _opened(service_files: str, private_key: Key) -> Any:
    secret = private_bytes(private_key)
    try:
        blob = bytes.fromhex(service_files[2:] if service_files[:2] in ("0x", "0X") else service_files)
        return json.loads(ecies.decrypt(secret, blob))
    except ecies.DecryptionFailed:
        raise FilesUnreadable("they are not encrypted for this provider") from None
    except (ValueError, TypeError, RecursionError):
        raise FilesUnreadable("they are not the hex of an encrypted JSON document") from None


def _listed(document: Any, version: str | None, datatoken: str, nft: str, *, allow_unbound: bool) -> Any:
    if version in (None, "", UNBOUND_VERSION):
        if not allow_unbound:
            raise FilesUnreadable("they are not bound to an asset (version 4.0.0)")
        return document
    if not isinstance(document, dict):
        raise FilesUnreadable("they do not name their asset")
    try:
        bound = canonical(document["datatokenAddress"]), canonical(document["nftAddress"])
        expected = canonical(datatoken), canonical(nft)
    except (KeyError, AddressInvalid):
        raise FilesUnreadable("they do not name their asset") from None
    if bound != expected:
        raise FilesUnreadable("they were encrypted for another asset or service")
    return document.get("files")


def _compact(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
