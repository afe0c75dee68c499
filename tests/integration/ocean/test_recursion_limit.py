import subprocess
import sys

import pytest

PROGRAM = """
import sys, json
import {first}
import {second}
assert sys.getrecursionlimit() <= 1000, sys.getrecursionlimit()
try:
    json.loads("[" * 1_000_000)
except RecursionError:
    print("refused")
"""


@pytest.mark.integration
@pytest.mark.parametrize(("first", "second"), [("ocean", "py_ecc"), ("py_ecc", "ocean")])
def test_deep_json_does_not_kill_the_process(first: str, second: str) -> None:
    """eth_account raises the recursion limit so far that a request body of brackets ends in a segmentation fault."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(first=first, second=second)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert (done.returncode, done.stdout) == (0, "refused\n"), done.stderr
