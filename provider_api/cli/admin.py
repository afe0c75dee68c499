"""`c2d admin`: what operators and this project's own build need. Each imports what it needs when it is called.

These commands stood at the top once. Their old names go on working, and say the new one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from contract.argo_releases import ArgoRelease

commands = typer.Typer(no_args_is_help=True, help="Commands of operators: keys, secrets, database, rendered files.")
templates = typer.Typer(no_args_is_help=True, help="Environments as WorkflowTemplates.")
chart = typer.Typer(no_args_is_help=True, help="What the Helm chart takes from the programs.")
commands.add_typer(templates, name="templates")
commands.add_typer(chart, name="chart")

ARGO_HELP = "Release of Argo Workflows that they are for, such as 4.0; else the newest that is known."


def _release(name: str | None) -> ArgoRelease:
    """Raises typer.BadParameter for a release that is not known."""
    from contract.argo_releases import NEWEST, RELEASES

    found = {release.name: release for release in RELEASES}
    if name is not None and name not in found:
        raise typer.BadParameter(f"{name} is not among the releases that are known: {', '.join(found)}")
    return NEWEST if name is None else found[name]


@commands.command("result-store")
def result_store() -> None:
    """Print store.json for the publishing pods (the Secret c2d-result-store) by the service's settings. Has secrets.

    Example: c2d admin result-store > store.json
    """
    from provider_api.cli.result_store import print_store

    raise typer.Exit(print_store())


@commands.command()
def publication(
    chain_id: Annotated[int, typer.Argument(help="The chain, one of C2D_CHAINS.")],
    files_url: Annotated[
        str, typer.Option(help="Where pods and the service fetch the assets' files; else the service's public address.")
    ] = "",
) -> None:
    """Print publication.json for the publishing pods (the Secret c2d-publication) by the service's settings. Has
    secrets.

    Example: c2d admin publication 137 > publication.json
    """
    from provider_api.cli.publication import print_publication

    raise typer.Exit(print_publication(chain_id, files_url))


@commands.command()
def keys(
    folder: Annotated[
        Path, typer.Argument(help="Where the keys are, or will be: a file per key, a folder per Secret.")
    ],
    environments: Annotated[
        Path | None, typer.Option(help="Descriptions of the environments; else those of this project.", file_okay=False)
    ] = None,
    kustomize: Annotated[bool, typer.Option("--kustomize", help="Print a kustomize component instead.")] = False,
) -> None:
    """Make the keys of a deployment in a cluster; print the public ones as values of the chart. Keeps what is there.

    Example: c2d admin keys ../c2d-keys > ../c2d-keys.yaml
    """
    from provider_api.cli.keys import make_keys

    raise typer.Exit(make_keys(folder, environments, kustomize))


@commands.command()
def migrate(
    wait_seconds: Annotated[float, typer.Option(help="How long to wait for a database that does not answer.")] = 60.0,
) -> None:
    """Bring the tables of the service's database (C2D_STORAGE__URL) up to date.

    Example: c2d admin migrate
    """
    from provider_api.cli.migrate import migrate_database

    raise typer.Exit(migrate_database(wait_seconds))


@commands.command()
def settings() -> None:
    """Print the page of all settings (docs/reference/settings.md).

    Example: c2d admin settings
    """
    from provider_api.cli.settings_page import settings_page

    typer.echo(settings_page(), nl=False)


@commands.command()
def openapi() -> None:
    """Print the OpenAPI document (docs/reference/openapi.json).

    Example: c2d admin openapi
    """
    from provider_api.endpoints.operations import OPERATIONS
    from provider_api.openapi import document_text

    typer.echo(document_text(OPERATIONS), nl=False)


@commands.command("command-line")
def command_line() -> None:
    """Print the page of all commands (docs/reference/command-line.md).

    Example: c2d admin command-line
    """
    from provider_api.cli import app
    from provider_api.cli.command_line_page import command_line_page

    typer.echo(command_line_page(app), nl=False)


@templates.command("render")
def render(
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit code 1 when files differ.")] = False,
    source: Annotated[
        Path | None, typer.Option("--from", help="A folder of descriptions, one TOML file each.", file_okay=False)
    ] = None,
    target: Annotated[Path | None, typer.Option("--to", help="Where to: the folder base in it.")] = None,
    argo: Annotated[str | None, typer.Option(help=ARGO_HELP)] = None,
) -> None:
    """Render environments to manifests: the project's own ones, or those of a folder.

    Example: c2d admin templates render --check
    """
    from workflow_templates import page
    from workflow_templates import render as rendering
    from workflow_templates.environment import EnvironmentInvalid, read_environments

    if (source is None) != (target is None):
        raise typer.BadParameter("--from and --to go together")
    sets = rendering.OURS if source is None or target is None else ((source, target),)
    try:
        read = [(folder, read_environments(descriptions)) for descriptions, folder in sets]
    except EnvironmentInvalid as problem:  # nothing has been written yet
        typer.echo(str(problem), err=True)
        raise typer.Exit(1) from None
    differing = False
    for folder, environments in read:
        for line in (rendering.check if check else rendering.write)(folder, environments, _release(argo)):
            typer.echo(line)
            differing = True
    if source is None and page.differs():
        typer.echo("docs/reference/environments.md")
        differing = True
        if not check:
            page.write()
    if check and differing:
        typer.echo("rendered files differ from their programs; run: c2d admin templates render", err=True)
        raise typer.Exit(1)


@chart.command("render")
def render_chart(
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit code 1 when files differ.")] = False,
) -> None:
    """Write the settings that values may hold, and the environments as values, into helm/.

    Example: c2d admin chart render
    """
    from provider_api.deploy import chart_files as files

    if not check:
        for name in files.write():
            typer.echo(f"helm/{name}")
    elif differing := files.check():
        typer.echo(f"differ from the programs: {', '.join(differing)}; run: c2d admin chart render", err=True)
        raise typer.Exit(1)


@chart.command("environments")
def chart_environments(
    folder: Annotated[Path, typer.Argument(help="Descriptions, one TOML file each.", exists=True, file_okay=False)],
    argo: Annotated[str | None, typer.Option(help=ARGO_HELP)] = None,
) -> None:
    """Print values of the chart that bring the environments described in a folder.

    Example: c2d admin chart environments environments
    """
    from provider_api.deploy.chart_files import environment_values
    from workflow_templates.environment import EnvironmentInvalid, read_environments

    try:
        environments = read_environments(folder)
    except EnvironmentInvalid as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(1) from None
    command = f"`c2d admin chart environments {folder}{f' --argo {argo}' if argo else ''}`"
    typer.echo(environment_values(environments, command, "this file", _release(argo)), nl=False)


def add_old_names(app: typer.Typer) -> None:
    """Let the names of before work, without a place in the list of commands."""
    for command in commands.registered_commands:
        if command.name == "command-line":
            continue  # younger than the move
        name = command.name or str(getattr(command.callback, "__name__", ""))
        if command.callback is not None:
            app.command(name, hidden=True)(_moved(name, command.callback))
    for group in commands.registered_groups:
        name = str(group.name)
        if group.typer_instance is not None:
            app.add_typer(group.typer_instance, name=name, hidden=True, callback=_moved(name, _nothing))


def _moved(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def told(*words: Any, **options: Any) -> Any:
        typer.echo(f"c2d {name} is called c2d admin {name} now", err=True)
        return call(*words, **options)

    return told


def _nothing() -> None:
    """A group does nothing by itself."""
