"""What every type of file says of itself, and how the parts of a file object are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from ocean.files.requests import Gateways, Request

MALFORMED: Final = "malformed file object."
MISSING: Final = "malformed service files, missing required keys."


class FileObjectInvalid(ValueError):
    """The object does not describe a file. The text is for the client and shows no URL."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a file object, for the description of the API.

    `text`: a sentence without its full stop; types that share a member may each say their part of it. `demanded`: that
    it is missing is told by the member's name, as Ocean Provider does for some; of others the type's parser tells.
    """

    name: str
    text: str
    example: Any = None
    demanded: bool = False


HEADERS: Final = Member("headers", "Of a file object: sent with the request")


class File(ABC):
    """One file. A type of file is a subclass in a module of its own, and a line in `ocean.files.registry`."""

    __slots__ = ()

    type: ClassVar[str]
    """What a file object says in `type`."""
    members: ClassVar[tuple[Member, ...]]
    """What else stands in a file object."""
    is_name_secret: ClassVar[bool] = False
    """Whether who knows the file's name has the file: then the name of a published one is never shown."""

    @classmethod
    @abstractmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        """Read a file object of this type; further members are ignored. Raises FileObjectInvalid."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The file object; `parse` reads it back."""

    @abstractmethod
    def request(self, gateways: Gateways, userdata: Any = None) -> Request:
        """What must be asked to get the content. Raises GatewayMissing, UserdataInvalid."""

    @property
    def own_name(self) -> str:
        """The name that the object itself gives to the file, as the publisher wrote it; "" if it gives none."""
        return ""

    @classmethod
    def gateway_root(cls, gateway: str) -> str:
        """The part of this type's gateway below which all its files are."""
        return gateway


def text_of(obj: Mapping[str, Any], name: str, missing: str) -> str:
    """A member that must be there. Raises FileObjectInvalid, with the text `missing` if it is not."""
    value = obj.get(name)
    if value is None or value == "":
        raise FileObjectInvalid(missing)
    if not isinstance(value, str):
        raise FileObjectInvalid(MALFORMED)
    return value


def headers_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """Raises FileObjectInvalid."""
    headers = {} if obj.get("headers") is None else obj["headers"]
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise FileObjectInvalid(MALFORMED)
    if any(name.strip().lower() in ("range", "if-range") for name in headers):  # a consumer's own would replace it
        raise FileObjectInvalid(MALFORMED)
    return dict(headers)


def headers_json(headers: Mapping[str, str]) -> dict[str, Any]:
    return {"headers": dict(headers)} if headers else {}
