"""Commands about jobs."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from client.commands.options import (
    CustomData,
    Environment,
    ExitCode,
    JobArgument,
    JsonOption,
    Minutes,
    Output,
    Parameter,
    PasswordFile,
    ProfileOption,
)

_ASSETS = "DIDs, or names, of the datasets, and of the algorithm last."


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("envs")(envs)
    app.command("why")(why)
    app.command("run")(run)
    app.command("jobs")(jobs)
    app.command("show")(show)
    app.command("watch")(watch)
    app.command("logs")(logs)
    app.command("results")(results)
    app.command("stop")(stop)
    app.command("rm")(rm)


def envs(profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """List the environments: price, queue, limits, and what may leave.

    Example: c2d envs --json
    """
    from client.carrying import carry_out
    from client.jobs.listing import environments
    from client.session import Given

    raise typer.Exit(carry_out(Given(profile, as_json), environments))


def why(
    assets: Annotated[list[str], typer.Argument(metavar="DATASET… ALGORITHM", help=_ASSETS)],
    environment: Environment = None,
    minutes: Minutes = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a job would cost, or every reason why it would not be started; nothing is bought.

    Example: c2d why did:op:12… did:op:34…
    """
    from client.carrying import carry_out
    from client.jobs import listing
    from client.jobs.quoting import Wanted
    from client.session import Given

    datasets, algorithm = _split(assets)
    wanted = Wanted(datasets, algorithm, environment, minutes)
    raise typer.Exit(carry_out(Given(profile, as_json), lambda session, out: listing.why(session, out, wanted)))


def run(
    assets: Annotated[list[str], typer.Argument(metavar="DATASET… ALGORITHM", help=_ASSETS)],
    environment: Environment = None,
    minutes: Minutes = None,
    max_price: Annotated[
        str | None, typer.Option("--max-price", metavar="AMOUNT", help="Buy without asking, for at most this.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Buy without asking, whatever it costs.")] = False,
    param: Parameter = None,
    custom_data: CustomData = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Do not wait: print the job's id.")] = False,
    output: Output = None,
    exit_code: ExitCode = False,
    profile: ProfileOption = None,
    password_file: PasswordFile = None,
    as_json: JsonOption = False,
) -> None:
    """Run a job: order what is missing, start it, follow it, fetch and verify its results.

    Example: c2d run did:op:12… did:op:34… --max-price 5 -o results
    """
    from client.carrying import carry_out
    from client.jobs import starting
    from client.jobs.quoting import Wanted
    from client.parameters import read_parameters
    from client.printing import Printer
    from client.session import Given, Session

    datasets, algorithm = _split(assets)
    most = _amount(max_price)

    async def work(session: Session, printer: Printer) -> int:
        parameters = read_parameters(param or (), custom_data)
        wanted = Wanted(datasets, algorithm, environment, minutes, most, yes, parameters, detach, output, exit_code)
        return await starting.run(session, printer, wanted)

    raise typer.Exit(carry_out(Given(profile, as_json, password_file), work))


def jobs(profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """List your jobs, the newest first.

    Example: c2d jobs
    """
    from client.carrying import carry_out
    from client.jobs import listing
    from client.session import Given

    raise typer.Exit(carry_out(Given(profile, as_json), listing.jobs))


def show(job: JobArgument, profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """Show one job.

    Example: c2d show 1f0e6bd0c3a14c0f9d7e0c5a0b1d2e3f
    """
    from client.carrying import carry_out
    from client.jobs import listing
    from client.session import Given

    raise typer.Exit(carry_out(Given(profile, as_json), lambda session, out: listing.show(session, out, job)))


def watch(
    job: JobArgument, exit_code: ExitCode = False, profile: ProfileOption = None, as_json: JsonOption = False
) -> None:
    """Follow a job to its end; with --json each state is a line.

    Example: c2d watch 1f0e6bd0c3a14c0f9d7e0c5a0b1d2e3f
    """
    from client.carrying import carry_out
    from client.jobs import watching
    from client.session import Given

    given = Given(profile, as_json)
    raise typer.Exit(carry_out(given, lambda session, out: watching.watch(session, out, job, exit_code=exit_code)))


def logs(
    job: JobArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for the job's end.")] = False,
    profile: ProfileOption = None,
    password_file: PasswordFile = None,
) -> None:
    """Print the log of a job's algorithm.

    Example: c2d logs -f 1f0e6bd0c3a14c0f9d7e0c5a0b1d2e3f
    """
    from client.carrying import carry_out
    from client.jobs import listing
    from client.session import Given

    given = Given(profile, False, password_file)
    raise typer.Exit(carry_out(given, lambda session, out: listing.logs(session, out, job, following=follow)))


def results(
    job: JobArgument,
    output: Output = None,
    profile: ProfileOption = None,
    password_file: PasswordFile = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch a job's results into a folder and verify them; go on where a transfer broke off.

    Example: c2d results 1f0e6bd0c3a14c0f9d7e0c5a0b1d2e3f -o results
    """
    from client.carrying import carry_out
    from client.jobs import watching
    from client.session import Given

    given = Given(profile, as_json, password_file)
    raise typer.Exit(carry_out(given, lambda session, out: watching.results(session, out, job, output)))


def stop(
    job: JobArgument, profile: ProfileOption = None, password_file: PasswordFile = None, as_json: JsonOption = False
) -> None:
    """Stop a job; what it has written so far is published.

    Example: c2d stop 1f0e6bd0c3a14c0f9d7e0c5a0b1d2e3f
    """
    from client.carrying import carry_out
    from client.jobs import listing
    from client.session import Given

    given = Given(profile, as_json, password_file)
    raise typer.Exit(carry_out(given, lambda session, out: listing.stop(session, out, job)))


def rm(
    job: JobArgument, profile: ProfileOption = None, password_file: PasswordFile = None, as_json: JsonOption = False
) -> None:
    """Remove a job with its logs and results, for good.

    Example: c2d rm 1f0e6bd0c3a14c0f9d7e0c5a0b1d2e3f
    """
    from client.carrying import carry_out
    from client.jobs import listing
    from client.session import Given

    given = Given(profile, as_json, password_file)
    raise typer.Exit(carry_out(given, lambda session, out: listing.remove(session, out, job)))


def _split(assets: list[str]) -> tuple[list[str], str]:
    if len(assets) < 2:
        raise typer.BadParameter("at least one dataset and the algorithm are needed, the algorithm last")
    return assets[:-1], assets[-1]


def _amount(text: str | None) -> Decimal | None:
    try:
        amount = None if text is None else Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if amount is not None and not (amount.is_finite() and amount >= 0):
        raise typer.BadParameter(f"--max-price {text} is no amount")
    return amount
