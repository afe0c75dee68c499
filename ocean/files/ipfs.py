"""Files of IPFS, fetched through a gateway: `GET {gateway}/ipfs/{hash}`. User data are query parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self
from urllib.parse import quote

from ocean.files.kind import (
    HEADERS,
    MALFORMED,
    MISSING,
    File,
    FileObjectInvalid,
    Member,
    headers_json,
    headers_of,
    text_of,
)
from ocean.files.requests import Fetch, Gateways, optional_object, through_gateway


@dataclass(frozen=True, slots=True)
class IpfsFile(File):
    """A file of IPFS by its content identifier, which is a secret: whoever knows it has the file."""

    type: ClassVar[str] = "ipfs"
    members: ClassVar[tuple[Member, ...]] = (Member("hash", "Of a file object: CID", demanded=True), HEADERS)
    is_name_secret: ClassVar[bool] = True  # some gateways say `filename="{hash}.json"`

    hash: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        hash_ = text_of(obj, "hash", MISSING)
        if any(part in ("", ".", "..") for part in hash_.split("/")):  # it becomes a path on the gateway
            raise FileObjectInvalid(MALFORMED)
        return cls(hash_, headers_of(obj))

    def to_json(self) -> dict[str, Any]:
        return {"type": self.type, "hash": self.hash} | headers_json(self.headers)

    def request(self, gateways: Gateways, userdata: Any = None) -> Fetch:
        url = through_gateway(gateways, self.type, "ipfs/" + quote(self.hash))
        return Fetch(url, "GET", self.headers, optional_object(userdata))

    @classmethod
    def gateway_root(cls, gateway: str) -> str:
        return f"{gateway.rstrip('/')}/ipfs"
