"""File names: taken from strangers' headers and URLs, so made harmless before they are shown or sent."""

from __future__ import annotations

import mimetypes
import re
import secrets
from collections.abc import Mapping
from email.errors import HeaderParseError
from email.header import decode_header
from urllib.parse import quote, unquote

from ocean.files import File

_PARAMETER = re.compile(r';\s*(filename(?:\*[0-9]{0,2}\*?)?)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)', re.IGNORECASE)
_ENCODED_WORDS = re.compile(r"=\?[^?\s]{1,40}\?[bq]\?[^?]*\?=(?:\s+=\?[^?\s]{1,40}\?[bq]\?[^?]*\?=)*", re.IGNORECASE)
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_TELLING = re.compile(r"[\w.()+=@ -]{1,200}\.[A-Za-z0-9]{1,10}", re.ASCII)
_LONGEST = 200
_MOST_PIECES = 100  # of a name that is sent in pieces


def disposition(filename: str, fallback: str = "result") -> str:
    """`attachment;filename=NAME`, no blank, no quotes: what clients match. Odd characters become _."""
    name = re.sub(r"[^\w.()+=@ -]", "_", filename, flags=re.ASCII).strip(" .") or fallback
    return f"attachment;filename={name[:_LONGEST]}"


def download_name(file: File, headers: Mapping[str, str]) -> str:
    """The name that a download gets: the source's own, else the URL's last part as the publisher wrote it, else random.

    A name without an extension gets the usual one of the content type, if that is known and has no parameters.
    """
    name = header_name(headers.get("content-disposition", "")) or own_name(file) or secrets.token_hex(16)
    content_type = headers.get("content-type", "").strip()
    if "." not in name and content_type and ";" not in content_type:
        name += mimetypes.guess_extension(content_type) or ""
    return name


def shown_name(file: File, headers: Mapping[str, str], *, published: bool) -> str:
    """The name that fileinfo shows to everybody.

    Names of public networks are never shown: who knows them has the file. Of a published asset only what looks like a
    file name is shown, because the last part of some URLs is a key (Ocean Provider shows both).
    """
    name = header_name(headers.get("content-disposition", "")) or own_name(file)
    if not published:
        return name
    return name if _TELLING.fullmatch(name) and not file.is_name_secret else ""


def header_name(value: str) -> str:
    """The file name of a Content-Disposition, "" if there is none. The extended form (filename*) wins.

    Servers write names in every way that mail and HTTP ever knew: RFC 5987 and its continuations (RFC 2231), encoded
    words (RFC 2047), percent forms in a plain name, quoted pairs, whole paths.
    """
    found: dict[str, str] = {}
    for name, text in _PARAMETER.findall(";" + value.partition(";")[2]):
        found.setdefault(name.lower(), text.strip())
    extended = _extended(found.get("filename*", "")) or _continued(found)
    return _last_part(extended or _plain(found.get("filename", "")))


def _extended(text: str) -> str:
    """`charset'language'percent-encoded`; "" for what is none, then the plain form may still do."""
    charset, _, rest = text.strip('"').partition("'")
    _, mark, encoded = rest.partition("'")
    if not mark:
        return ""
    try:
        return unquote(encoded, encoding=charset or "utf-8", errors="strict")
    except (LookupError, ValueError):
        return ""


def _continued(found: Mapping[str, str]) -> str:
    """`filename*0*=…; filename*1=…` put together."""
    pieces = []
    for number in range(_MOST_PIECES):
        if (coded := found.get(f"filename*{number}*")) is not None:
            pieces.append(coded.strip('"'))
        elif (plain := found.get(f"filename*{number}")) is not None:
            pieces.append(quote(_unquoted(plain)))
        else:
            break
    whole = "".join(pieces)
    return _extended(whole) if "filename*0*" in found else unquote(whole)


def _plain(text: str) -> str:
    name = _ENCODED_WORDS.sub(_decoded_words, _unquoted(text))
    return unquote(name, errors="strict") if _is_percent_encoded(name) else name


def _unquoted(text: str) -> str:
    """Without quotes; quoted pairs become what they stand for."""
    if not text.startswith('"'):
        return text.strip('"')
    inner = text[1:-1] if len(text) > 1 and text.endswith('"') else text[1:]
    return re.sub(r"\\(.)", r"\1", inner)


def _decoded_words(match: re.Match[str]) -> str:
    """Encoded words that follow each other as one text; as they were written if they cannot be read."""
    try:
        return "".join(
            part if isinstance(part, str) else part.decode(charset or "ascii")
            for part, charset in decode_header(match[0])
        )
    except (LookupError, ValueError, HeaderParseError):
        return match[0]


def _is_percent_encoded(text: str) -> bool:
    """Whether every % begins the form of a byte, and the bytes are text."""
    if not _PERCENT.search(text) or "%" in _PERCENT.sub("", text):
        return False
    try:
        unquote(text, errors="strict")
    except ValueError:
        return False
    return True


def own_name(file: File) -> str:
    """The name that the publisher wrote into the file object, "" if there is none."""
    return _last_part(file.own_name)


def _last_part(text: str) -> str:
    name = re.split(r"[/\\]", text)[-1].strip()[:_LONGEST]
    return name if name.strip(".") else ""
