"""`c2d releases`: the commands of owners of datasets. Each imports what it needs when it is called."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

releases = typer.Typer(no_args_is_help=True, help="Results that wait for the owners of their datasets.")

JOB = typer.Argument(help="The job's id, 32 hexadecimal digits.")
URL = typer.Option("--url", help="Address of the service.")
KEYSTORE = typer.Option("--keystore", help="Your account's Ethereum keystore, a file of version 3 as geth writes it.")
PASSWORD_FILE = typer.Option("--password-file", help="File with the keystore's password; else it is asked for.")
DATASET = typer.Option("--dataset", help="DID of the only dataset to decide on; else all of yours that wait.")
YES = typer.Option("--yes", help="Do not ask before it is signed.")
ANSWER = typer.Option("--json", help="The service's answer as it is.")
UNTIL = typer.Option("--until", formats=["%Y-%m-%d"], help="The last day, such as 2027-01-31 (UTC).")
PROGRAM = typer.Option("--program", help="Digest of what runs, as `show` and `list --history` print it.")


@releases.command("list")
def list_releases(
    url: Annotated[str, URL],
    keystore: Annotated[Path, KEYSTORE],
    password_file: Annotated[Path | None, PASSWORD_FILE] = None,
    history: Annotated[bool, typer.Option("--history", help="Also results that are released or refused.")] = False,
    as_json: Annotated[bool, ANSWER] = False,
) -> None:
    """List the results that wait for your decision as the owner of a dataset."""
    from client.releases import Access, list_releases

    raise typer.Exit(list_releases(Access(url, keystore, password_file), history=history, as_document=as_json))


@releases.command("show")
def show_release(
    job: Annotated[str, JOB],
    url: Annotated[str, URL],
    keystore: Annotated[Path, KEYSTORE],
    password_file: Annotated[Path | None, PASSWORD_FILE] = None,
    as_json: Annotated[bool, ANSWER] = False,
) -> None:
    """Show the files of a job's results, who has to decide on them, and until when."""
    from client.releases import Access, show_release

    raise typer.Exit(show_release(job, Access(url, keystore, password_file), as_document=as_json))


@releases.command("approve")
def approve_release(
    job: Annotated[str, JOB],
    url: Annotated[str, URL],
    keystore: Annotated[Path, KEYSTORE],
    password_file: Annotated[Path | None, PASSWORD_FILE] = None,
    dataset: Annotated[str | None, DATASET] = None,
    yes: Annotated[bool, YES] = False,
) -> None:
    """Show a job's results, ask, and sign that they may leave as far as your datasets are concerned."""
    from client.releases import Access, Verdict, decide

    raise typer.Exit(decide(job, Access(url, keystore, password_file), Verdict(True, dataset, sure=yes)))


@releases.command("refuse")
def refuse_release(
    job: Annotated[str, JOB],
    url: Annotated[str, URL],
    keystore: Annotated[Path, KEYSTORE],
    password_file: Annotated[Path | None, PASSWORD_FILE] = None,
    reason: Annotated[str, typer.Option(help="Why, at most 500 characters.")] = "",
    dataset: Annotated[str | None, DATASET] = None,
    yes: Annotated[bool, YES] = False,
) -> None:
    """Show a job's results, ask, and sign that they must not leave."""
    from client.releases import Access, Verdict, decide

    raise typer.Exit(decide(job, Access(url, keystore, password_file), Verdict(False, dataset, reason, yes)))


@releases.command("trust")
def trust_algorithm(
    job: Annotated[str, JOB],
    until: Annotated[datetime, UNTIL],
    url: Annotated[str, URL],
    keystore: Annotated[Path, KEYSTORE],
    password_file: Annotated[Path | None, PASSWORD_FILE] = None,
    dataset: Annotated[str | None, DATASET] = None,
    yes: Annotated[bool, YES] = False,
) -> None:
    """Show a job's results, ask, and sign that those of the same algorithm are released without you until a day."""
    from client.releases import Access
    from client.releases.trusting import trust

    raise typer.Exit(trust(job, Access(url, keystore, password_file), until, dataset, sure=yes))


@releases.command("withdraw")
def withdraw_trust(
    dataset: Annotated[str, typer.Option("--dataset", help="DID of your dataset.")],
    program: Annotated[str, PROGRAM],
    url: Annotated[str, URL],
    keystore: Annotated[Path, KEYSTORE],
    password_file: Annotated[Path | None, PASSWORD_FILE] = None,
) -> None:
    """Sign that an algorithm is no longer trusted on your dataset: its results wait for you again."""
    from client.releases import Access
    from client.releases.trusting import withdraw

    raise typer.Exit(withdraw(Access(url, keystore, password_file), dataset, program))


@releases.command("look")
def look_at_file(
    job: Annotated[str, JOB],
    index: Annotated[int, typer.Argument(help="The file's number, as `show` prints it.", min=0)],
    target: Annotated[Path, typer.Option("--to", help="Where to write it; a file that is not there yet.")],
    url: Annotated[str, URL],
    keystore: Annotated[Path, KEYSTORE],
    password_file: Annotated[Path | None, PASSWORD_FILE] = None,
) -> None:
    """Get one file of the results that wait for you, where the release rules of all their datasets let owners look."""
    from client.releases import Access
    from client.releases.looking import look

    raise typer.Exit(look(job, Access(url, keystore, password_file), index, target))
