"""The command line, `c2d`: each command imports what it needs when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Compute-to-Data on Argo Workflows.")
templates = typer.Typer(no_args_is_help=True, help="Environments as WorkflowTemplates.")
chart = typer.Typer(no_args_is_help=True, help="What the Helm chart takes from the programs.")
app.add_typer(templates, name="templates")
app.add_typer(chart, name="chart")

DATA_HELP = "Folder for everything that must survive a restart."


@app.command()
def serve(
    data: Annotated[Path, typer.Option("--data", envvar="C2D_DATA_FOLDER", help=DATA_HELP)] = Path("data/serve"),
    port: Annotated[int | None, typer.Option(help="Port of the API; else C2D_SERVER__PORT, else 8030.")] = None,
) -> None:
    """Run the whole service on this machine; what the settings (C2D_…) do not name is started along with it."""
    from provider_api.cli.serve import serve_until_stopped

    raise typer.Exit(serve_until_stopped(data, port))


@app.command()
def demo(data: Annotated[Path, typer.Option("--data", help=DATA_HELP)] = Path("data/demo")) -> None:
    """Publish two datasets and an algorithm, order them, run a job, show its results."""
    from provider_api.cli.demo import show_demo

    raise typer.Exit(show_demo(data))


@app.command()
def keys(
    folder: Annotated[
        Path, typer.Argument(help="Where the keys are, or will be: a file per key, a folder per Secret.")
    ],
    environments: Annotated[
        Path | None, typer.Option(help="Descriptions of the environments; else those of this project.", file_okay=False)
    ] = None,
    kustomize: Annotated[bool, typer.Option("--kustomize", help="Print a kustomize component instead.")] = False,
) -> None:
    """Make the keys of a deployment in a cluster; print the public ones as values of the chart. Keeps what is there."""
    from provider_api.cli.keys import make_keys

    raise typer.Exit(make_keys(folder, environments, kustomize))


@app.command()
def migrate(
    wait_seconds: Annotated[float, typer.Option(help="How long to wait for a database that does not answer.")] = 60.0,
) -> None:
    """Bring the tables of the service's database (C2D_STORAGE__URL) up to date."""
    from provider_api.cli.migrate import migrate_database

    raise typer.Exit(migrate_database(wait_seconds))


@app.command()
def settings() -> None:
    """Print the page of all settings (docs/reference/settings.md)."""
    from provider_api.cli.settings_page import settings_page

    typer.echo(settings_page(), nl=False)


@app.command()
def openapi() -> None:
    """Print the OpenAPI document (docs/reference/openapi.json)."""
    from provider_api.openapi import document_text

    typer.echo(document_text(), nl=False)


@templates.command("render")
def render(
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit code 1 when files differ.")] = False,
    source: Annotated[
        Path | None, typer.Option("--from", help="A folder of descriptions, one TOML file each.", file_okay=False)
    ] = None,
    target: Annotated[Path | None, typer.Option("--to", help="Where to: the folder base in it.")] = None,
) -> None:
    """Render environments to manifests: the project's own ones, or those of a folder."""
    from workflow_templates import render as rendering
    from workflow_templates.environment import EnvironmentInvalid, read_environments

    if (source is None) != (target is None):
        raise typer.BadParameter("--from and --to go together")
    sets = rendering.OURS if source is None or target is None else ((source, target),)
    differing = False
    for descriptions, folder in sets:
        try:
            environments = read_environments(descriptions)
        except EnvironmentInvalid as problem:
            typer.echo(str(problem), err=True)
            raise typer.Exit(1) from None
        for line in (rendering.check if check else rendering.write)(folder, environments):
            typer.echo(line)
            differing = True
    if check and differing:
        typer.echo("rendered files differ from their programs; run: c2d templates render", err=True)
        raise typer.Exit(1)


@chart.command("render")
def render_chart(
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit code 1 when files differ.")] = False,
) -> None:
    """Write the settings that values may hold, and the environments as values, into helm/."""
    from provider_api.cli import chart_files as files

    if not check:
        for name in files.write():
            typer.echo(f"helm/{name}")
    elif differing := files.check():
        typer.echo(f"differ from the programs: {', '.join(differing)}; run: c2d chart render", err=True)
        raise typer.Exit(1)


@chart.command("environments")
def chart_environments(
    folder: Annotated[Path, typer.Argument(help="Descriptions, one TOML file each.", exists=True, file_okay=False)],
) -> None:
    """Print values of the chart that bring the environments described in a folder."""
    from provider_api.cli.chart_files import environment_values
    from workflow_templates.environment import EnvironmentInvalid, read_environments

    try:
        environments = read_environments(folder)
    except EnvironmentInvalid as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(1) from None
    typer.echo(environment_values(environments, f"`c2d chart environments {folder}`", "this file"), nl=False)


def main() -> None:
    app()
