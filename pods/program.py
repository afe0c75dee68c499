"""How a step program ends when something happens that it has no answer for."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

from contract.exit_codes import ExitCode

_FALLBACK = {
    "configuration": ExitCode.INPUTS_NOT_PROVISIONED,
    "filtering": ExitCode.NOT_COLLECTED,
    "publishing": ExitCode.UPLOAD_INCOMPLETE,
}


def main(step: str, run: Callable[[], ExitCode]) -> int:
    """The exit code of a step. An unforeseen OSError (a volume's hiccup) is worth another try, other errors are not.

    Of an unforeseen error only its type and its places in the code are printed: its text may hold a secret.
    """
    try:
        return int(run())
    except Exception as exc:  # noqa: BLE001  the border of the process
        print(f"{step} failed unexpectedly: {described(exc)}", file=sys.stderr, flush=True)
        return int(ExitCode.TRY_AGAIN if isinstance(exc, OSError) else _FALLBACK[step])


def described(exc: Exception) -> str:
    """An unforeseen error by its type and its places in the code."""
    places = " < ".join(
        f"{frame.name} ({frame.filename.rpartition('/')[2]}:{frame.lineno})"
        for frame in reversed(traceback.extract_tb(exc.__traceback__)[-4:])
    )
    return f"{type(exc).__name__} in {places}"
