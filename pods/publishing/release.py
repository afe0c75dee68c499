"""Judges the files that a job would publish by the release rules of its environment and its data.

The steps' own logs are never counted or judged: they have nothing of the algorithm's in them. What is judged must be
what is published afterwards, so an algorithm must not be able to write to it any more: a copy, or a volume of which it
has let go.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from typing import Final

from contract.release import ContentType, ReleaseRules
from pods.publishing.content import FileShrank, content_of
from pods.publishing.names import shown
from pods.publishing.sources import Source
from pods.publishing.told import Broken
from pods.publishing.tree import NotReadable, open_found

__all__ = ["MAX_PATHS", "Broken", "broken_rules", "share_in_bytes"]

MAX_PATHS: Final = 20  # of files whose type is not allowed; no more are looked for


def broken_rules(files: Sequence[Source], rules: ReleaseRules, input_bytes: int | None) -> tuple[Broken, ...]:
    """All rules that are broken; of `types`, the first files that break it. `input_bytes` None: not known.

    Where the log is never shown (`log_bytes` is 0), the caller leaves it out, so it is not counted.
    """
    hidden = "algorithmLog" if rules.log_bytes == 0 else None
    leaving = [file for file in files if not file.scrubbed and file.type != hidden]
    outputs = [file for file in leaving if file.type != "algorithmLog"]
    size = sum(file.file.size for file in leaving)
    broken: list[Broken] = []
    if rules.max_bytes is not None and size > rules.max_bytes:
        broken.append(Broken("max_bytes", size, rules.max_bytes))
    if rules.max_files is not None and len(outputs) > rules.max_files:
        broken.append(Broken("max_files", len(outputs), rules.max_files))
    if rules.share_of_inputs is not None:
        share = None if input_bytes is None else share_in_bytes(rules.share_of_inputs, input_bytes)
        if size > (share or 0):
            broken.append(Broken("share_of_inputs", size, share))
    if rules.types is not None:
        broken += islice(_of_other_types(outputs, rules.types), MAX_PATHS)
    if rules.log_bytes is not None:
        logs = [file.file.size for file in leaving if file.type == "algorithmLog"]
        broken += [Broken("log_bytes", size, rules.log_bytes) for size in logs if size > rules.log_bytes]
    return tuple(broken)


def share_in_bytes(share: float, input_bytes: int) -> int:
    """Whole bytes of a share as it is written: 0.29 of 100 bytes are 29, although the float is a little less."""
    return math.floor(Fraction(repr(share)) * input_bytes)


def _of_other_types(outputs: Sequence[Source], allowed: Collection[ContentType]) -> Iterator[Broken]:
    for source in outputs:
        found = _misfit(source, allowed)
        if found is not None:
            yield Broken("types", found, ", ".join(allowed), shown(source.path))


def _misfit(source: Source, allowed: Collection[ContentType]) -> str | None:
    """What the file is, if that is not allowed. A file that cannot be read is never allowed, whatever it was."""
    try:
        descriptor = open_found(source.root, source.file)
    except NotReadable as exc:
        return exc.reason
    try:
        content = content_of(descriptor, source.file.size, texts="text" not in allowed)
    except FileShrank:
        return "changed"
    except OSError as exc:
        return f"unreadable ({errno.errorcode.get(exc.errno or 0, type(exc).__name__)})"
    finally:
        os.close(descriptor)
    return None if content.passes(allowed) else str(content)
