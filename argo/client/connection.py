"""How Argo Server is reached: address, token, trust, time limits. Shared by the three libraries that speak to it."""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import urllib3

from argo.client.errors import ArgoUnavailable
from ocean.kit.kubernetes_names import is_label

# What urllib3, below both libraries, raises before a request has left this machine.
NEVER_SENT: Final = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
CONNECT_SECONDS: Final = 3.0

_LEAST_SECONDS: Final = 0.01
_thread = threading.local()

Token = str | Path | Callable[[], str] | None


@dataclass(frozen=True, slots=True)
class Connection:
    """`url` may have a path (`--base-href`). `verify`: True, False, or a file with the certificates to trust."""

    url: str
    namespace: str
    token: Token = None
    verify: bool | Path = True
    timeout_seconds: float = 10.0  # for an answer; to connect, at most CONNECT_SECONDS of it
    calls_at_once: int = 16

    def __post_init__(self) -> None:
        if not re.match(r"https?://[^/]", self.url):
            raise ValueError("the address of Argo Server starts with http:// or https://")
        if not is_label(self.namespace):
            raise ValueError("the namespace is not a Kubernetes name")

    @property
    def base(self) -> str:
        """With one slash at the end: only so do URL joins keep a path."""
        return self.url.rstrip("/") + "/"

    @property
    def timeouts(self) -> tuple[float, float]:
        """To connect, and to wait for bytes. In a thread that works until a deadline, never beyond it."""
        left = self.timeout_seconds
        if (deadline := getattr(_thread, "deadline", None)) is not None:
            left = min(left, max(deadline - time.monotonic(), _LEAST_SECONDS))
        return min(CONNECT_SECONDS, left), left

    def authorization(self) -> str | None:
        """The header for one request; None where no token is set. Read each time, because mounted tokens rotate.

        Raises ArgoUnavailable when a token should be there and is not, as before a server on this machine has made it.
        """
        token = self.token
        try:
            if isinstance(token, Path):
                token = token.read_text("utf-8")
            elif callable(token):
                token = token()
        except OSError as exc:
            raise ArgoUnavailable("its token cannot be read", definite=True) from exc
        if token is None:
            return None
        token = token.strip()
        if not token:
            raise ArgoUnavailable("its token is empty", definite=True)
        return token if " " in token else f"Bearer {token}"

    def ssl_context(self) -> ssl.SSLContext | bool:
        """For httpx."""
        return ssl.create_default_context(cafile=str(self.verify)) if isinstance(self.verify, Path) else self.verify


def has_untrusted_peer(exc: BaseException | None) -> bool:
    """Whether the failure goes back to a certificate that we do not trust, so that no request was sent."""
    while exc is not None:
        if isinstance(exc, ssl.SSLCertVerificationError):
            return True
        inner = exc.args[0] if exc.args and isinstance(exc.args[0], BaseException) else None
        exc = inner or exc.__cause__ or exc.__context__
    return False


@contextmanager
def working_until(deadline: float) -> Iterator[None]:
    """In a worker thread: its requests end at the deadline (monotonic)."""
    _thread.deadline = deadline
    try:
        yield
    finally:
        _thread.deadline = None
