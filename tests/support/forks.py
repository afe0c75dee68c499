"""Programs of ours, each in a process of its own, without the second or three of imports that each of them begins with.

They are forked from one process that has imported what they import (`multiprocessing`'s fork server), with arguments,
environment, folder and output of their own. That programs also start from nothing is seen by the tests of the whole
service, whose parts are started as everybody starts them.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, Self

from tests.support.processes import die_with_parent

C2D: Final = "provider_api.cli:main"  # as the entry point of the package names it
_IMPORTED: Final = [
    "provider_api.app",
    "provider_api.http.protocol",
    "uvicorn",
    "provider_api.cli.doctor",
    "provider_api.cli.migrate",
    "provider_api.cli.publication",
    "provider_api.cli.rehearsal",
    "provider_api.cli.result_store",
    "provider_api.cli.serve",
    "provider_api.doctor.run",
    "provider_api.doctor.cluster",
    "pods.configuration.program",
    "pods.filtering.program",
    "pods.publishing.program",
    "pods.publishing.asset",
    "tests.support.replica",
]
_CONTEXT: Final = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(_IMPORTED)


class Forked:
    """A program that runs, or has run. `stdout` and `stderr` are files."""

    def __init__(
        self,
        program: str,
        words: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        output: Path,
        errors: Path,
        strict: bool = False,
    ) -> None:
        """`program`: a module with a `__main__`, or `module:function`. `strict`: warnings are exceptions."""
        self._output, self._errors = output, errors
        self.args = [program, *words]
        arguments = (self.args, dict(env), str(cwd), str(output), str(errors), strict)
        self._process = _CONTEXT.Process(target=_run, args=arguments, daemon=True)
        self._process.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
        self.wait()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative: the signal that has ended it."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it has written until its end. Raises subprocess.TimeoutExpired."""
        self.wait(timeout)
        return self._output.read_text(), self._errors.read_text()

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run(
    program: str, *words: str, env: Mapping[str, str], cwd: Path, timeout: float = 240, strict: bool = False
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` does it, with captured texts. Raises subprocess.TimeoutExpired; then it is killed."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        running = Forked(program, words, env=env, cwd=cwd, output=output, errors=errors, strict=strict)
        try:
            said = running.communicate(timeout)
        finally:
            running.kill()
        return subprocess.CompletedProcess(running.args, running.wait(), *said)


def _run(arguments: list[str], environ: dict[str, str], folder: str, output: str, errors: str, strict: bool) -> None:
    die_with_parent(signal.SIGKILL)()
    sys.stdout, sys.stderr = _written(output, 1), _written(errors, 2)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    sys.argv = arguments
    if strict:
        warnings.simplefilter("error")
    module, _, name = arguments[0].partition(":")
    if name:
        sys.exit(getattr(importlib.import_module(module), name)())
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _written(path: str, descriptor: int) -> IO[Any]:
    with open(path, "ab") as file:
        os.dup2(file.fileno(), descriptor)
    return open(descriptor, "w", encoding="utf-8", buffering=1, closefd=False)
