"""A file's response: which part of which version it is, and its bytes with their number checked."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping

import httpx

from ocean.outgoing.codings import can_be_opened, codings_of, unpacked
from ocean.outgoing.errors import OutgoingFailed

_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)", re.ASCII)
_RETRIABLE = {408, 425, 429, 500, 502, 503, 504}
_WHOLE = {200, 203}  # 203: a proxy on the way has changed something, mostly a header


class Download:
    """An opened file. `status` and `headers` (lower-case names) are the server's, `packed`: it compresses although
    nobody asked, and `chunks` unpacks.

    `start`: position of the first byte of `chunks`, 0 or the offset that was asked for; `size`: of the whole file,
    None if the server does not say; `validator`: what a resumption must present, None if it cannot be resumed.
    """

    def __init__(
        self,
        response: httpx.Response,
        *,
        start: int,
        size: int | None,
        validator: str | None,
        max_bytes: int | None,
        empty: bool = False,
        end: int | None = None,
    ) -> None:
        self._response = response
        self._max_bytes = max_bytes
        self._empty = empty
        self.start = start
        self.size = size
        self.end = size if end is None else end  # position behind the last byte of `chunks`
        self.validator = validator
        self.status = 200 if response.status_code in _WHOLE else response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._codings = codings_of(response.headers)
        self.packed = bool(self._codings)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes from `start` on, once. Raises OutgoingFailed; what came before is good and can be kept."""
        position = self.start
        if not self._empty:
            async for chunk in self._parts():
                position += len(chunk)
                self._require_within(position)
                yield chunk
        if self.end is not None and position != self.end:
            raise OutgoingFailed("incomplete", retriable=True)

    def _parts(self) -> AsyncIterator[bytes]:
        return unpacked(self._response.aiter_raw(), self._codings)

    def _require_within(self, position: int) -> None:
        if self._max_bytes is not None and position > self._max_bytes:
            raise OutgoingFailed("too_large", retriable=False)
        if self.end is not None and position > self.end:
            raise OutgoingFailed("incomplete", retriable=True)


def opened(response: httpx.Response, offset: int, max_bytes: int | None) -> Download:
    """Read the header of a response to a request from `offset` on (0: of the whole). Raises OutgoingFailed."""
    status, codings = response.status_code, codings_of(response.headers)
    start, size, empty = 0, None, False
    if status == 206 and offset:
        first, size = _content_range(response)
        if first != offset or codings:
            raise OutgoingFailed("range", retriable=True, status=status)
        start = offset
    elif status == 416 and offset:
        _, size = _content_range(response)
        if size != offset:
            raise OutgoingFailed("range", retriable=True, status=status)
        start, empty = offset, True
    elif status not in _WHOLE:
        raise OutgoingFailed(
            "status",
            retriable=status in _RETRIABLE,
            status=status,
            retry_after_seconds=_retry_after(response),
        )
    elif not can_be_opened(codings):
        raise OutgoingFailed("encoding", retriable=False, status=status)
    elif (
        not codings and "transfer-encoding" not in response.headers
    ):  # beside it a length counts nothing (RFC 9112 6.3)
        size = _number(response.headers.get("content-length"))
    if size is not None and max_bytes is not None and size > max_bytes:
        raise OutgoingFailed("too_large", retriable=False)
    validator = None if codings else _validator(response)
    return Download(response, start=start, size=size, validator=validator, max_bytes=max_bytes, empty=empty)


def passed_on(response: httpx.Response) -> Download:
    """Read the header of a response to a request that may have asked for any part: 200, 206 or 416.

    Raises OutgoingFailed for other answers, and for a part whose length cannot be told.
    """
    status = response.status_code
    if status in _WHOLE:
        return opened(response, 0, None)
    if status == 416:
        return Download(response, start=0, size=None, validator=None, max_bytes=None, empty=True)
    if status != 206:
        return opened(response, 0, None)  # raises
    match = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
    if match is None or match[1] is None or codings_of(response.headers) or int(match[2]) < int(match[1]):
        raise OutgoingFailed("range", retriable=False, status=status)
    start, end = int(match[1]), int(match[2]) + 1
    return Download(response, start=start, size=_number(match[3]), validator=None, max_bytes=None, end=end)


def _validator(response: httpx.Response) -> str | None:
    """A strong entity tag, else the date of the last change; a weak tag does not promise equal bytes."""
    etag: str = response.headers.get("etag", "")
    if etag:
        return etag if etag.startswith('"') else None
    return response.headers.get("last-modified") or None


def _content_range(response: httpx.Response) -> tuple[int | None, int | None]:
    match = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
    if match is None:
        return None, None
    return _number(match[1]), _number(match[3])


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None


def _retry_after(response: httpx.Response) -> int | None:
    return _number(response.headers.get("retry-after"))
