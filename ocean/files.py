"""File objects: where a dataset's or an algorithm's bytes are. Five types:

url             behind a URL, asked with GET or POST
ipfs, arweave   content of a public network, fetched through a gateway
graphql         the answer of a GraphQL query
smartcontract   the answer of a contract's view function

A publisher's URL is the secret that the whole service protects, and so is the name of paid content in a public
network: neither appears in a repr, an error or a log. Texts of errors are the ones that clients of Ocean Provider know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from ocean.addresses import AddressInvalid, checksum

_MISSING = "malformed service files, missing required keys."
_MALFORMED = "malformed file object."


class FileObjectInvalid(ValueError):
    """The object does not describe a file. The text is for the client and shows no URL."""


@dataclass(frozen=True, slots=True)
class UrlFile:
    """A file behind a URL. `headers` are sent with the request and are as secret as the URL."""

    url: str = field(repr=False)
    method: Literal["GET", "POST"] = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    type: Literal["url"] = "url"

    def to_json(self) -> dict[str, Any]:
        """The file object; `parse_file` reads it back."""
        return {"type": self.type, "url": self.url, "method": self.method} | _headers_json(self.headers)


@dataclass(frozen=True, slots=True)
class IpfsFile:
    """A file of IPFS by its content identifier, which is a secret: whoever knows it has the file."""

    hash: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    type: Literal["ipfs"] = "ipfs"

    def to_json(self) -> dict[str, Any]:
        return {"type": self.type, "hash": self.hash} | _headers_json(self.headers)


@dataclass(frozen=True, slots=True)
class ArweaveFile:
    """A file of Arweave by its transaction, a secret like the CID of IPFS."""

    transaction_id: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    type: Literal["arweave"] = "arweave"

    def to_json(self) -> dict[str, Any]:
        return {"type": self.type, "transactionId": self.transaction_id} | _headers_json(self.headers)


@dataclass(frozen=True, slots=True)
class GraphqlFile:
    """The JSON answer of a GraphQL server; user data become the query's variables."""

    url: str = field(repr=False)
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    type: Literal["graphql"] = "graphql"

    def to_json(self) -> dict[str, Any]:
        return {"type": self.type, "url": self.url, "query": self.query} | _headers_json(self.headers)


@dataclass(frozen=True, slots=True)
class ContractFile:
    """What a view function of a contract answers, as JSON text; user data are its arguments by name.

    `address` is a checksum address. `chain_id` is None if the object names none: then the file cannot be fetched.
    """

    address: str
    abi: Mapping[str, Any] = field(repr=False, hash=False)
    chain_id: int | None = None
    type: Literal["smartcontract"] = "smartcontract"

    @property
    def inputs(self) -> list[tuple[str, str]]:
        """(name, type) of each argument, in order."""
        return [(str(item["name"]), str(item["type"])) for item in self.abi["inputs"]]

    def to_json(self) -> dict[str, Any]:
        chain = {} if self.chain_id is None else {"chainId": self.chain_id}
        return {"type": self.type, "address": self.address, "abi": dict(self.abi)} | chain


HttpFile = UrlFile | IpfsFile | ArweaveFile | GraphqlFile
File = HttpFile | ContractFile


def parse_file(obj: Any) -> File:
    """Read a file object; further keys (`index`) are ignored. Raises FileObjectInvalid."""
    if not isinstance(obj, dict):
        raise FileObjectInvalid(_MALFORMED)
    if not obj:
        raise FileObjectInvalid("cannot decrypt files for this service.")
    type_ = obj.get("type")
    if type_ is None:
        raise FileObjectInvalid(_MISSING)
    if not isinstance(type_, str):
        raise FileObjectInvalid(_MALFORMED)
    parser = _PARSERS.get(type_)
    if parser is None:
        raise FileObjectInvalid(f"Unsupported type {type_[:64]}")
    return parser(obj)


