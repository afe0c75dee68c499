"""Templates into HTML. All that is put into a template is escaped, whoever wrote it; nothing is marked as safe."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from provider_api.pages import words

STATIC: Final[Mapping[str, str]] = {
    "style.css": "text/css; charset=utf-8",
    "pages.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def render(template: str, path: str, **values: Any) -> str:
    """`path`: of the request, from which links are made relative: a proxy may have put the service below a path."""
    root = "../" * (path.count("/") - 1) or "./"
    return _environment().get_template(template).render(root=root, now=time.time(), **values)


@functools.cache
def static(name: str) -> tuple[bytes, str]:
    """The bytes of a file of STATIC, and their tag."""
    content = files("provider_api.pages").joinpath("static", name).read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:16]


@functools.cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("provider_api.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {"size": words.size, "duration": words.duration, "short": words.short, "date": date, "iso": iso}
    made.globals |= {"version_of": lambda name: static(name)[1]}
    return made


def date(seconds: float) -> str:
    """Unix seconds for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%-d %b %Y, %H:%M UTC")


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
