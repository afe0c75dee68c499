"""Asks the filter for three analyses of a survey. Standard library only: it computes nothing itself.

It may read the data to decide what to ask for. Whatever else it leaves or prints, nobody will see.
"""

import json
import os
from pathlib import Path

did = json.loads(os.environ["DIDS"])[0].removeprefix("did:op:")
data = f"{did}/0"
analyses = [
    {"analysis": "crosstab", "data": data, "index": ["region"], "columns": ["sex"]},
    {"analysis": "pivot_table", "data": data, "index": ["region"], "values": "wage", "aggfunc": "mean"},
    {"analysis": "ols", "data": data, "formula": "wage ~ hours + member + sex"},
]
Path(os.environ["OUTPUTS"], "acro.json").write_text(json.dumps({"analyses": analyses}, indent=2))
