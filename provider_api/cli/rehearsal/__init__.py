"""`c2d try`: an algorithm on data of one's own, run as a job would run it, without chain, order or service.

What runs is what always runs: a rendered environment on the embedded Argo server, the pods' own programs, the
sandbox. Only the data lie here, and all of it is gone afterwards but the report and the results.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

import structlog
import typer
from pydantic import ValidationError

from argo.local.private import UMASK
from client.exits import Exit, Unusable
from client.text import harmless
from contract.manifest import ManifestInvalid
from provider_api.cli.rehearsal.report import Refusal, Report
from provider_api.cli.rehearsal.run import rehearsed
from provider_api.cli.rehearsal.telling import Progress, lines_of
from provider_api.cli.rehearsal.wanted import MachineCannot, NotAccepted, Wanted
from provider_api.settings import PREFIX, UnknownSetting, load_settings
from provider_api.settings.text import SettingUnreadable, problems
from workflow_templates.environment import EnvironmentInvalid


def rehearse(wanted: Wanted, *, as_json: bool, own_exit_code: bool) -> int:
    """The exit code. The report goes to standard output, everything else to standard error."""
    _quiet()
    before = os.umask(UMASK)
    try:
        report = asyncio.run(_until_interrupted(wanted, Progress()))
    except (Unusable, EnvironmentInvalid, SettingUnreadable, UnknownSetting) as trouble:
        return _unusable(str(trouble))
    except ValidationError as trouble:
        return _unusable("settings: " + problems(trouble, PREFIX))
    except NotAccepted as refused:
        reasons = [Refusal(place=each.place, code=each.code, sentence=each.sentence) for each in refused.reasons]
        report = Report(verdict="refused", sentence="a job like this would not be accepted.", refusals=tuple(reasons))
    except (MachineCannot, OSError, ManifestInvalid) as trouble:
        report = Report(verdict="machine_cannot", sentence=harmless(str(trouble) or type(trouble).__name__))
    except (asyncio.CancelledError, KeyboardInterrupt):
        typer.echo("✘ interrupted; nothing is left of it", err=True)
        return Exit.DETACHED
    finally:
        os.umask(before)
    if as_json:
        typer.echo(report.as_json())
    else:
        for line in lines_of(report):
            typer.echo(harmless(line))
    return report.exit_status(own=own_exit_code)


async def _until_interrupted(wanted: Wanted, progress: Progress) -> Report:
    """The first Ctrl-C, SIGTERM or SIGHUP cancels; what cleans up afterwards is not disturbed by a second one."""
    given = {"MACHINE__ENVIRONMENTS": wanted.environments, "MACHINE__IMAGES": wanted.images}
    chosen = {f"{PREFIX}{name}": str(value) for name, value in given.items() if value is not None}
    task = asyncio.ensure_future(rehearsed(wanted, load_settings({**os.environ, **chosen}), progress))

    def interrupt() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        progress.say("interrupted: ending what runs")
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupt)
    return await task


def _unusable(text: str) -> int:
    typer.echo(f"✘ {harmless(text)}", err=True)
    return Exit.USAGE


def _quiet() -> None:
    """Only what goes wrong is said beside the report."""
    logging.getLogger().setLevel(logging.ERROR)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
