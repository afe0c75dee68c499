"""`c2d admin command-line`: the page docs/reference/command-line.md, made from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import typer

from client.exits import MEANINGS
from client.schemas import PRINTED

_HEAD: Final = """# The command line

`c2d` is for consumers and publishers, for operators (`c2d admin`), and runs the service on one machine (`c2d serve`).
`pip install compute-to-data` brings what consumers and publishers need, `pip install 'compute-to-data[service]'` the
rest. `c2d --install-completion` teaches the shell to complete commands. Made by `c2d admin command-line`; do not edit.

## Exit codes

"""
_MIDDLE: Final = """
With `--exit-code`, `run` and `watch` end with the algorithm's own exit code where it is not 0.

## JSON

With `--json`, data are JSON on standard output; what is told meanwhile goes to standard error. Every command prints one
document, `watch` one a line. [command-line.json](command-line.json) has the schema of each (JSON Schema 2020-12), and
of `error`, which is printed instead where a command ends with another exit code for a reason of its own. Documents of
the provider are printed as it sent them, so they may have more than the schema says. `c2d schemas` prints the file.

## Profiles

Which provider, chain and account commands are for stands in `~/.config/compute-to-data/profiles.toml`
(`XDG_CONFIG_HOME`). `local` is there by itself: `c2d serve` on this machine, with an account of its development chain.

```toml
current = "work"

[profiles.work]
provider = "https://provider.example.org"
metadata = "https://aquarius.example.org"   # a metadata store; else the provider's own
chain = "https://rpc.example.org"           # needed where something is bought or published
chain_id = 137                              # where the provider serves several
contracts = "/home/ada/address.json"        # in the form of Ocean's address file; else those of ocean-contracts
account = "keystore:/home/ada/ada.json"     # or development:NUMBER
```

Tokens of `c2d login`, and orders that no job has yet, lie in `~/.local/state/compute-to-data` (`XDG_STATE_HOME`), for
this user only. Keys and passwords are never written; `c2d login --save-password` gives the password to the system's
keyring.

## Environment

| name | meaning |
| --- | --- |
| `C2DCLIENT_PROFILE` | the profile, as `--profile`; names in `C2D_` are the service's |
| `NO_COLOR` | no colours |
| `XDG_CONFIG_HOME`, `XDG_STATE_HOME` | where profiles, and tokens and orders, are |

## Commands
"""


def command_line_page(app: typer.Typer) -> str:
    """The whole page as Markdown."""
    lines = ["| code | meaning |", "| --- | --- |", *(f"| {int(code)} | {said} |" for code, said in MEANINGS.items())]
    commands = "\n\n".join(_section(name, command) for name, command in _commands(typer.main.get_command(app), "c2d"))
    return _HEAD + "\n".join(lines) + "\n" + _MIDDLE + "\n" + commands + "\n"


def _commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    for each, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(command, f"{name} {each}")
        else:
            yield f"{name} {each}", command


def _section(name: str, command: Any) -> str:
    help_text = " ".join((command.help or "").split())
    text, _, example = help_text.partition("Example: ")
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    usage = " ".join([name, *(_argument(each) for each in arguments)])
    lines = [f"### {name}", "", text.strip()]
    lines += ["", "```sh", example.strip() or usage, "```"]
    rows = [
        *((_argument(each), getattr(each, "help", None)) for each in arguments),
        *((_option(each), each.help) for each in command.params if each not in arguments and each.name != "help"),
    ]
    if rows:
        lines += ["", "| | |", "| --- | --- |", *(f"| `{words}` | {_cell(said)} |" for words, said in rows)]
    if name.removeprefix("c2d ") in PRINTED:
        lines += ["", f"Schema: `#/$defs/{name.removeprefix('c2d ')}`"]
    return "\n".join(lines)


def _argument(each: Any) -> str:
    name = each.metavar or str(each.name).upper()
    return name if each.required else f"[{name}]"


def _option(each: Any) -> str:
    words = ", ".join([*each.opts, *each.secondary_opts])
    return words if each.is_flag else f"{words} {each.metavar or 'VALUE'}"


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")
