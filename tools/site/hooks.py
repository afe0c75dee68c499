"""What MkDocs does for this project beside what mkdocs.yml says; MkDocs calls these functions by their names.

Pages link to files of the project that are no pages (`../provider_api/access/rules.py`). Such a file becomes a part of
the site, as plain text, so that every link of the site leads somewhere without a server elsewhere. A link to a folder
becomes its name. The pages of decisions are listed by their numbers, and the description of the API is the page that
the service itself serves at /api/docs/.
"""

from __future__ import annotations

import json
import os.path
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from provider_api.openapi.page import page as api_page

ROOT: Final = Path(__file__).resolve().parents[2]
_DOCS: Final = ROOT / "docs"
SOURCES: Final = "source"  # where in the site the project's own files are
_LINK: Final = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
_SHOWN_AS_THEY_ARE: Final = (".json", ".svg", ".txt")

_log = get_plugin_logger(__name__)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the decisions below the entry of that name, the newest first."""
    decisions = sorted((_DOCS / "decisions").glob("*.md"), reverse=True)
    _entry(config.nav, "Decisions").extend(str(each.relative_to(_DOCS)) for each in decisions)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that pages link to, and the description of the API."""
    for path in sorted({path for page in _DOCS.rglob("*.md") for path in _outside(page)}):
        if path.is_file():
            files.append(File.generated(config, _place(path), content=path.read_bytes()))
    document = (_DOCS / "reference" / "openapi.json").read_text(encoding="utf-8")
    files.append(File.generated(config, "api/docs/index.html", content=api_page(json.loads(document))))
    files.append(File.generated(config, "spec", content=document))  # to which that page links
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links out of `docs` to their copies in the site."""
    here = _DOCS / page.file.src_uri

    def led(match: re.Match[str]) -> str:
        text, target, fragment = match[1], match[2], match[3] or ""
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        path = _target(here, target)
        if path.is_relative_to(_DOCS) and not path.is_dir():
            return match[0]
        if path.is_file():
            return f"[{text}]({os.path.relpath(_place(path), Path(page.file.src_uri).parent)}{fragment})"
        if not path.exists():
            _log.warning("%s links to %s, which is not there", page.file.src_uri, target)
        return text

    return _LINK.sub(led, markdown)


def _outside(page: Path) -> Iterator[Path]:
    """Files of the project outside `docs` to which a page links."""
    for match in _LINK.finditer(page.read_text(encoding="utf-8")):
        path = _target(page, match[2])
        if "://" not in match[2] and path.is_relative_to(ROOT) and not path.is_relative_to(_DOCS):
            yield path


def _target(page: Path, link: str) -> Path:
    return Path(os.path.normpath(page.parent / link))


def _place(path: Path) -> str:
    """Where in the site a file of the project is. Browsers show a text, and do not know most other suffixes."""
    name = path.relative_to(ROOT).as_posix()
    return f"{SOURCES}/{name}" if path.suffix in _SHOWN_AS_THEY_ARE else f"{SOURCES}/{name}.txt"


def _entry(nav: Any, title: str) -> list[str]:
    """The list of pages below a title, wherever it stands."""
    for item in nav if isinstance(nav, list) else ():
        for name, below in item.items() if isinstance(item, dict) else ():
            if name == title and isinstance(below, list):
                return below
            if found := _entry(below, title):
                return found
    return []
