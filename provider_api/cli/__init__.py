"""The command line, `c2d`: each command imports what it needs when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.commands import accounts, assets, jobs
from client.commands.releases import releases

if TYPE_CHECKING:
    from contract.argo_releases import ArgoRelease

HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    no_args_is_help=True,
    context_settings=HELP,
    pretty_exceptions_show_locals=False,  # keys are among them
    help="Compute-to-Data on Argo Workflows.",
)
templates = typer.Typer(no_args_is_help=True, help="Environments as WorkflowTemplates.")
chart = typer.Typer(no_args_is_help=True, help="What the Helm chart takes from the programs.")
app.add_typer(templates, name="templates")
app.add_typer(chart, name="chart")
app.add_typer(releases, name="releases")
accounts.add_to(app)
assets.add_to(app)
jobs.add_to(app)

SERVE_FOLDER = Path("data/serve")
DATA_HELP = "Folder for everything that must survive a restart."


PASSPORT_HELP = "The job's passport; else the passport.dsse.json among the files."
SIGNER_HELP = "Address of an account that you trust to sign; may be given several times."
TRUSTED_PROVIDER_HELP = "Address of a service that you trust: the accounts that it names may sign."
ARGO_HELP = "Release of Argo Workflows that they are for, such as 4.0; else the newest that is known."


def _release(name: str | None) -> ArgoRelease:
    """Raises typer.BadParameter for a release that is not known."""
    from contract.argo_releases import NEWEST, RELEASES

    found = {release.name: release for release in RELEASES}
    if name is not None and name not in found:
        raise typer.BadParameter(f"{name} is not among the releases that are known: {', '.join(found)}")
    return NEWEST if name is None else found[name]


def _print_schema_of_try(wanted: bool) -> None:
    if wanted:
        from provider_api.cli.rehearsal.report import schema_text

        typer.echo(schema_text(), nl=False)
        raise typer.Exit


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"c2d {version('compute-to-data')}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Compute-to-Data on Argo Workflows."""
    from ocean.kit.logs import configure_for_commands
    from provider_api.telemetry.logs import bound

    configure_for_commands(bound)


@app.command()
def serve(
    data: Annotated[Path, typer.Option("--data", envvar="C2D_DATA_FOLDER", help=DATA_HELP)] = SERVE_FOLDER,
    port: Annotated[int | None, typer.Option(help="Port of the API; else C2D_SERVER__PORT, else 8030.")] = None,
    environments: Annotated[
        Path | None,
        typer.Option(help="Folder of your own environments, a TOML file each; else C2D_MACHINE__ENVIRONMENTS."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="TOML file: image name = folder with the unpacked image; else C2D_MACHINE__IMAGES."),
    ] = None,
    image: Annotated[
        list[str] | None, typer.Option(help="NAME=FOLDER, an unpacked image more; may be given several times.")
    ] = None,
) -> None:
    """Run the whole service on this machine; what the settings (C2D_…) do not name is started along with it."""
    from provider_api.cli.serve import serve_until_stopped

    raise typer.Exit(serve_until_stopped(data, port, environments, images, image or ()))


