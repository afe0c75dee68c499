"""`c2d profile`: what there is, and changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from client.exits import Exit, Trouble
from client.printing import Printer
from client.profiles import Profiles


def list_profiles(*, as_json: bool) -> Exit:
    """Print the profiles, the current one marked."""

    def work(printer: Printer) -> None:
        profiles = Profiles()
        current = profiles.current()
        listed = [(name, profiles.get(name)) for name in profiles.names()]
        if printer.as_json:
            printer.document(
                [{"name": name, "current": name == current, "provider": each.provider} for name, each in listed]
            )
            return
        printer.table(
            ("", "PROFILE", "PROVIDER", "ACCOUNT"),
            (("*" if name == current else "", name, each.provider, each.account or "-") for name, each in listed),
        )

    return _carried_out(work, as_json=as_json)


def show_profile(name: str, *, as_json: bool) -> Exit:
    """Print all that a profile says."""

    def work(printer: Printer) -> None:
        said = Profiles().get(name).model_dump(mode="json", exclude_none=True)
        if printer.as_json:
            printer.document({"name": name, **said})
        else:
            printer.table(("", ""), ((field, str(value)) for field, value in said.items() if value != ""))

    return _carried_out(work, as_json=as_json)


def changed(change: Callable[[Profiles], Any]) -> Exit:
    """Change the user's profiles."""
    return _carried_out(lambda _: change(Profiles()), as_json=False)


def _carried_out(work: Callable[[Printer], None], *, as_json: bool) -> Exit:
    printer = Printer(as_json=as_json)
    try:
        work(printer)
    except Trouble as exc:
        printer.trouble(str(exc), exc.code)
        return exc.code
    return Exit.DONE
