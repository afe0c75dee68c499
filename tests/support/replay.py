"""A small real HTTP server that gives prepared answers, for what a healthy neighbour never does.

An answer belongs to a method and a path (query left out) and is given as often as asked, or, of several, one after the
other with the last repeated. What was asked is kept, for tests that look at the wire.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

RECORDINGS = Path(__file__).parent.parent / "recordings"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    body: Any


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: Any = None  # bytes and text as they are, anything else as JSON
    content_type: str = "application/json"
    wait_seconds: float = 0.0  # before the answer
    stall_seconds: float = 0.0  # between its head and its body
    body_held: threading.Event | None = None  # the body is sent once this is set
    hang_up: bool = False  # close the connection instead of answering


@dataclass
class Replay:
    url: str
    requests: list[Request] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)  # whoever waits for an answer is let go
    answers: dict[tuple[str, str], list[Answer | Callable[[Request], Answer]]] = field(default_factory=dict)

    def on(self, method: str, path: str, *answers: Answer | Callable[[Request], Answer]) -> None:
        self.answers[method, path] = list(answers)

    def take(self, request: Request) -> Answer:
        self.requests.append(request)
        waiting = self.answers.get((request.method, request.path))
        if not waiting:
            return Answer(501, {"code": 12, "message": "Not Implemented"})
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return answer(request) if callable(answer) else answer


def recorded_rest() -> dict[str, Any]:
    """Requests and answers of a real Argo Server, by name."""
    found: dict[str, Any] = json.loads((RECORDINGS / "rest.json").read_text("utf-8"))
    return found


def recorded_job(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDINGS / "jobs" / f"{name}.json").read_text("utf-8"))
    return found


def recorded_answer(name: str) -> Answer:
    """A recorded answer, ready to be given again."""
    record = recorded_rest()[name]
    body = record["body"] if "body" in record else "".join(text for _, text in record["stream"])
    return Answer(record["status"], body if body is not None else b"")


@contextmanager
def replay_server(certificate: Path | None = None) -> Iterator[Replay]:
    """`certificate`: a PEM file with key and certificate, to answer over TLS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            raw = self.rfile.read(length)
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = replay.take(
                Request(self.command, parts.path, query, headers, json.loads(raw) if raw.strip() else None)
            )
            replay.ended.wait(answer.wait_seconds)
            if answer.hang_up:
                self.close_connection = True
                return
            body = answer.body
            if isinstance(body, str):
                body = body.encode()
            elif not isinstance(body, bytes):
                body = json.dumps(body).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.flush()
            replay.ended.wait(answer.stall_seconds)
            while answer.body_held is not None and not answer.body_held.wait(0.05) and not replay.ended.is_set():
                pass
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do  # the library's names

        def log_message(self, format: str, *args: object) -> None:
            """Tests read `requests` instead."""

        def handle(self) -> None:
            with suppress(ConnectionError, TimeoutError, ssl.SSLError):  # the client gave up, as some tests want it to
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    scheme = "http" if certificate is None else "https"
    replay = Replay(f"{scheme}://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield replay
    finally:
        replay.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
