"""A dataset's two lists of trust: algorithms by DID and checksums, publishers by address. `*` stands for anything.

    "publisherTrustedAlgorithms": [{"did", "filesChecksum", "containerSectionChecksum", "serviceId"}, …]
    "publisherTrustedAlgorithmPublishers": ["0x…", …]

Each value of an entry may be `*`, and so may an entry, or a whole list. `serviceId` is of newer documents: an entry
that has it trusts the algorithm's service of this id alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ocean.addresses import AddressInvalid, canonical
from ocean.ddo import Service

ANYTHING = "*"


@dataclass(frozen=True, slots=True)
class TrustedLists:
    """As published. Empty: that list says nothing."""

    algorithms: tuple[Any, ...] = ()
    publishers: tuple[Any, ...] = ()

    @classmethod
    def of(cls, service: Service | None) -> Self:
        section = service.compute if service is not None and service.type == "compute" else None
        if section is None:
            return cls()
        return cls(
            _listed(section.publisher_trusted_algorithms), _listed(section.publisher_trusted_algorithm_publishers)
        )

    @property
    def are_empty(self) -> bool:
        return not self.algorithms and not self.publishers

    @property
    def are_both_used(self) -> bool:
        return bool(self.algorithms) and bool(self.publishers)

    @property
    def every_algorithm(self) -> bool:
        """The list of algorithms has `*` in the place of an entry, so no checksums are asked for."""
        return any(is_anything(entry) for entry in self.algorithms)

    @property
    def malformed(self) -> bool:
        """An entry of the list of algorithms names no DID."""
        return not self.every_algorithm and len(self._entries()) != len(self.algorithms)

    def trust_publisher(self, owner: str) -> bool:
        """In any letter case; not if the list is empty."""
        spelled = {_spelled(address) for address in self.publishers} - {""}
        return any(is_anything(address) for address in self.publishers) or _spelled(owner) in spelled

    def entries_for(self, did: str, service_id: str) -> list[Mapping[str, Any]]:
        """The entries that trust this algorithm, by its DID in the very letter case."""
        found = [entry for entry in self._entries() if is_anything(entry["did"]) or entry["did"] == did]
        return [entry for entry in found if _is_or_anything(entry.get("serviceId"), service_id)]

    def dids(self) -> list[str]:
        return [str(entry["did"]) for entry in self._entries()]

    def _entries(self) -> list[Mapping[str, Any]]:
        return [entry for entry in self.algorithms if isinstance(entry, Mapping) and entry.get("did")]


def is_anything(value: Any) -> bool:
    return isinstance(value, str) and value.strip() == ANYTHING


def _is_or_anything(wanted: Any, found: str) -> bool:
    return not wanted or is_anything(wanted) or wanted == found


def _listed(value: Any) -> tuple[Any, ...]:
    """A list as published; a single value counts as a list of it, so a malformed one fits nothing."""
    if not value:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)


def _spelled(value: Any) -> str:
    try:
        return canonical(value) if isinstance(value, str) else ""
    except AddressInvalid:
        return ""
