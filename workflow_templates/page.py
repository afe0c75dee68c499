"""The table of all options in docs/reference/environments.md, made from their declarations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from workflow_templates.declaring import options
from workflow_templates.options import Options
from workflow_templates.parts import Filter, Publication, StepPods, Toleration

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "environments.md"
_HEAD: Final = "| field | unit, form | default | consumers read | meaning |"
_TABLE: Final = re.compile(r"\| field \|.*?\n(?=\n)", re.DOTALL)


def table() -> str:
    """In Markdown, a row for each option."""
    models: tuple[tuple[str, type[BaseModel]], ...] = (
        ("", Options),
        ("steps.", StepPods),
        ("publication.", Publication),
        ("filter.", Filter),
        ("tolerations.", Toleration),
    )
    rows = [row for prefix, model in models for row in _rows(prefix, model)]
    return "\n".join((_HEAD, "| --- | --- | --- | --- | --- |", *rows)) + "\n"


def differs() -> bool:
    """Whether the page, where there is one, has another table."""
    return PAGE.is_file() and _with_table() != PAGE.read_text("utf-8")


def write() -> None:
    PAGE.write_text(_with_table(), "utf-8")


def _with_table() -> str:
    return _TABLE.sub(lambda _: table(), PAGE.read_text("utf-8"), count=1)


def _rows(prefix: str, model: type[BaseModel]) -> list[str]:
    rows = []
    for name, option in options(model):
        key = option.announced.key if option.announced is not None else ""
        default = option.default or _shown(model.model_fields[name].default)
        shown = f"`{key}`" if key else ""
        rows.append(f"| `{prefix}{name}` | {option.unit} | {default} | {shown} | {option.meaning} |")
    return rows


def _shown(default: object) -> str:
    if default is PydanticUndefined:
        return "required"
    if isinstance(default, str):
        return f"`{default}`" if default else '`""`'
    return "`[]`" if default == () else str(default)
