"""`python -m benchmarks.bare_relay PORT`: what handing a file on costs at least, on this machine.

It accepts connections, opens one to that port for each, and copies bytes with two system calls for each MiB: no HTTP,
no event loop, no checks. Prints its own port, then runs until it is ended.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_PIECE_BYTES = 1 << 20


@contextlib.contextmanager
def relaying(port: int) -> Iterator[int]:
    """The relay as a process; its port."""
    words = [sys.executable, "-m", "benchmarks.bare_relay", str(port)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def main(port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        while True:
            consumer, _ = listening.accept()
            threading.Thread(target=_serve, args=(consumer, port), daemon=True).start()


def _serve(consumer: socket.socket, port: int) -> None:
    """One request, one answer: the consumer closes when it has all of it."""
    with consumer, socket.create_connection(("127.0.0.1", port)) as source, contextlib.suppress(ConnectionError):
        source.sendall(consumer.recv(_PIECE_BYTES))
        piece = memoryview(bytearray(_PIECE_BYTES))
        while count := source.recv_into(piece):
            consumer.sendall(piece[:count])


if __name__ == "__main__":
    main(int(sys.argv[1]))
