"""Files behind a URL, asked with GET or POST. User data are query parameters (GET), or the JSON body (POST)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self, cast
from urllib.parse import unquote

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
from ocean.files.requests import Fetch, Gateways, optional_object

_NO_NAME = "Invalid file name format. It was not possible to get the file name."


@dataclass(frozen=True, slots=True)
class UrlFile(File):
    """A file behind a URL. `headers` are sent with the request and are as secret as the URL."""

    type: ClassVar[str] = "url"
    members: ClassVar[tuple[Member, ...]] = (
        Member("url", "Of a file object: address of the file", demanded=True),
        Member("method", "Of a URL: GET or POST", "GET"),
        HEADERS,
    )

    url: str = field(repr=False)
    method: Literal["GET", "POST"] = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        url = text_of(obj, "url", MISSING)
        method = "GET" if obj.get("method") is None else obj["method"]
        headers = headers_of(obj)
        if not isinstance(method, str):
            raise FileObjectInvalid(MALFORMED)
        if method.upper() not in ("GET", "POST"):
            raise FileObjectInvalid(f"Unsafe method {method[:64].lower()}.")
        if not url.lower().startswith(("http://", "https://")) and "/" in url:
            raise FileObjectInvalid(f"{_NO_NAME} The url must be one of http or https.")
        return cls(url, cast(Literal["GET", "POST"], method.upper()), headers)

    def to_json(self) -> dict[str, Any]:
        return {"type": self.type, "url": self.url, "method": self.method} | headers_json(self.headers)

    def request(self, gateways: Gateways, userdata: Any = None) -> Fetch:
        return Fetch(self.url, self.method, self.headers, optional_object(userdata))

    @property
    def own_name(self) -> str:
        """The last part of the path, without the query."""
        path = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*", "", self.url)
        return re.split(r"[/\\]", unquote(re.split(r"[?#]", path, maxsplit=1)[0]))[-1]
