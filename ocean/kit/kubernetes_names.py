"""Which texts Kubernetes takes for a name or a label. Patterns are for the whole text, without anchors."""

from __future__ import annotations

import re
from typing import Final

# RFC 1123. A label is what namespaces, and our templates and jobs, are called; Secrets and classes may have dots.
LABEL: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
SUBDOMAIN: Final = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"  # two dots in a row are left to Kubernetes to refuse

_LABEL: Final = re.compile(LABEL)
_SUBDOMAIN: Final = re.compile(SUBDOMAIN)
_WORD: Final = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_KEY: Final = re.compile(rf"([a-z0-9][-a-z0-9.]{{0,252}}/)?{_WORD}")
_LABEL_VALUE: Final = re.compile(rf"({_WORD})?")


def is_label(text: str) -> bool:
    """At most 63 characters, no dots: names of namespaces, templates and jobs."""
    return _LABEL.fullmatch(text) is not None


def is_subdomain(text: str) -> bool:
    """At most 253 characters: names of most other objects."""
    return _SUBDOMAIN.fullmatch(text) is not None


def is_label_key(text: str) -> bool:
    """Of a label or an annotation, with or without a prefix (`example.com/`)."""
    return _LABEL_KEY.fullmatch(text) is not None


def is_label_value(text: str) -> bool:
    """It may be empty."""
    return _LABEL_VALUE.fullmatch(text) is not None
