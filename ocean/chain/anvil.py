"""anvil, the development chain, as a child process whose state file survives a kill and a restart."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from ocean.environment import inherited_environment

_PR_SET_PDEATHSIG = 1
STOP_SECONDS = 5.0
DUMP_SECONDS = 1
_KEEPING = threading.Lock()


class AnvilMissing(RuntimeError):
    """No anvil on this machine."""

    def __init__(self) -> None:
        super().__init__("anvil was not found; run tools/setup, or put it on PATH (npm package @foundry-rs/anvil)")


class AnvilFailed(RuntimeError):
    """anvil ended by itself or does not answer; `output` are its last words."""

    def __init__(self, output: str) -> None:
        super().__init__(f"anvil does not run: {output or 'no output'}")
        self.output = output


def find_anvil(binary: Path | str | None = None) -> Path:
    """`binary` if given, else from PATH, else the npm package under tools/ of the checkout. Raises AnvilMissing."""
    if binary is not None:
        return Path(binary)
    if found := shutil.which("anvil"):
        return Path(found)
    system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform, sys.platform)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    for folder in Path(__file__).resolve().parents:
        candidate = folder / f"tools/node_modules/@foundry-rs/anvil-{system}-{machine}/bin/anvil"
        if candidate.is_file():
            return candidate
    raise AnvilMissing


class AnvilProcess:
    """A running anvil. On Linux it dies with the thread that started it, so start it from one that lives long."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._log = folder / "anvil.log"
        self._ending = threading.Event()
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    @classmethod
    def start(cls, folder: Path, port: int, chain_id: int, binary: Path | str | None = None) -> AnvilProcess:
        """State in `folder`/chain.json, at most two seconds old and complete; output in `folder`/anvil.log."""
        _require_free(port)  # else whoever listens there would be taken for our chain
        folder.mkdir(parents=True, exist_ok=True)
        _keep_dump(folder, last=True)
        state = folder / "chain.json"
        options = {
            "--host": "127.0.0.1",
            "--port": str(port),
            "--chain-id": str(chain_id),
            "--hardfork": "prague",
            "--dump-state": str(_dump_of(folder)),
            "--state-interval": str(DUMP_SECONDS),
        }
        if state.exists():
            options["--load-state"] = str(state)
        command = [str(find_anvil(binary)), "--silent", *(word for pair in options.items() for word in pair)]
        with (folder / "anvil.log").open("wb") as output:
            process = subprocess.Popen(
                command,
                env=inherited_environment(),
                umask=0o077,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is for us, who stop it after the services
                preexec_fn=_die_with_parent(),  # nothing but one system call
            )
        running = cls(process, port, folder)
        threading.Thread(target=running._keep_dumps, name="anvil-state", daemon=True).start()
        return running

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def output(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:].strip()

    def stop(self) -> None:
        """End it; it writes its state before. Blocks for some milliseconds, at most five seconds."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would: the last two seconds may be lost."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self.running:
            self._process.send_signal(number)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
        self._ending.set()
        _keep_dump(self._folder, last=True)

    def _keep_dumps(self) -> None:
        while self.running and not self._ending.wait(DUMP_SECONDS):
            _keep_dump(self._folder)


def _dump_of(folder: Path) -> Path:
    return folder / "chain.json.dump"


def _keep_dump(folder: Path, *, last: bool = False) -> None:
    """Let chain.json be the latest complete dump. anvil writes over its dump in place: a kill leaves half of one.

    A chain on which nothing happens is dumped each second too, ten megabytes that are the same: only their time is new.
    """
    dump, draft, kept = _dump_of(folder), folder / "chain.json.new", folder / "chain.json"
    with _KEEPING:
        try:
            written, content = dump.stat(), dump.read_bytes()
            if kept.exists() and content == kept.read_bytes():
                os.utime(kept, ns=(written.st_atime_ns, written.st_mtime_ns))
            else:
                json.loads(content)
                draft.write_bytes(content)  # not by ocean.kit.atomic: the dump's time must be on it before it counts
                os.utime(draft, ns=(written.st_atime_ns, written.st_mtime_ns))
                draft.replace(kept)
        except (FileNotFoundError, ValueError):
            pass
        if last:
            dump.unlink(missing_ok=True)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as exc:
            raise AnvilFailed(f"port {port} is in use") from exc


def _die_with_parent() -> Callable[[], None] | None:
    """For Linux: the kernel ends the child when its parent is gone, even by SIGKILL."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None, use_errno=True).prctl, os.getpid()

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died meanwhile
            os._exit(1)

    return before_exec