@app.command("try")
def try_(
    script: Annotated[Path, typer.Argument(help="The algorithm: a script or a program.", exists=True, dir_okay=False)],
    data: Annotated[
        list[Path] | None,
        typer.Option(help="A dataset: a file, or a folder with its files. May be given several times.", exists=True),
    ] = None,
    ddo: Annotated[
        list[Path] | None, typer.Option(help="Document of the first dataset, then of the second, …", dir_okay=False)
    ] = None,
    env: Annotated[str | None, typer.Option("--env", help="The environment; else the free one.")] = None,
    environments: Annotated[
        Path | None, typer.Option(help="Folder of environments, as for `serve`; else C2D_MACHINE__ENVIRONMENTS.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="NAME[:TAG][@DIGEST], or NAME=FOLDER for an unpacked one; else by the suffix.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="TOML file of unpacked images, as for `serve`; else C2D_MACHINE__IMAGES.")
    ] = None,
    entrypoint: Annotated[
        str | None, typer.Option(help="How it is started, such as 'python $ALGO'; else by the suffix.")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="name=value for algoCustomData.json; may be given several times.")
    ] = None,
    custom_data: Annotated[Path | None, typer.Option(help="JSON file for algoCustomData.json.", dir_okay=False)] = None,
    output: Annotated[Path | None, typer.Option(help="New folder for the results; else ./c2d-try-NAME-1.")] = None,
    seconds: Annotated[int | None, typer.Option(min=1, help="Longest run; else the environment's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as one JSON document.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with the algorithm's own exit code.")] = False,
    schema: Annotated[
        bool,
        typer.Option("--schema", callback=_print_schema_of_try, is_eager=True, help="Print the schema of --json."),
    ] = False,
) -> None:
    """Rehearse an algorithm on your own data, as a job would run it: no chain, no order, nothing left behind."""
    from provider_api.cli.rehearsal import rehearse
    from provider_api.cli.rehearsal.wanted import Wanted

    wanted = Wanted(
        script=script,
        data=tuple(data or ()),
        documents=tuple(ddo or ()),
        environment=env,
        environments=environments,
        image=image,
        images=images,
        entrypoint=entrypoint,
        parameters=tuple(param or ()),
        custom_data=custom_data,
        output=output,
        seconds=seconds,
    )
    raise typer.Exit(rehearse(wanted, as_json=as_json, own_exit_code=exit_code))


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
def publication(
    chain_id: Annotated[int, typer.Argument(help="The chain, one of C2D_CHAINS.")],
    files_url: Annotated[
        str, typer.Option(help="Where pods and the service fetch the assets' files; else the service's public address.")
    ] = "",
) -> None:
    """Print publication.json for the publishing pods (the Secret c2d-publication) by the service's settings. Has
    secrets."""
    from provider_api.cli.publication import print_publication

    raise typer.Exit(print_publication(chain_id, files_url))


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
def verify(
    files: Annotated[list[Path], typer.Argument(help="Results of a job, or folders with them.", exists=True)],
    passport: Annotated[Path | None, typer.Option(help=PASSPORT_HELP)] = None,
    signer: Annotated[list[str] | None, typer.Option(help=SIGNER_HELP)] = None,
    provider: Annotated[str | None, typer.Option(help=TRUSTED_PROVIDER_HELP)] = None,
    chain: Annotated[
        str | None, typer.Option(help="A node of the orders' chain: also ask whether the order was paid to the signer.")
    ] = None,
) -> None:
    """Verify files by the passport of the job that they come from: who says that this job released them."""
    from client.verify import Trust, verify_files

    raise typer.Exit(verify_files(files, passport, Trust(tuple(signer or ()), provider, chain)))


@app.command()
def crate(
    folder: Annotated[Path, typer.Argument(help="Results of a job.", exists=True, file_okay=False)],
    passport: Annotated[Path | None, typer.Option(help=PASSPORT_HELP)] = None,
    signer: Annotated[list[str] | None, typer.Option(help=SIGNER_HELP)] = None,
    provider: Annotated[str | None, typer.Option(help=TRUSTED_PROVIDER_HELP)] = None,
) -> None:
    """Verify a folder with a job's results, and describe it as a research object (RO-Crate)."""
    from client.verify import Trust, make_crate

    raise typer.Exit(make_crate(folder, passport, Trust(tuple(signer or ()), provider)))


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
    from provider_api.endpoints.operations import OPERATIONS
    from provider_api.openapi import document_text

    typer.echo(document_text(OPERATIONS), nl=False)


@templates.command("render")
def render(
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit code 1 when files differ.")] = False,
    source: Annotated[
        Path | None, typer.Option("--from", help="A folder of descriptions, one TOML file each.", file_okay=False)
    ] = None,
    target: Annotated[Path | None, typer.Option("--to", help="Where to: the folder base in it.")] = None,
    argo: Annotated[str | None, typer.Option(help=ARGO_HELP)] = None,
) -> None:
    """Render environments to manifests: the project's own ones, or those of a folder."""
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
        typer.echo("rendered files differ from their programs; run: c2d templates render", err=True)
        raise typer.Exit(1)


@chart.command("render")
def render_chart(
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit code 1 when files differ.")] = False,
) -> None:
    """Write the settings that values may hold, and the environments as values, into helm/."""
    from provider_api.deploy import chart_files as files

    if not check:
        for name in files.write():
            typer.echo(f"helm/{name}")
    elif differing := files.check():
        typer.echo(f"differ from the programs: {', '.join(differing)}; run: c2d chart render", err=True)
        raise typer.Exit(1)


@chart.command("environments")
def chart_environments(
    folder: Annotated[Path, typer.Argument(help="Descriptions, one TOML file each.", exists=True, file_okay=False)],
    argo: Annotated[str | None, typer.Option(help=ARGO_HELP)] = None,
) -> None:
    """Print values of the chart that bring the environments described in a folder."""
    from provider_api.deploy.chart_files import environment_values
    from workflow_templates.environment import EnvironmentInvalid, read_environments

    try:
        environments = read_environments(folder)
    except EnvironmentInvalid as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(1) from None
    command = f"`c2d chart environments {folder}{f' --argo {argo}' if argo else ''}`"
    typer.echo(environment_values(environments, command, "this file", _release(argo)), nl=False)


def main() -> None:
    app()
