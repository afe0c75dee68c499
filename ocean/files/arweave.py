"""Files of Arweave, fetched through a gateway: `GET {gateway}/{transactionId}`. User data are query parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self
from urllib.parse import quote

from ocean.files.kind import HEADERS, MALFORMED, File, FileObjectInvalid, Member, headers_json, headers_of, text_of
from ocean.files.requests import Fetch, Gateways, optional_object, through_gateway


@dataclass(frozen=True, slots=True)
class ArweaveFile(File):
    """A file of Arweave by its transaction, a secret like the CID of IPFS."""

    type: ClassVar[str] = "arweave"
    members: ClassVar[tuple[Member, ...]] = (
        Member("transactionId", "Of a file object: Arweave's transaction", demanded=True),
        HEADERS,
    )
    is_name_secret: ClassVar[bool] = True

    transaction_id: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        transaction_id = text_of(obj, "transactionId", "malformed service files, missing transactionId.")
        if transaction_id in (".", ".."):
            raise FileObjectInvalid(MALFORMED)
        return cls(transaction_id, headers_of(obj))

    def to_json(self) -> dict[str, Any]:
        return {"type": self.type, "transactionId": self.transaction_id} | headers_json(self.headers)

    def request(self, gateways: Gateways, userdata: Any = None) -> Fetch:
        url = through_gateway(gateways, self.type, quote(self.transaction_id, safe=""))
        return Fetch(url, "GET", self.headers, optional_object(userdata))
