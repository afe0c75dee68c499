"""File names: taken from strangers' headers and URLs, so made harmless before they are shown or sent."""

from __future__ import annotations

import mimetypes
import re
import secrets
from collections.abc import Mapping
from urllib.parse import unquote

from ocean.files import ArweaveFile, File, IpfsFile, UrlFile

_PARAMETER = re.compile(r';\s*(filename\*?)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)', re.IGNORECASE)
_TELLING = re.compile(r"[\w.()+=@ -]{1,200}\.[A-Za-z0-9]{1,10}", re.ASCII)
_LONGEST = 200


def disposition(filename: str, fallback: str = "result") -> str:
    """`attachment;filename=NAME`, no blank, no quotes: what clients match. Odd characters become _."""
    name = re.sub(r"[^\w.()+=@ -]", "_", filename, flags=re.ASCII).strip(" .") or fallback
    return f"attachment;filename={name[:_LONGEST]}"


def download_name(file: File, headers: Mapping[str, str]) -> str:
    """The name that a download gets: the source's own, else the URL's last part as the publisher wrote it, else random.

    A name without an extension gets the usual one of the content type, if that is known and has no parameters.
    """
    name = header_name(headers.get("content-disposition", "")) or url_name(file) or secrets.token_hex(16)
    content_type = headers.get("content-type", "").strip()
    if "." not in name and content_type and ";" not in content_type:
        name += mimetypes.guess_extension(content_type) or ""
    return name


def shown_name(file: File, headers: Mapping[str, str], *, published: bool) -> str:
    """The name that fileinfo shows to everybody.

    Names of public networks are never shown: who knows them has the file. Of a published asset only what looks like a
    file name is shown, because the last part of some URLs is a key (the peer shows both).
    """
    name = header_name(headers.get("content-disposition", "")) or url_name(file)
    if not published:
        return name
    if isinstance(file, IpfsFile | ArweaveFile):
        return ""  # some gateways say `filename="{hash}.json"`
    return name if _TELLING.fullmatch(name) else ""


def header_name(value: str) -> str:
    """The file name of a Content-Disposition, "" if there is none. The extended form (filename*) wins."""
    found = {name.lower(): text for name, text in _PARAMETER.findall(";" + value.partition(";")[2])}
    extended = found.get("filename*", "")
    if extended.count("'") >= 2:
        charset, _, text = extended.strip().strip('"').split("'", 2)
        try:
            return _last_part(unquote(text, encoding=charset or "utf-8", errors="strict"))
        except (LookupError, ValueError):
            pass  # the plain form may still do
    return _last_part(re.sub(r"\\(.)", r"\1", found.get("filename", "").strip().strip('"')))


def url_name(file: File) -> str:
    """Last part of the path of a URL file as it was written, without its query; "" for other types."""
    if not isinstance(file, UrlFile):
        return ""
    path = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*", "", file.url)
    return _last_part(unquote(re.split(r"[?#]", path, maxsplit=1)[0]))


def _last_part(text: str) -> str:
    return re.split(r"[/\\]", text)[-1].strip()[:_LONGEST]
