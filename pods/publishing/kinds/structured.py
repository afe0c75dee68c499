"""Which texts are JSON or XML, read in pieces and with nothing kept of them."""

from __future__ import annotations

import re
from typing import ClassVar
from xml.parsers import expat

from pods.publishing.kinds.streams import MAX_MARKUP_NAMES, MAX_NESTING, MAX_TOKEN, PIECE, NotIt


class Json:
    """Reads JSON in pieces and keeps nothing of it but which brackets are open; NaN and Infinity, which Python and
    others write, are numbers."""

    _STRING = r'"(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*+"'
    _SCALAR = rf"(?:{_STRING}|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null|NaN|-?Infinity)"
    _SPACE = r"[ \t\r\n]*+"
    _SIGN = re.compile(r"[^ \t\r\n]")
    _TEXT = re.compile(_STRING)
    _WORD = re.compile(r"[-+.0-9A-Za-z]++")
    _VALUE = re.compile(_SCALAR)
    # Many at once, which is what makes it fast: also lists and objects that are not deep.
    _SMALL = _SCALAR
    for _ in range(2):
        _PAIR = rf"{_STRING}{_SPACE}:{_SPACE}{_SMALL}{_SPACE}"
        _LIST = rf"\[{_SPACE}(?:{_SMALL}{_SPACE}(?:,{_SPACE}{_SMALL}{_SPACE})*+)?+\]"
        _OBJECT = rf"\{{{_SPACE}(?:{_PAIR}(?:,{_SPACE}{_PAIR})*+)?+\}}"
        _SMALL = rf"(?:{_SCALAR}|{_LIST}|{_OBJECT})"
    _WHOLE = re.compile(_SMALL)
    _ITEMS = re.compile(rf"(?:{_SMALL}{_SPACE},{_SPACE}){{1,500}}")
    _PAIRS = re.compile(rf"(?:{_STRING}{_SPACE}:{_SPACE}{_SMALL}{_SPACE},{_SPACE}){{1,500}}")
    _SEVERAL: ClassVar = {
        "item": (_ITEMS, "item"),
        "first item": (_ITEMS, "item"),
        "key": (_PAIRS, "key"),
        "first key": (_PAIRS, "key"),
    }

    def __init__(self) -> None:
        self._fits = True
        self._open: list[str] = []
        # What comes next: "value" at the top or behind a colon, "item" or "key"; instead of the first of these, or of a
        # "comma", also the end of what is open; "colon"; "nothing" behind the whole.
        self._next = "value"
        self._rest = ""

    def feed(self, text: str, *, last: bool = False) -> None:
        if not self._fits:
            return
        text, self._rest = self._rest + text, ""
        sign = self._SIGN.search(text)
        while sign is not None:
            at = sign.start()
            after = self._step(text, at, last)
            if after is None:
                self._fits = False
                return
            if after == at:  # a token goes on in the next piece
                self._rest = text[at:]
                self._fits = len(self._rest) <= (MAX_TOKEN if text[at] == '"' else 400)
                return
            sign = self._SIGN.search(text, after)

    def ends_well(self) -> bool:
        self.feed("", last=True)
        return self._fits and self._next == "nothing"

    def _step(self, text: str, at: int, last: bool) -> int | None:
        """Where the token, or several, that begins at `at` ends; `at` if it is not whole. None: this is no JSON."""
        several, then = self._SEVERAL.get(self._next, (None, ""))
        if several is not None and (found := several.match(text, at)):
            self._next = then
            return found.end()
        sign = text[at]
        if sign in "}]" and self._next in ("comma", "first key", "first item"):
            if not self._open or self._open.pop() + sign not in ("{}", "[]"):
                return None
            self._next = "comma" if self._open else "nothing"
            return at + 1
        if self._next == "comma":
            self._next = "key" if self._open[-1] == "{" else "item"
            return at + 1 if sign == "," else None
        if self._next == "colon":
            self._next = "value"
            return at + 1 if sign == ":" else None
        if self._next == "nothing":
            return None
        if sign in "{[" and not self._next.endswith("key"):
            if found := self._WHOLE.match(text, at):
                self._next = "comma" if self._open else "nothing"
                return found.end()
            self._open.append(sign)
            self._next = "first key" if sign == "{" else "first item"
            return at + 1 if len(self._open) <= MAX_NESTING else None
        return self._scalar(text, at, last)

    def _scalar(self, text: str, at: int, last: bool) -> int | None:
        is_key, is_string = self._next.endswith("key"), text[at] == '"'
        one = (self._TEXT if is_string else self._WORD).match(text, at)
        if not last and (one.end() == len(text) if one is not None else is_string):
            return at
        if one is None or not (is_string or (not is_key and self._VALUE.fullmatch(one[0]))):
            return None
        self._next = "colon" if is_key else "comma" if self._open else "nothing"
        return one.end()


class Markup:
    """Reads XML in pieces: well-formed, without entities of its own."""

    def __init__(self) -> None:
        self.root: str | None = None  # its namespace, a space, its name
        self._names: set[str] = set()
        self._depth = 0
        self._fed = 0
        self._fits = True
        self._parser = expat.ParserCreate("utf-8", " ")
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype

    def feed(self, text: str, *, last: bool = False) -> None:
        if not self._fits:
            return
        encoded = text.encode()
        self._fed += len(encoded)
        try:
            self._parser.Parse(encoded, last)
        except (expat.ExpatError, NotIt):
            self._fits = False
        if self._fed - self._parser.CurrentByteIndex > MAX_TOKEN + PIECE and not last:
            self._fits = False  # it would be read again and again, until it ends
        if not self._fits:
            self._parser = expat.ParserCreate()  # which lets go of what it had

    def ends_well(self) -> bool:
        self.feed("", last=True)
        return self._fits

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self.root = self.root or name
        self._names.add(name)
        self._names.update(attributes)
        self._depth += 1
        if self._depth > MAX_NESTING or len(self._names) > MAX_MARKUP_NAMES:
            raise NotIt

    def _end(self, _name: str) -> None:
        self._depth -= 1

    def _doctype(self, _name: str, _system: str | None, _public: str | None, declares: bool) -> None:
        if declares:
            raise NotIt
