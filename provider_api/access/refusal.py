"""A rule's no."""

from __future__ import annotations

from typing import NamedTuple

from provider_api.errors import Refused


class Refusal(NamedTuple):
    """`place` and `code` are what clients see: `{"error": {place: code}}`."""

    place: str
    code: str

    def error(self) -> Refused:
        return Refused({self.place: self.code})
