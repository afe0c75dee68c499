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


@pytest.mark.integration
def test_what_is_put_off_is_there_when_it_is_used() -> None:
    """A keystore of a validator, and whatever else somebody imports from these modules."""
    program = """
import sys
import ocean
import eth_account, eth_keyfile, httpx
loaded = [name for name in sys.modules if name.startswith(("py_ecc.optimized", "pygments"))]
assert not loaded, loaded
made = eth_keyfile.create_keyfile_json(bytes(31) + bytes([7]), b"word", version=4, kdf="pbkdf2", iterations=2)
assert eth_keyfile.decode_keyfile_json(made, b"word") == bytes(31) + bytes([7])
from py_ecc.bls import G2Basic, G2ProofOfPossession
from py_ecc.bls12_381 import G1, curve_order
assert made["pubkey"] == G2ProofOfPossession.SkToPk(7).hex() == G2Basic.SkToPk(7).hex()
assert curve_order == ocean.imports._CURVE_ORDER
import py_ecc.bls.hash_to_curve
assert not hasattr(py_ecc.bls, "nothing_of_this_name")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
