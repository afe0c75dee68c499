"""Takes URLs, signatures and keys out of the logs of our own steps.

Our steps do not write such things; this is the second lock. It is applied when a line is written and again when a log
is published, because a library below us may have said more than we would. What an algorithm prints is its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

MAX_LINE = 16 * 1024  # bytes; the rest of a longer line is dropped, so that no secret can hide across two pieces

# Order matters: an address in a URL goes with the URL.
_PATTERNS: tuple[tuple[re.Pattern[bytes], bytes], ...] = (
    (re.compile(rb"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s\"'<>|\\^`{}]*"), b"[url]"),
    (re.compile(rb"(?i)\b(authorization|cookie|x-api-key)(\"?\s*[:=]\s*)[^\r\n]+"), rb"\1\2[hidden]"),
    (
        re.compile(rb"(?i)\b(signature|secret|password|token|private_?key|nonce)(\"?'?\s*[:=]\s*\"?'?)[^\s\"',&;]+"),
        rb"\1\2[hidden]",
    ),
    (re.compile(rb"(?i)\b0x[0-9a-f]{64,}"), b"[hex]"),  # keys, signatures, order hashes; addresses are shorter
    (re.compile(rb"(?i)(?<![0-9a-f])[0-9a-f]{128,}"), b"[hex]"),  # signatures without 0x; digests are shorter
    (re.compile(rb"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{43}=(?![A-Za-z0-9+/=_-])"), b"[key]"),  # 32 bytes as base64
    (re.compile(rb"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{86,}={0,2}"), b"[base64]"),
    (re.compile(rb"(?i)[?&][a-z0-9_]+=[^\s\"']+"), b"[query]"),
)


def scrub(line: bytes) -> bytes:
    """One line (with or without its end) without URLs, signatures and keys."""
    for pattern, replacement in _PATTERNS:
        line = pattern.sub(replacement, line)
    return line


def scrub_text(line: str) -> str:
    return scrub(line.encode("utf-8", "replace")).decode("utf-8", "replace")


def scrub_stream(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The scrubbed lines of a log that arrives in pieces of any length. Keeps at most MAX_LINE bytes."""
    line = b""
    dropping = False  # the rest of an overlong line
    for chunk in chunks:
        for piece in chunk.splitlines(keepends=True) if chunk else ():
            ended = piece.endswith((b"\n", b"\r"))
            if not dropping:
                line += piece
                if len(line) > MAX_LINE:
                    # The cut may have gone through a secret: the last word goes too.
                    yield scrub(line[:MAX_LINE].rsplit(None, 1)[0]) + b" [line cut off]\n"
                    line, dropping = b"", True
                elif ended:
                    yield scrub(line)
                    line = b""
            if ended:
                dropping = False
    if line:
        yield scrub(line)
