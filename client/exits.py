"""How commands end: the exit codes, and the troubles that lead to them."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final


class Exit(IntEnum):
    """What a command's exit code says. 128 + n would be a signal; 130 is what a shell shows after Ctrl-C."""

    DONE = 0
    FAILED = 1  # the job, or the check that was asked for
    USAGE = 2
    REFUSED = 3  # the service, a rule, or the caller's own limit says no; the reasons are printed
    SIGNED_OUT = 4
    UNREACHABLE = 5  # a neighbour does not answer, or not as it should
    HELD = 6  # the results wait for the owners of datasets
    DETACHED = 130


MEANINGS: Final = {
    Exit.DONE: "done",
    Exit.FAILED: "the job failed, or files are not what their passport says",
    Exit.USAGE: "the command, or a file that it was given, cannot be used as it is",
    Exit.REFUSED: "the service, a rule, or your own limit (`--max-price`) says no; the reasons are printed",
    Exit.SIGNED_OUT: "there is no account, or its token is not good any more: `c2d login`",
    Exit.UNREACHABLE: "provider, metadata store or chain do not answer, or not as they should",
    Exit.HELD: "the results wait for the owners of the datasets",
    Exit.DETACHED: "Ctrl-C; a job that was started goes on",
}


class Trouble(ValueError):
    """A command cannot go on; the text says why, and what to do."""

    code = Exit.FAILED

    def __init__(self, text: str, reasons: list[dict[str, Any]] | None = None) -> None:
        super().__init__(text)
        self.reasons = reasons or []


class Unusable(Trouble):
    """What was given cannot be used."""

    code = Exit.USAGE


class Refused(Trouble):
    """The service, a rule, or the caller's own limit says no. `reasons`: as `why-not` lists them."""

    code = Exit.REFUSED


class SignedOut(Trouble):
    """There is no account to act for, or its token is not good any more."""

    code = Exit.SIGNED_OUT


class Unreachable(Trouble):
    """A neighbour does not answer, or not as it should."""

    code = Exit.UNREACHABLE
