"""HTTP byte by byte, for requests that no client library would send."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class RawAnswer:
    """`status` 0: the connection was closed without an answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def head(method: str, target: str | bytes, *headers: str | bytes) -> bytes:
    """Request line and headers; names the host and asks for the connection to be closed."""
    lines = [b" ".join((method.encode(), as_bytes(target), b"HTTP/1.1")), b"Host: localhost", b"Connection: close"]
    return b"\r\n".join([*lines, *(as_bytes(header) for header in headers), b"", b""])


def as_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def chunked(pieces: Iterable[bytes]) -> Iterable[bytes]:
    """A body of unknown length."""
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def exchange(url: str, pieces: Iterable[bytes], *, timeout: float = 120) -> RawAnswer:
    """Send the pieces until the service has heard enough, then read its answer to the end."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 80), timeout) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            pass  # it has closed its side; what it said before can still be read
        received = bytearray()
        try:
            while piece := connection.recv(1 << 16):
                received += piece
        except ConnectionResetError:
            pass
    return _parse(bytes(received))


def _parse(received: bytes) -> RawAnswer:
    if not received:
        return RawAnswer(0, {}, b"")
    top, _, body = received.partition(b"\r\n\r\n")
    status_line, *lines = top.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return RawAnswer(int(status_line.split()[1]), headers, body)


def cpu_seconds(pid: int) -> float:
    """What a process has computed so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Memory:
    """Resident memory of a process, and the most it had since `watch`. In bytes."""

    pid: int
    before: int

    @classmethod
    def watch(cls, pid: int) -> Memory:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # forgets the peak
        return cls(pid, cls._read(pid, "VmRSS"))

    @property
    def grown(self) -> int:
        """How much more it has had at any moment since."""
        return self._read(self.pid, "VmHWM") - self.before

    @staticmethod
    def _read(pid: int, name: str) -> int:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        raise LookupError(name)
