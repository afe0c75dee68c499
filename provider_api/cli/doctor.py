"""`c2d doctor`: run all checks, show the lines. Exit code 0: no failure, 1: at least one, 2: it could not run."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import NoReturn

import structlog
import typer
from pydantic import ValidationError
from rich.console import Console

from provider_api.cli import SERVE_FOLDER
from provider_api.cli.startup_errors import explain
from provider_api.doctor.checks import CHECKS
from provider_api.doctor.checks.threads import waiting
from provider_api.doctor.cluster import Cluster, NoCluster, open_cluster
from provider_api.doctor.lines import Line, exit_code
from provider_api.doctor.report import as_json, show
from provider_api.doctor.run import run_checks
from provider_api.doctor.surroundings import Options, Surroundings
from provider_api.settings import PREFIX, Settings, UnknownSetting, load_settings
from provider_api.settings.text import SettingUnreadable

COULD_NOT_RUN = 2
_MORE_SECONDS = 5  # that a request may take: the limit of its check shall come first, and say so


def examine(
    options: Options, *, data: Path | None, kubeconfig: Path | None, context: str | None, as_document: bool
) -> int:
    """The exit code. The report goes to standard output, why it could not run to standard error."""
    errors = Console(stderr=True)
    _quiet()
    try:
        data = data or _used_folder()
        settings = load_settings() if data is None else load_settings(data_folder=data)
        around = Surroundings(settings, options, *_cluster(settings, options, kubeconfig, context))
        lines = asyncio.run(_until_ended(around))
    except (SettingUnreadable, UnknownSetting, ValidationError, NoCluster) as trouble:
        errors.print(f"[red]✘[/red] {explain(trouble)}", highlight=False, soft_wrap=True)
        return COULD_NOT_RUN
    except (asyncio.CancelledError, KeyboardInterrupt):
        errors.print("[red]✘[/red] ended before it was done", highlight=False)
        return COULD_NOT_RUN
    if as_document:
        print(as_json(lines))
    else:
        show(lines, Console())
    return exit_code(lines)


def _used_folder() -> Path | None:
    """That of `make serve`, where nobody names another and there is one."""
    named = any(name.upper() == f"{PREFIX}DATA_FOLDER" for name in os.environ)
    return SERVE_FOLDER if not named and SERVE_FOLDER.is_dir() else None


def leave(code: int) -> NoReturn:
    """End the process. Calls that never came back still stand in threads; Python's own end would trip over them."""
    if waiting():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise typer.Exit(code)


def _cluster(
    settings: Settings, options: Options, kubeconfig: Path | None, context: str | None
) -> tuple[Cluster | None, str]:
    """The cluster, or why there is none. Raises NoCluster for one that was asked for."""
    try:
        return open_cluster(kubeconfig, context, options.limit_seconds + _MORE_SECONDS), ""
    except NoCluster as exc:
        if exc.asked_for:
            raise
        return None, str(exc)


async def _until_ended(around: Surroundings) -> list[Line]:
    """SIGTERM and Ctrl-C cancel the checks, which then clean up behind them."""
    task = asyncio.ensure_future(run_checks(CHECKS, around))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task


def _quiet() -> None:
    """The report is all that is said: libraries' own messages may repeat what was sent."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
