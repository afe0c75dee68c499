"""The little Markdown of the introduction as HTML: headings, paragraphs, lists, code. All text is escaped."""

from __future__ import annotations

import re
from html import escape


def to_html(text: str) -> str:
    """Blocks are separated by empty lines."""
    return "".join(_block(block) for block in re.split(r"\n{2,}", text.strip()))


def inline(text: str) -> str:
    """One paragraph's text, with code between backticks."""
    pieces = text.split("`")
    return "".join(f"<code>{escape(piece)}</code>" if n % 2 else escape(piece) for n, piece in enumerate(pieces))


def _block(block: str) -> str:
    if block.startswith("## "):
        return f"<h2>{inline(block[3:])}</h2>"
    if block.startswith("- "):
        items = re.split(r"\n(?=- )", block)
        return "<ul>" + "".join(f"<li>{inline(item[2:])}</li>" for item in items) + "</ul>"
    return f"<p>{inline(block)}</p>"
