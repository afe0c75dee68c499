"""`c2d admin settings`: the page docs/reference/settings.md, made from the settings themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from provider_api.settings import PREFIX, ChainSettings, Settings

_HEAD = """# Settings

Names of the process environment. With none of them set, `c2d serve` runs complete on one machine; an unknown `C2D_`
name stops the start. Made by `c2d admin settings`; do not edit.
"""


def settings_page() -> str:
    """The whole page as Markdown."""
    lines = [_HEAD, "| name | default | meaning |", "| --- | --- | --- |"]
    lines += [_row(name, field) for name, field in _fields(Settings, PREFIX)]
    lines += ["", "Each entry of the JSON list `C2D_CHAINS` is an object:", "", "| key | default | meaning |"]
    lines += ["| --- | --- | --- |", *(_row(name, field) for name, field in ChainSettings.model_fields.items())]
    return "\n".join(lines) + "\n"


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        full, kind = f"{prefix}{name}".upper(), field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _fields(kind, full + "__")
        else:
            yield full, field


def _row(name: str, field: FieldInfo) -> str:
    meaning = " ".join((field.description or "").split()).replace("|", "\\|")
    return f"| `{name}` | {_default(field)} | {meaning} |"


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if value in (None, (), {}) or SecretStr in get_args(field.annotation):
        return ""
    return f"`{value}`"
