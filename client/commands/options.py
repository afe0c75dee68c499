"""The options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        "-p",
        envvar="C2DCLIENT_PROFILE",
        help="Which profile; else the current one. `c2d profile list` shows them.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Data as JSON (docs/reference/command-line.json).")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="File with the keystore's password; else it is asked for.")
]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]
Environment = Annotated[str | None, typer.Option("--env", "-e", help="Environment; else the cheapest.")]
Minutes = Annotated[int | None, typer.Option(min=1, help="How long it may run and is paid for.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Folder for the results; else c2d-JOB.")]
ExitCode = Annotated[bool, typer.Option("--exit-code", help="End with the algorithm's exit code if that is not 0.")]
Parameter = Annotated[list[str] | None, typer.Option("--param", metavar="KEY=VALUE", help="For the algorithm.")]
CustomData = Annotated[Path | None, typer.Option("--custom-data", help="JSON file with the algorithm's parameters.")]
KeystoreOption = Annotated[
    Path | None,
    typer.Option("--keystore", help="The account's Ethereum keystore, a file of version 3 as geth writes it."),
]
