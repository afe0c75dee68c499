"""The same tests as an ordinary user, when they run as root."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

# Python may live where nobody but root gets (/root/...): in a private mount namespace a bare /root takes its place,
# with the interpreter at its own path.
SCRIPT = """
set -e
mkdir -p "$WORK/hold"; mount --bind "$BASE" "$WORK/hold"
case "$BASE" in /root/*) mount -t tmpfs -o mode=755 none /root; mkdir -p "$BASE"
    mount --bind "$WORK/hold" "$BASE";; esac
chown "$WHO" "$WORK"
exec setpriv --reuid "$WHO" --regid "$WHO" --clear-groups "$@"
"""
ORDINARY = 64123


@pytest.mark.skipif(os.geteuid() != 0, reason="these tests run as an ordinary user already")
def test_as_an_ordinary_user(tmp_path: Path) -> None:
    project, here = Path(__file__).parents[5], Path(__file__).parent
    if not os.access(project, os.R_OK) or any(not p.stat().st_mode & 0o001 for p in project.parents):
        pytest.skip("an ordinary user does not get into the project's folder")
    work = Path("/tmp") / f"c2d-as-user-{os.getpid()}"
    work.mkdir(mode=0o755)
    env = {
        "PATH": os.environ["PATH"],
        "WORK": str(work),
        "BASE": sys.base_prefix,
        "WHO": str(ORDINARY),
        "HOME": str(work),
    }
    env |= {"PYTHONDONTWRITEBYTECODE": "1", "CI": os.environ.get("CI", ""), "LOGNAME": "ordinary"}
    pytest_call = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        f"--basetemp={work}/t",
        str(here),
    ]
    command = ["unshare", "-m", "--propagation", "private", "sh", "-c", SCRIPT, "sh", *pytest_call]
    try:
        done = subprocess.run(command, env=env, cwd=project, capture_output=True, text=True, timeout=280)
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", str(work)], check=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert " passed" in done.stdout
    assert "sandboxes do not work" not in done.stdout
