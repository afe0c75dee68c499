"""The filter of examples/acro-filter: its modules, and the folders that it finds in its pod."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.support.clients import ROOT

EXAMPLE = ROOT / "examples" / "acro-filter"
SURVEY = (EXAMPLE / "survey.csv").read_text()
DID = "ab" * 32  # an input's folder is called like this
DATA = f"{DID}/0"


def module(name: str) -> ModuleType:
    """One of the program's modules that need no ACRO, under a name that no other has."""
    known = f"acro_filter_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, EXAMPLE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]


@dataclass(frozen=True)
class Folders:
    """What a filter finds: `inputs` has one table, `outputs` what an algorithm left, `logs` its log."""

    inputs: Path
    outputs: Path
    logs: Path

    @classmethod
    def make(cls, root: Path, table: str = SURVEY) -> Folders:
        made = cls(root / "inputs", root / "outputs", root / "logs")
        for folder in (made.inputs / DID, made.outputs, made.logs):
            folder.mkdir(parents=True)
        (made.inputs / DATA).write_text(table)
        return made

    def ask(self, *analyses: Mapping[str, Any]) -> None:
        (self.outputs / "acro.json").write_text(json.dumps({"analyses": analyses}))


def crosstab(index: Sequence[str], columns: Sequence[str]) -> dict[str, Any]:
    return {"analysis": "crosstab", "data": DATA, "index": index, "columns": columns}


def pivot_table(index: Sequence[str], values: str, aggfunc: str = "mean", **more: Any) -> dict[str, Any]:
    return {"analysis": "pivot_table", "data": DATA, "index": index, "values": values, "aggfunc": aggfunc, **more}


def regression(formula: str, kind: str = "ols") -> dict[str, Any]:
    return {"analysis": kind, "data": DATA, "formula": formula}
