"""What a child process gets of our environment: what programs need to run, nothing else. Settings hold keys."""

from __future__ import annotations

import os

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "VIRTUAL_ENV", "TERM")


def inherited_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _KEPT if name in os.environ}
