"""The files of a service as they stand in a DDO: a list of file objects, encrypted for the provider of that service."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ocean import ecies
from ocean.addresses import AddressInvalid, canonical, checksum
from ocean.ddo import DDO, UNBOUND_VERSION, Service
from ocean.files import File, FileObjectInvalid, parse_file
from ocean.keys import Key, private_bytes
from ocean.kit.compact_json import compact_json


class FilesUnreadable(ValueError):
    """The encrypted files of a service give no file list: made for another key or asset, damaged, or empty.

    `told`: what is wrong with a file object in a list that could be opened, in the words that clients know; else "".
    """

    def __init__(self, reason: str, told: str = "") -> None:
        super().__init__(f"the files of the service cannot be read: {reason}")
        self.reason, self.told = reason, told


def encode_files(files: Iterable[File], datatoken: str, nft: str, public_key: bytes | str) -> str:
    """The `files` of a service: `0x` hex, readable with the key, and usable in this asset and service only.

    Raises AddressInvalid, PublicKeyInvalid.
    """
    document = {
        "datatokenAddress": checksum(datatoken),
        "nftAddress": checksum(nft),
        "files": [file.to_json() for file in files],
    }
    return "0x" + ecies.encrypt(public_key, compact_json(document).encode()).hex()


def files_of(ddo: DDO, service: Service, private_key: Key, *, allow_unbound: bool = False) -> tuple[File, ...]:
    """The file list of a service in its document. Raises as `decode_files`."""
    return decode_files(
        service.files,
        version=ddo.version,
        datatoken=service.datatoken_address,
        nft=ddo.nft_address,
        private_key=private_key,
        allow_unbound=allow_unbound,
    )


def decode_files(
    service_files: str,
    *,
    version: str | None,
    datatoken: str,
    nft: str,
    private_key: Key,
    allow_unbound: bool = False,
) -> tuple[File, ...]:
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
        raise FilesUnreadable(str(error), told=str(error)) from None


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
