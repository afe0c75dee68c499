"""The command line: `c2d serve`, `c2d demo`, `c2d doctor`, `c2d settings`, `c2d openapi`,
`c2d templates render`."""

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


@app.command()
def doctor(
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Else the usual one (KUBECONFIG), else the identity of the pod it runs in.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig; else the current one.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Data folder of `c2d serve` on this machine.")] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of the service.")] = "c2d",
    argo_namespace: Annotated[str, typer.Option(help="Namespace of Argo's controller.")] = "argo",
    service_account: Annotated[str, typer.Option(help="Account of the service, in its namespace.")] = "provider-api",
    limit: Annotated[float, typer.Option(min=1, help="Seconds that each check may take.")] = 20,
    head_age: Annotated[float, typer.Option(help="How old a chain's newest block may be, seconds.")] = 300,
    clock: Annotated[float, typer.Option(help="How far clocks may differ, seconds.")] = 10,
    probe: Annotated[bool, typer.Option("--probe", help="Start two small pods that try to get out.")] = False,
    probe_limit: Annotated[float, typer.Option(min=1, help="Seconds that these pods may take.")] = 180,
    probe_target: Annotated[str, typer.Option(help="What they try to reach, host:port.")] = "1.1.1.1:443",
    probe_image: Annotated[str, typer.Option(help="Their image, with python; else that of the steps.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The lines as one JSON document.")] = False,
) -> None:
    """Examine cluster, Argo, rights, isolation, environments, and what the service leans on; say how to mend it."""
    from provider_api.cli.doctor import examine, leave
    from provider_api.doctor.surroundings import Options

    options = Options(
        service_namespace=namespace,
        argo_namespace=argo_namespace,
        service_account=service_account,
        limit_seconds=limit,
        head_age_seconds=head_age,
        clock_seconds=clock,
        probe=probe,
        probe_seconds=probe_limit,
        probe_target=probe_target,
        probe_image=probe_image,
    )
    leave(examine(options, data=data, kubeconfig=kubeconfig, context=context, as_document=as_json))


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
