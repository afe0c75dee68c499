from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from pods.start_script import Start, start_script

pytestmark = pytest.mark.unit

START = Start(
    volume="/data",
    dids=("did:op:da7a01", "did:op:da7a02", "did:op:da7a01"),
    algorithm_did="did:op:c0ffee",
    secret="5e" * 16,
    entrypoint="python $ALGO",
    run_seconds=60,
    paid_until=None,
    log_bytes=1 << 20,
)


def value_of(script: str, name: str) -> str:
    line = next(line for line in script.splitlines() if line.startswith(f"{name}="))
    return shlex.split(line)[0].partition("=")[2]


def test_the_contracts_variables() -> None:
    script = start_script(START)
    assert 'DIDS=\'["da7a01","da7a02","da7a01"]\' TRANSFORMATION_DID=c0ffee VOLUME=/data\n' in script
    assert "INPUTS=/data/inputs OUTPUTS=/data/outputs LOGS=/data/logs\n" in script
    assert "\nexport DIDS TRANSFORMATION_DID VOLUME INPUTS OUTPUTS LOGS secret\n" in script


@pytest.mark.parametrize(
    ("entrypoint", "expected"),
    [
        ("python $ALGO", "python /data/transformations/algorithm"),
        ("$ALGO && $ALGORITHM", "/data/transformations/algorithm && /data/transformations/algorithmRITHM"),
        ("echo '{{=1+1}}' \"$HOME\" `id` \\", "echo '{{=1+1}}' \"$HOME\" `id` \\"),
        ("ls", "ls"),
    ],
)
def test_the_entrypoint_is_taken_literally(entrypoint: str, expected: str) -> None:
    assert value_of(start_script(replace(START, entrypoint=entrypoint)), "c2d_entrypoint") == expected


def test_nothing_of_a_value_becomes_part_of_the_script() -> None:
    nasty = "'; rm -rf /; echo '$(reboot)`reboot`${IFS}$$\\"
    script = start_script(replace(START, entrypoint=nasty, secret=nasty, volume="/my data/$x"))
    assert value_of(script, "c2d_entrypoint") == nasty
    assert value_of(script, "secret") == nasty
    assert "INPUTS='/my data/$x'/inputs" in script


def test_limits() -> None:
    script = start_script(replace(START, run_seconds=7, paid_until=1234, log_bytes=1024, grace_seconds=3))
    assert value_of(script, "c2d_seconds") == "7"
    assert value_of(script, "c2d_end") == "1234"
    assert "ulimit -f 2 " in script
    assert value_of(start_script(START), "c2d_end") == ""


def test_text_that_no_shell_can_hold() -> None:
    for entrypoint in ("a\0b", "\ud800"):
        with pytest.raises(ValueError, match=r"zero byte|surrogates"):
            start_script(replace(START, entrypoint=entrypoint))


def test_a_raw_algorithm_has_no_did() -> None:
    assert "TRANSFORMATION_DID='' " in start_script(replace(START, algorithm_did=""))
