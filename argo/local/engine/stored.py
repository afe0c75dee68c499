"""Reading stored JSON that another version of this server, or nobody in his senses, has written: typed, or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from argo.local.engine.times import parse

_ABSENT: Final = object()


class Unreadable(ValueError):
    """A stored value is not what this version writes; the text names its place, not its content."""


class Part:
    """One stored object. `path` is its place in the document, for messages."""

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            raise Unreadable(f"{path} is not an object")
        self._value, self.path = value, path

    def __contains__(self, key: str) -> bool:
        return key in self._value

    def _take(self, key: str, kind: type | tuple[type, ...], what: str, default: Any) -> Any:
        value = self._value.get(key, _ABSENT)
        if value is _ABSENT and default is not _ABSENT:
            return default
        if not isinstance(value, kind):
            raise Unreadable(f"{self.path}.{key} is not {what}")
        return value

    def text(self, key: str, default: Any = _ABSENT, *, among: frozenset[str] | None = None) -> str:
        found: str = self._take(key, str, "a text", default)
        if among is not None and found not in among:
            raise Unreadable(f"{self.path}.{key} is not known to this version")
        return found

    def part(self, key: str) -> Part:
        """An object; where it is missing, an empty one."""
        return Part(self._take(key, Mapping, "an object", {}), f"{self.path}.{key}")

    def mapping(self, key: str) -> dict[str, Any]:
        return dict(self._take(key, Mapping, "an object", {}))

    def parts(self, key: str) -> list[Part]:
        found = self._take(key, list, "a list", [])
        return [Part(item, f"{self.path}.{key}[{number}]") for number, item in enumerate(found)]

    def objects(self, key: str) -> list[dict[str, Any]]:
        self.parts(key)
        return list(self._take(key, list, "a list", []))

    def texts(self, key: str) -> list[str]:
        found: Sequence[Any] = self._take(key, list, "a list", [])
        if not all(isinstance(item, str) for item in found):
            raise Unreadable(f"{self.path}.{key} is not a list of texts")
        return list(found)

    def moment(self, key: str) -> float | None:
        found = self._value.get(key)
        if found is None:
            return None
        if not isinstance(found, str):
            raise Unreadable(f"{self.path}.{key} is not a time")
        try:
            return parse(found)
        except (ValueError, OverflowError, OSError) as exc:
            raise Unreadable(f"{self.path}.{key} is not a time") from exc


def file_name(text: str, path: str) -> str:
    """A name that stands for a file of ours: it must not lead anywhere else."""
    if text in ("", ".", "..") or "/" in text or "\0" in text:
        raise Unreadable(f"{path} is not a name")
    return text
