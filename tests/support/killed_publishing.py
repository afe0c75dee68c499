"""`python -m tests.support.killed_publishing FOLDER…`: publishing, killed at one point after another, and tried again.

Each folder has a job with its environment (`environ.json`). The first job is only counted: how many points there are.
The n-th one is killed (SIGKILL) at its n-th point: before and after each change of the journal and each transaction
that goes out, before each object that goes to the store, around the summary. Every second time another job by the same
account is done before the killed one is tried again. Prints the points' names.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pods.publishing.asset as asset_module
import pods.publishing.journal as journal_module
import pods.publishing.program as program
import pods.publishing.upload as upload_module
from ocean.chain.rpc import Rpc

_passed: list[str] = []
_deadly = 0


def _point(name: str) -> None:
    _passed.append(name)
    if len(_passed) == _deadly:
        os.kill(os.getpid(), signal.SIGKILL)


def _around(module: Any, name: str, *, after: bool = True) -> None:
    real: Callable[..., Any] = getattr(module, name)

    def with_points(*args: Any, **kwargs: Any) -> Any:
        _point(f"before {name}")
        found = real(*args, **kwargs)
        if after:
            _point(f"after {name}")
        return found

    setattr(module, name, with_points)


def _patch() -> None:
    _around(os, "replace")  # of the journal and of the summary
    _around(journal_module.Journal, "_keep", after=False)
    _around(asset_module, "put_object", after=False)
    _around(upload_module, "put_object", after=False)
    _around(program, "put_object", after=False)
    real = Rpc._post

    async def post(self: Rpc, body: bytes, **options: Any) -> Any:
        if b"eth_sendRawTransaction" not in body:
            return await real(self, body, **options)
        _point("before sending")
        answer = await real(self, body, **options)
        _point("after sending")
        return answer

    Rpc._post = post  # type: ignore[method-assign]


def _publish(folder: Path, deadly: int) -> int:
    """The wait status of a process of its own."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    global _deadly
    _deadly = deadly
    code = 70
    try:
        code = int(program.run(json.loads((folder / "environ.json").read_text())))
        if deadly == 0:
            (folder / "points.json").write_text(json.dumps(_passed))
    finally:
        os._exit(code)
    return 0


def main(folders: list[Path]) -> None:
    _patch()
    first, *others = folders
    assert _publish(first, 0) == 0
    points = json.loads((first / "points.json").read_text())
    spare = others[len(points) :]
    for number, folder in enumerate(others[: len(points)], start=1):
        assert _publish(folder, number) == signal.SIGKILL, (number, points[number - 1])
        if number % 2 and spare:
            assert _publish(spare.pop(), 0) == 0
        assert _publish(folder, 0) == 0, (number, points[number - 1])
    print(json.dumps(points))


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
