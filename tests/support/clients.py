"""Published clients of the protocol, run unmodified: each a process that takes commands and answers them, line by line.

The drivers lie in tests/clients, the clients where tools/setup-clients installed them. One that is not there is a named
skip, and a failure in CI.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from ocean.chain.development import account

# A client counts its nonces upwards from what the service tells; the clock nonces of other tests, for the same account,
# would be numbers too large for it.
CLIENT_PUBLISHER, PYTHON_CONSUMER, JAVASCRIPT_CONSUMER = account(7), account(8), account(9)
ROOT = Path(__file__).parents[2]
DRIVERS, INSTALLED = ROOT / "tests" / "clients", ROOT / ".clients"


class ClientError(Exception):
    """The client raised an exception, whose class and text this is."""


class Client:
    """`with Client(command) as client: client("status", job=...)` answers what the driver's function returns."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command, self._log = command, log

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # closes its input, whereupon it ends
        assert self._process.returncode == 0, self._log.read_text()[-2000:]

    def __call__(self, command: str, **arguments: Any) -> Any:
        """Raises ClientError."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the client has ended: {self._log.read_text()[-2000:]}"
        answer = json.loads(line)
        if "error" in answer:
            raise ClientError(answer["error"])
        return answer["result"]


def ocean_py() -> list[str]:
    """The command that runs a program under ocean.py's interpreter."""
    require_client("oceanpy")
    return [str(INSTALLED / "oceanpy" / "bin" / "python"), "-W", "ignore"]


def ocean_js(version: str) -> list[str]:
    """The command that runs a program which may require this version of the client."""
    require_client(f"oceanjs-{version}")
    node = shutil.which("node") or shutil.which("node", path=str(ROOT / ".venv" / "bin"))
    assert node is not None, "npm is there, but node is not"
    return [node, "--no-deprecation"]


def require_client(name: str) -> None:
    if (INSTALLED / name / "installed").exists():
        return
    reason = INSTALLED / f"{name}.missing"
    text = reason.read_text().strip() if reason.exists() else f"{name} is not installed: run tools/setup-clients"
    (pytest.fail if os.environ.get("CI") else pytest.skip)(text)
