"""The types of files: each is one module of this package and one line here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from ocean.files.arweave import ArweaveFile
from ocean.files.contract import ContractFile
from ocean.files.graphql import GraphqlFile
from ocean.files.ipfs import IpfsFile
from ocean.files.kind import MALFORMED, MISSING, File, FileObjectInvalid, Member
from ocean.files.requests import Gateways
from ocean.files.url import UrlFile

TYPES: Final[list[type[File]]] = [  # in Ocean Provider's order
    IpfsFile,
    UrlFile,
    ArweaveFile,
    GraphqlFile,
    ContractFile,
]


def parse_file(obj: Any) -> File:
    """Read a file object; further keys (`index`) are ignored. Raises FileObjectInvalid."""
    if not isinstance(obj, dict):
        raise FileObjectInvalid(MALFORMED)
    if not obj:
        raise FileObjectInvalid("cannot decrypt files for this service.")
    name = obj.get("type")
    if name is None:
        raise FileObjectInvalid(MISSING)
    if not isinstance(name, str):
        raise FileObjectInvalid(MALFORMED)
    found = next((each for each in TYPES if each.type == name), None)
    if found is None:
        raise FileObjectInvalid(f"Unsupported type {name[:64]}")
    return found.parse(obj)


def gateway_roots(gateways: Gateways) -> list[str]:
    """What files are fetched from below, of each gateway that there is."""
    return [each.gateway_root(gateways[each.type]) for each in TYPES if gateways.get(each.type)]


def described_types() -> Iterable[type[File]]:
    """The types as the description of the API lists them: short names first."""
    return sorted(TYPES, key=lambda each: len(each.type))


def described_members() -> list[Member]:
    """The members that file objects may have beside `type`, each once, with what all types say of it."""
    found: dict[str, list[Member]] = {}
    for each in described_types():
        for member in each.members:
            found.setdefault(member.name, []).append(member)
    return [
        replace(told[0], text=" or ".join(dict.fromkeys(member.text for member in told)) + ".")
        for told in found.values()
    ]