def _parse_url(obj: Mapping[str, Any]) -> UrlFile:
    url = _text(obj, "url", _MISSING)
    method = "GET" if obj.get("method") is None else obj["method"]
    headers = _headers(obj)
    if not isinstance(method, str):
        raise FileObjectInvalid(_MALFORMED)
    if method.upper() not in ("GET", "POST"):
        raise FileObjectInvalid(f"Unsafe method {method[:64].lower()}.")
    if not url.lower().startswith(("http://", "https://")) and "/" in url:
        raise FileObjectInvalid(f"{_NO_NAME} The url must be one of http or https.")
    return UrlFile(url, cast(Literal["GET", "POST"], method.upper()), headers)


def _parse_ipfs(obj: Mapping[str, Any]) -> IpfsFile:
    hash_ = _text(obj, "hash", _MISSING)
    if any(part in ("", ".", "..") for part in hash_.split("/")):  # it becomes a path on the gateway
        raise FileObjectInvalid(_MALFORMED)
    return IpfsFile(hash_, _headers(obj))


def _parse_arweave(obj: Mapping[str, Any]) -> ArweaveFile:
    transaction_id = _text(obj, "transactionId", "malformed service files, missing transactionId.")
    if transaction_id in (".", ".."):
        raise FileObjectInvalid(_MALFORMED)
    return ArweaveFile(transaction_id, _headers(obj))


def _parse_graphql(obj: Mapping[str, Any]) -> GraphqlFile:
    url = _text(obj, "url", "missing graphql endpoint")
    return GraphqlFile(url, _text(obj, "query", "missing graphql query"), _headers(obj))


def _parse_contract(obj: Mapping[str, Any]) -> ContractFile:
    where = "malformed smartcontract type, missing contract address"
    try:
        address = checksum(_text(obj, "address", where))
    except AddressInvalid:
        raise FileObjectInvalid(where) from None
    chain_id = obj.get("chainId")
    known = isinstance(chain_id, int) and not isinstance(chain_id, bool)
    return ContractFile(address, _abi(obj.get("abi")), chain_id if known else None)


def _abi(abi: Any) -> dict[str, Any]:
    if not isinstance(abi, dict) or abi.get("type") != "function" or not isinstance(abi.get("inputs"), list):
        raise FileObjectInvalid("invalid abi")
    if not all(
        isinstance(item, dict) and isinstance(item.get("name"), str) and isinstance(item.get("type"), str)
        for item in abi["inputs"]
    ):
        raise FileObjectInvalid("invalid abi")
    if abi.get("stateMutability") not in ("view", "pure"):
        raise FileObjectInvalid("only view or pure functions are allowed")
    if not isinstance(abi.get("name"), str) or not abi["name"]:
        raise FileObjectInvalid("missing name")
    return dict(abi)


_NO_NAME = "Invalid file name format. It was not possible to get the file name."

_PARSERS: dict[str, Callable[[Mapping[str, Any]], File]] = {
    "url": _parse_url,
    "ipfs": _parse_ipfs,
    "arweave": _parse_arweave,
    "graphql": _parse_graphql,
    "smartcontract": _parse_contract,
}


def _text(obj: Mapping[str, Any], name: str, missing: str) -> str:
    value = obj.get(name)
    if value is None or value == "":
        raise FileObjectInvalid(missing)
    if not isinstance(value, str):
        raise FileObjectInvalid(_MALFORMED)
    return value


def _headers(obj: Mapping[str, Any]) -> dict[str, str]:
    headers = {} if obj.get("headers") is None else obj["headers"]
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise FileObjectInvalid(_MALFORMED)
    if any(name.strip().lower() in ("range", "if-range") for name in headers):  # a consumer's own would replace it
        raise FileObjectInvalid(_MALFORMED)
    return dict(headers)


def _headers_json(headers: Mapping[str, str]) -> dict[str, Any]:
    return {"headers": dict(headers)} if headers else {}
