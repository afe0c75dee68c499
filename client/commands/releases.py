"""`c2d releases`: the commands of owners of datasets. Each imports what it needs when it is called."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.commands.options import JsonOption, KeystoreOption, PasswordFile, ProfileOption

if TYPE_CHECKING:
    from client.releases import Access

releases = typer.Typer(no_args_is_help=True, help="Results that wait for the owners of their datasets.")

Job = Annotated[str, typer.Argument(help="The job's id, 32 hexadecimal digits.")]
Url = Annotated[str | None, typer.Option("--url", help="Address of the service; else the profile's.")]
Dataset = Annotated[
    str | None, typer.Option("--dataset", help="DID of the only dataset to decide on; else all of yours that wait.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before it is signed.")]
UNTIL = typer.Option("--until", formats=["%Y-%m-%d"], help="The last day, such as 2027-01-31 (UTC).")
PROGRAM = typer.Option("--program", help="Digest of what runs, as `show` and `list --history` print it.")


def access(url: str | None, keystore: Path | None, password_file: Path | None, profile: str | None) -> Access:
    """What is not given is the profile's."""
    from client.releases import Access

    return Access(url, keystore, password_file, profile)


@releases.command("list")
def list_releases(
    url: Url = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFile = None,
    profile: ProfileOption = None,
    history: Annotated[bool, typer.Option("--history", help="Also results that are released or refused.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the results that wait for your decision as the owner of a dataset.

    Example: c2d releases list --history
    """
    from client.releases import list_releases

    raise typer.Exit(list_releases(access(url, keystore, password_file, profile), history=history, as_document=as_json))


@releases.command("show")
def show_release(
    job: Job,
    url: Url = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFile = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the files of a job's results, who has to decide on them, and until when.

    Example: c2d releases show 1f0e6bd0c3a14c0f9d7e0c5a0b1d2e3f
    """
    from client.releases import show_release

    raise typer.Exit(show_release(job, access(url, keystore, password_file, profile), as_document=as_json))


@releases.command("approve")
def approve_release(
    job: Job,
    url: Url = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFile = None,
    profile: ProfileOption = None,
    dataset: Dataset = None,
    yes: Yes = False,
) -> None:
    """Show a job's results, ask, and sign that they may leave as far as your datasets are concerned.

    Example: c2d releases approve 1f0e6bd0c3a14c0f9d7e0c5a0b1d2e3f
    """
    from client.releases import Verdict, decide

    raise typer.Exit(decide(job, access(url, keystore, password_file, profile), Verdict(True, dataset, sure=yes)))


@releases.command("refuse")
def refuse_release(
    job: Job,
    url: Url = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFile = None,
    profile: ProfileOption = None,
    reason: Annotated[str, typer.Option(help="Why, at most 500 characters.")] = "",
    dataset: Dataset = None,
    yes: Yes = False,
) -> None:
    """Show a job's results, ask, and sign that they must not leave.

    Example: c2d releases refuse 1f0e6bd0c3a14c0f9d7e0c5a0b1d2e3f --reason 'Shows single households'
    """
    from client.releases import Verdict, decide

    raise typer.Exit(decide(job, access(url, keystore, password_file, profile), Verdict(False, dataset, reason, yes)))


@releases.command("trust")
def trust_algorithm(
    job: Job,
    until: Annotated[datetime, UNTIL],
    url: Url = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFile = None,
    profile: ProfileOption = None,
    dataset: Dataset = None,
    yes: Yes = False,
) -> None:
    """Show a job's results, ask, and sign that those of the same algorithm are released without you until a day.

    Example: c2d releases trust 1f0e6bd0c3a14c0f9d7e0c5a0b1d2e3f --until 2027-01-31
    """
    from client.releases.trusting import trust

    raise typer.Exit(trust(job, access(url, keystore, password_file, profile), until, dataset, sure=yes))


@releases.command("withdraw")
def withdraw_trust(
    dataset: Annotated[str, typer.Option("--dataset", help="DID of your dataset.")],
    program: Annotated[str, PROGRAM],
    url: Url = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFile = None,
    profile: ProfileOption = None,
) -> None:
    """Sign that an algorithm is no longer trusted on your dataset: its results wait for you again.

    Example: c2d releases withdraw --dataset did:op:12… --program 5e1f…
    """
    from client.releases.trusting import withdraw

    raise typer.Exit(withdraw(access(url, keystore, password_file, profile), dataset, program))


@releases.command("look")
def look_at_file(
    job: Job,
    index: Annotated[int, typer.Argument(help="The file's number, as `show` prints it.", min=0)],
    target: Annotated[Path, typer.Option("--to", help="Where to write it; a file that is not there yet.")],
    url: Url = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFile = None,
    profile: ProfileOption = None,
) -> None:
    """Get one file of the results that wait for you, where the release rules of all their datasets let owners look.

    Example: c2d releases look 1f0e6bd0c3a14c0f9d7e0c5a0b1d2e3f 0 --to sum.json
    """
    from client.releases.looking import look

    raise typer.Exit(look(job, access(url, keystore, password_file, profile), index, target))
