"""A filter that runs ACRO's disclosure checks. Whatever an algorithm left is thrown away; the analyses that it asked
for in `$OUTPUTS/acro.json` are computed here, from `$INPUTS`, and stand in its place if all of them pass.

    check.py THRESHOLDS [--explain]

What is printed is published, so it is one of the sentences in `VERDICTS`; the exit code is its number, 0 releases.
`--explain` prints errors too. They quote the data: it is for trying requests on made-up data.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, Final

from request import Analysis, Regression, RequestRefused, Table, read_request
from thresholds import Thresholds, read_thresholds

VERDICTS: Final = {
    0: "Released: the analyses were computed from the inputs and have passed.",
    1: "Withheld: an analysis has not passed.",
    2: "Withheld: acro.json is missing, or asks for something that this filter does not compute.",
    3: "Withheld: the filter could not come to a verdict.",
    75: "The filter could not read or write a file: it may be tried again.",
}
_ALMOST, _CLOSE = 1e-9, 1e-6


class Withheld(Exception):
    """An analysis has not passed, for a reason that is not told."""


def judge(inputs: Path, outputs: Path, logs: Path, thresholds: Thresholds) -> None:
    """Put what was asked for in the place of outputs and logs. Raises RequestRefused, Withheld, and what ACRO does."""
    asked = read_request(outputs / "acro.json", inputs, most=1 if thresholds.suppress else thresholds.max_analyses)
    import acro  # after the request, because it takes seconds

    session = acro.ACRO()
    # The same object as that of the checks. A file of one's own would have to lie among ACRO's own files.
    session.config.update(thresholds.acro)
    for analysis in asked:
        frame = _frame(inputs, analysis.data, asked)
        if isinstance(analysis, Table):
            _tabulate(session, frame, analysis, thresholds)
        else:
            _regress(session, frame, analysis, thresholds)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made")
        # Not `finalise`: it adds a summary that ACRO itself says is not to be released.
        session.results.finalise_json(str(made))
        for place in (outputs, logs):
            _empty(place)
        for file in made.iterdir():
            shutil.copyfile(file, outputs / file.name)


def _frame(inputs: Path, data: str, asked: list[Analysis]) -> Any:
    """The columns of an input that any analysis names, and of its rows those that have all of them.

    So all analyses are of the same rows: two that differ in a few would tell of these by their difference. And ACRO
    counts rows whose value is missing as if they were part of a mean.
    """
    import numpy as np
    import pandas as pd

    names = sorted({name for analysis in asked if analysis.data == data for name in analysis.names})
    frame = pd.read_csv(
        inputs / data, usecols=names, index_col=False, encoding="utf-8-sig", compression=None, low_memory=False
    )
    frame = frame.dropna().reset_index(drop=True)
    if frame.empty or not np.isfinite(frame.select_dtypes("number")).all(axis=None):
        raise Withheld("there are no rows, or infinite numbers")
    return frame


def _tabulate(session: Any, frame: Any, table: Table, thresholds: Thresholds) -> None:
    import pandas as pd

    if _levels(frame, table.dimensions) > thresholds.max_cells:
        raise Withheld("too many cells")
    if table.values is not None and frame[table.values].dtype.kind not in "iuf":
        raise Withheld("the values are no numbers")
    frame = frame.astype(dict.fromkeys(table.dimensions, str))
    index, columns = list(table.index), list(table.columns)
    if table.values is None:
        session.crosstab([frame[name] for name in index], [frame[name] for name in columns])
    else:
        session.pivot_table(frame, values=table.values, index=index, columns=columns, aggfunc=table.aggfunc)
    record = session.results.get_index(-1)
    (made,) = record.output
    failed = _failed_cells(frame, table, made, thresholds)
    if record.status != "pass" or failed.any(axis=None):
        statuses = set(record.fair["check_status"].values())
        if not thresholds.suppress or not statuses <= {"pass", "fail"}:
            raise Withheld("a cell is too small, or all alike" if record.status == "pass" else record.summary)
        # By the mask and not with ACRO's suppression, which lets cells go whose labels are numbers with a fraction.
        if record.status != "pass":
            failed |= record.outcome != "ok"
        whole = {name: "Int64" for name in made if made[name].dtype.kind in "iu"}  # numbers that can be blank
        made = made.astype(whole).mask(failed).dropna(how="all").dropna(how="all", axis=1)
        if made.empty:
            raise Withheld("nothing would be left")
        record.status, record.exception, record.output = "review", "Cells that have not passed are blank", [made]
        # Which rule a cell has broken, and by how much, tells what was in it.
        record.summary = ""
        del record.fair["check_status"]
    record.command = _told(table)
    record.outcome, record.sdc = pd.DataFrame(), {}  # of a standard deviation they are no masks


def _failed_cells(frame: Any, table: Table, made: Any, thresholds: Thresholds) -> Any:
    """A mask of the cells that have too few rows, counted here once more, or one value for all of their rows."""
    groups = frame.groupby(list(table.dimensions))
    failed = _shaped(groups.size(), table, made) < thresholds.acro["safe_threshold"]
    if table.values is not None and table.aggfunc != "count":
        failed |= _shaped(groups[table.values].nunique(), table, made) < 2
    return failed


def _shaped(cells: Any, table: Table, made: Any) -> Any:
    """A number for each group as a table like the one that was made; 0 for what is not found."""
    wide = cells.unstack(list(table.columns)) if table.columns else cells.to_frame(made.columns[0])
    return wide.reindex(index=made.index, columns=made.columns).fillna(0)


def _regress(session: Any, frame: Any, asked: Regression, thresholds: Thresholds) -> None:
    import numpy as np

    texts = frame.select_dtypes(exclude="number").columns
    if sum(_levels(frame, [name for name in term if name in texts]) for term in asked.terms) > thresholds.max_cells:
        raise Withheld("too many groups")
    outcome = frame[asked.outcome]
    if outcome.dtype.kind not in "iuf" or (asked.kind != "ols" and set(outcome) != {0, 1}):
        raise Withheld("the outcome is no number, or neither 0 nor 1")
    fit = {"ols": session.olsr, "logit": session.logitr, "probit": session.probitr}[asked.kind]
    fitted = fit(asked.formula, frame[list(asked.names)])
    record = session.results.get_index(-1)
    if record.status != "pass":
        raise Withheld(record.summary)
    # A group of m rows gives each of them a leverage of 1/m: ACRO lets a regression tell what one person has.
    leverage = np.square(np.linalg.qr(fitted.model.exog)[0]).sum(axis=1)
    if not leverage.max() <= thresholds.max_leverage + _ALMOST:
        raise Withheld("a row of its own")
    if asked.kind != "ols" and not fitted.mle_retvals["converged"]:
        raise Withheld("no estimate")
    known = np.isclose(fitted.predict(), outcome, rtol=0, atol=_CLOSE * outcome.abs().max())
    if known.sum() >= thresholds.acro["safe_threshold"]:
        raise Withheld("the outcome of a group is known exactly")
    record.command = _told(asked)


def _levels(frame: Any, names: Any) -> int:
    """How many combinations there are of the values in these columns."""
    return math.prod(frame[name].nunique() for name in names)


def _told(analysis: Analysis) -> str:
    """An analysis for whoever reads results.json: names of columns, which were checked, and words of this program."""
    if isinstance(analysis, Regression):
        return f"{analysis.kind}: {analysis.formula}"
    told = {"index": analysis.index, "columns": analysis.columns}
    if analysis.values is None:
        return f"crosstab: {json.dumps(told)}"
    return f"pivot_table: {json.dumps(told | {'values': analysis.values, 'aggfunc': analysis.aggfunc})}"


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _quiet() -> int:
    """A descriptor for the verdict. ACRO logs the tables that it makes, and statsmodels prints, so all else is lost."""
    told, nothing = os.dup(1), os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    return told


def main(arguments: list[str]) -> int:
    told = _quiet()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ |= {"MPLCONFIGDIR": scratch, "MPLBACKEND": "Agg"}
        code, why = 0, ""
        try:
            inputs, outputs, logs = (Path(os.environ[name]) for name in ("INPUTS", "OUTPUTS", "LOGS"))
            judge(inputs, outputs, logs, read_thresholds(Path(arguments[0])))
        except Exception as exc:  # noqa: BLE001  its text may quote the data
            code = 1 if isinstance(exc, Withheld) else 2 if isinstance(exc, RequestRefused) else 3
            code, why = 75 if isinstance(exc, OSError) else code, traceback.format_exc()
    os.write(told, f"{VERDICTS[code]}\n{why if '--explain' in arguments else ''}".encode())
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
