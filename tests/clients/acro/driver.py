"""The filter of examples/acro-filter, and ACRO alone, at a test's command: JSON commands on standard input, answers on
standard output, one a line.

Runs under the interpreter that has ACRO. A command is a function below: `{"command": "judge", "arguments": {...}}` is
answered by `{"result": ...}` or `{"error": "Withheld: ..."}`, here with the reason that the filter itself never tells.
"""

import dataclasses
import json
import os
import sys
from pathlib import Path

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "acro-filter"
sys.path.insert(0, str(EXAMPLE))

import acro  # noqa: E402
import check  # noqa: E402
import pandas as pd  # noqa: E402
from thresholds import read_thresholds  # noqa: E402

COMMANDS = {}


def command(function):
    COMMANDS[function.__name__] = function
    return function


@command
def judge(folder, own=None, acros=None):
    """The filter over the folders inputs, outputs and logs, with other thresholds than those that it comes with."""
    limits = read_thresholds(EXAMPLE / "thresholds.toml")
    limits = dataclasses.replace(limits, acro={**limits.acro, **(acros or {})}, **(own or {}))
    check.judge(*(Path(folder, name) for name in ("inputs", "outputs", "logs")), limits)


@command
def alone(table, asked, suppress=False):
    """What ACRO says of the same analysis, and what it would write of the first table."""
    frame, session = pd.read_csv(table), acro.ACRO(suppress=suppress)
    if asked["analysis"] == "crosstab":
        session.crosstab([frame[name] for name in asked["index"]], [frame[name] for name in asked["columns"]])
    elif asked["analysis"] == "pivot_table":
        session.pivot_table(frame, **{key: asked[key] for key in asked if key not in ("analysis", "data")})
    else:
        getattr(session, asked["analysis"] + "r")(asked["formula"], frame)
    record = session.results.get_index(-1)
    return [record.status, record.output[0].to_csv()]


for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = {"result": COMMANDS[asked["command"]](**asked["arguments"])}
    except Exception as error:  # noqa: BLE001
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), file=answers, flush=True)
