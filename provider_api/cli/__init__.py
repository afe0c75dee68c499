"""The command line, `c2d`: each command imports what it needs when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.commands import accounts, assets, jobs
from client.commands.options import JsonOption
from client.commands.releases import releases
from provider_api.cli import admin

HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    no_args_is_help=True,
    context_settings=HELP,
    pretty_exceptions_show_locals=False,  # keys are among them
    help="Compute-to-Data on Argo Workflows.",
)
jobs.add_to(app)
assets.add_to(app)
accounts.add_to(app)
app.add_typer(releases, name="releases")

SERVE_FOLDER = Path("data/serve")
DATA_HELP = "Folder for everything that must survive a restart."


PASSPORT_HELP = "The job's passport; else the passport.dsse.json among the files."
SIGNER_HELP = "Address of an account that you trust to sign; may be given several times."
TRUSTED_PROVIDER_HELP = "Address of a service that you trust: the accounts that it names may sign."


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
def schemas() -> None:
    """Print the schema of what each command prints with --json (docs/reference/command-line.json).

    Example: c2d schemas > schemas.json
    """
    from client.schemas import schemas_text

    typer.echo(schemas_text(), nl=False)


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
    """Run the whole service on this machine; what the settings (C2D_…) do not name is started along with it.

    Example: c2d serve --data data/serve
    """
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
    """Rehearse an algorithm on your own data, as a job would run it: no chain, no order, nothing left behind.

    Example: c2d try mean.py --data rain.csv
    """
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
    """Publish two datasets and an algorithm, order them, run a job, show its results.

    Example: c2d demo
    """
    from provider_api.cli.demo import show_demo

    raise typer.Exit(show_demo(data))


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(help="Results of a job, or folders with them.", exists=True)],
    passport: Annotated[Path | None, typer.Option(help=PASSPORT_HELP)] = None,
    signer: Annotated[list[str] | None, typer.Option(help=SIGNER_HELP)] = None,
    provider: Annotated[str | None, typer.Option(help=TRUSTED_PROVIDER_HELP)] = None,
    chain: Annotated[
        str | None, typer.Option(help="A node of the orders' chain: also ask whether the order was paid to the signer.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify files by the passport of the job that they come from: who says that this job released them.

    Example: c2d verify results --provider https://provider.example.org
    """
    from client.verify import Trust, verify_files

    raise typer.Exit(verify_files(files, passport, Trust(tuple(signer or ()), provider, chain), as_json=as_json))


@app.command()
def crate(
    folder: Annotated[Path, typer.Argument(help="Results of a job.", exists=True, file_okay=False)],
    passport: Annotated[Path | None, typer.Option(help=PASSPORT_HELP)] = None,
    signer: Annotated[list[str] | None, typer.Option(help=SIGNER_HELP)] = None,
    provider: Annotated[str | None, typer.Option(help=TRUSTED_PROVIDER_HELP)] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify a folder with a job's results, and describe it as a research object (RO-Crate).

    Example: c2d crate results --provider https://provider.example.org
    """
    from client.verify import Trust, make_crate

    raise typer.Exit(make_crate(folder, passport, Trust(tuple(signer or ()), provider), as_json=as_json))


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
    """Examine cluster, Argo, rights, isolation, environments, and what the service leans on; say how to mend it.

    Example: c2d doctor --data data/serve
    """
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


app.add_typer(admin.commands, name="admin")
admin.add_old_names(app)


def main() -> None:
    """Raises SystemExit. The client alone is installed without what the service needs."""
    try:
        app()
    except ModuleNotFoundError as exc:
        missing = str(exc.name).partition(".")[0]
        typer.echo(f"this needs the service's packages ({missing}): pip install 'compute-to-data[service]'", err=True)
        raise SystemExit(2) from None
