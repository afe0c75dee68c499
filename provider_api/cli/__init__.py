"""The command line: `c2d serve`, `c2d demo`, `c2d settings`, `c2d openapi`, `c2d templates render`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Compute-to-Data on Argo Workflows.")
templates = typer.Typer(no_args_is_help=True, help="Environments as WorkflowTemplates.")
app.add_typer(templates, name="templates")

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


@app.command("result-store")
def result_store() -> None:
    """Print store.json for the publishing pods (the Secret c2d-result-store) by the service's settings. Has secrets."""
    from provider_api.cli.result_store import print_store

    raise typer.Exit(print_store())


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


@templates.command()
def render(
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit code 1 when files differ.")] = False,
) -> None:
    """Render workflow_templates/environments to argo/gitops."""
    from workflow_templates import render as rendering

    if check:
        differences = rendering.check()
        for difference in differences:
            typer.echo(difference)
        if differences:
            typer.echo("rendered files differ from their programs; run: c2d templates render", err=True)
            raise typer.Exit(1)
        return
    for path in rendering.write():
        typer.echo(path)


def main() -> None:
    app()
