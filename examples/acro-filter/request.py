"""What may be asked of the filter: a closed list of analyses, read from a file that an algorithm wrote.

No text of the request is evaluated. Names must be columns of the file that is analysed, and a formula is taken apart
here and put together anew, because statsmodels runs what stands in a formula as Python code.
"""

from __future__ import annotations

import csv
import json
import keyword
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MAX_BYTES: Final = 64 << 10
MAX_DIMENSIONS: Final = 3
MAX_TERMS: Final = 20
# Minimum, maximum and mode are values of single persons; ACRO lets them pass.
STATISTICS: Final = ("count", "mean", "median", "std", "sum")
REGRESSIONS: Final = ("ols", "logit", "probit")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_DATA = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}/[0-9]{1,4}")


class RequestRefused(Exception):
    """The request is not one that this filter computes."""


@dataclass(frozen=True, slots=True)
class Table:
    """A crosstab counts rows; a pivot table, which has `values`, tells a statistic of them in each cell."""

    data: str
    index: tuple[str, ...]
    columns: tuple[str, ...]
    values: str | None = None
    aggfunc: str | None = None

    @property
    def dimensions(self) -> tuple[str, ...]:
        return (*self.index, *self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.dimensions, *([] if self.values is None else [self.values]))


@dataclass(frozen=True, slots=True)
class Regression:
    """`terms`: each is a column, or several whose product it is."""

    kind: str
    data: str
    outcome: str
    terms: tuple[tuple[str, ...], ...]

    @property
    def formula(self) -> str:
        return f"{self.outcome} ~ {' + '.join(':'.join(term) for term in self.terms)}"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([self.outcome, *(name for term in self.terms for name in term)]))


Analysis = Table | Regression


def read_request(path: Path, inputs: Path, *, most: int) -> list[Analysis]:
    """The analyses in their order, at most `most`. Raises RequestRefused for anything else, OSError where a file cannot
    be read."""
    asked = _members(_json(path), {"analyses"})["analyses"]
    if not isinstance(asked, list) or not 1 <= len(asked) <= most:
        raise RequestRefused(f"needs a list of 1 to {most} analyses")
    return [_analysis(each, inputs) for each in asked]


def _json(path: Path) -> Any:
    if not path.is_symlink() and not path.exists():
        raise RequestRefused(f"there is no {path.name}")
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
        raise RequestRefused(f"{path.name} is no file, or too large")
    try:
        return json.loads(path.read_bytes(), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as exc:
        raise RequestRefused("no JSON") from exc


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _no_number(text: str) -> Any:
    raise ValueError(text)


def _members(value: object, needed: set[str], optional: Iterable[str] = ()) -> dict[str, Any]:
    if not isinstance(value, dict) or not needed <= set(value) <= needed.union(optional):
        raise RequestRefused("a member is missing or unknown")
    return value


def _analysis(value: object, inputs: Path) -> Analysis:
    kind = value.get("analysis") if isinstance(value, dict) else None
    analysis: Analysis
    if kind == "crosstab":
        members = _members(value, {"analysis", "data", "index", "columns"})
        analysis = Table(_data(members["data"], inputs), _names(members["index"]), _names(members["columns"]))
    elif kind == "pivot_table":
        members = _members(value, {"analysis", "data", "index", "values", "aggfunc"}, ["columns"])
        columns = _names(members["columns"]) if "columns" in members else ()
        if members["aggfunc"] not in STATISTICS:
            raise RequestRefused("aggfunc is none of the statistics")
        index, values = _names(members["index"]), _name(members["values"])
        analysis = Table(_data(members["data"], inputs), index, columns, values, members["aggfunc"])
    elif kind in REGRESSIONS:
        members = _members(value, {"analysis", "data", "formula"})
        analysis = Regression(kind, _data(members["data"], inputs), *_formula(members["formula"]))
    else:
        raise RequestRefused("an analysis is none of those that there are")
    _check_names(analysis, inputs)
    return analysis


def _data(value: object, inputs: Path) -> str:
    """The name of an input, `DID/0` with the DID as its folder is called. Links are refused: inputs are never links."""
    if not isinstance(value, str) or not _DATA.fullmatch(value):
        raise RequestRefused("data is no name of an input")
    path = inputs / value
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        raise RequestRefused("there is no such input")
    return value


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_DIMENSIONS:
        raise RequestRefused(f"needs a list of 1 to {MAX_DIMENSIONS} columns")
    return tuple(_name(each) for each in value)


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value) or keyword.iskeyword(value):
        raise RequestRefused("no name of a column")
    return value


def _formula(value: object) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """`outcome ~ a + b + a:b`, and nothing else that statsmodels knows."""
    if not isinstance(value, str) or len(value) > MAX_BYTES:
        raise RequestRefused("no formula")
    outcome, tilde, right = value.partition("~")
    terms = [[_name(name.strip(" ")) for name in term.split(":")] for term in right.split("+")]
    if not tilde or len(terms) > MAX_TERMS or max(map(len, terms)) > MAX_DIMENSIONS:
        raise RequestRefused("no formula, or too long")
    return _name(outcome.strip(" ")), tuple(tuple(term) for term in terms)


def _check_names(analysis: Analysis, inputs: Path) -> None:
    """Each name is a column of the file, which has it once, and a table names it once."""
    header = _header(inputs / analysis.data)
    if any(header.count(name) != 1 for name in analysis.names):
        raise RequestRefused("there is no such column")
    if isinstance(analysis, Table) and len(set(analysis.names)) != len(analysis.names):
        raise RequestRefused("a column stands twice")
    if isinstance(analysis, Regression) and any(analysis.outcome in term for term in analysis.terms):
        raise RequestRefused("the outcome explains itself")


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file), [])
    except (ValueError, csv.Error) as exc:
        raise RequestRefused("the input is no table") from exc
