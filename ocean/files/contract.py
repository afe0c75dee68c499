"""Files that are the answer of a contract's view function, as JSON text. User data are its arguments by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NoReturn, Self

from ocean.addresses import AddressInvalid, checksum
from ocean.files.kind import File, FileObjectInvalid, Member, text_of
from ocean.files.requests import Gateways, UserdataInvalid, ViewCall, required_object


@dataclass(frozen=True, slots=True)
class ContractFile(File):
    """`address` is a checksum address. `chain_id` is None if the object names none: then the file cannot be fetched."""

    type: ClassVar[str] = "smartcontract"
    members: ClassVar[tuple[Member, ...]] = (
        Member("address", "Of a contract"),
        Member("abi", "Of a contract: one view function"),
        Member("chainId", "Of a contract"),
    )

    address: str
    abi: Mapping[str, Any] = field(repr=False, hash=False)
    chain_id: int | None = None

    @property
    def inputs(self) -> list[tuple[str, str]]:
        """(name, type) of each argument, in order."""
        return [(str(item["name"]), str(item["type"])) for item in self.abi["inputs"]]

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        where = "malformed smartcontract type, missing contract address"
        try:
            address = checksum(text_of(obj, "address", where))
        except AddressInvalid:
            raise FileObjectInvalid(where) from None
        chain_id = obj.get("chainId")
        known = isinstance(chain_id, int) and not isinstance(chain_id, bool)
        return cls(address, _abi(obj.get("abi")), chain_id if known else None)

    def to_json(self) -> dict[str, Any]:
        chain = {} if self.chain_id is None else {"chainId": self.chain_id}
        return {"type": self.type, "address": self.address, "abi": dict(self.abi)} | chain

    def request(self, gateways: Gateways, userdata: Any = None) -> ViewCall:
        return ViewCall(self.address, self.abi, self.chain_id, tuple(_arguments(self.inputs, userdata)))


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


def _arguments(inputs: list[tuple[str, str]], userdata: Any) -> list[Any]:
    """The arguments in order; addresses in checksum spelling.

    False, 0 and "" are values (Ocean Provider takes them for missing). Raises UserdataInvalid.
    """
    if not inputs:
        return []
    values = required_object(userdata)
    if not values:
        raise UserdataInvalid("Missing parameters")
    missing = [name for name, _ in inputs if values.get(name) is None]
    if missing:
        raise UserdataInvalid(f"Missing userparams: {','.join(missing)}")
    return [_argument(name, type_, values[name]) for name, type_ in inputs]


def _argument(name: str, type_: str, value: Any) -> Any:
    if type_ == "address":
        try:
            return checksum(value) if isinstance(value, str) else _refuse(name)
        except AddressInvalid:
            _refuse(name)
    if type_.startswith(("uint", "int")) and not type_.endswith("]") and isinstance(value, str):
        try:
            return int(value)  # large numbers travel as text, because JavaScript rounds them
        except ValueError:
            _refuse(name)
    if type_.startswith("bytes") and not type_.endswith("]") and isinstance(value, str):
        try:
            return bytes.fromhex(value.removeprefix("0x"))
        except ValueError:
            _refuse(name)
    return value


def _refuse(name: str) -> NoReturn:
    raise UserdataInvalid(f"Invalid userparams: {name}")
