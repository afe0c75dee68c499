"""`c2d demo`: the main job, end to end, for somebody to watch."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rich.console import Console

from ocean.client import ConsumerError
from provider_api.cli.demo.assets import ExampleMissing
from provider_api.cli.demo.run import DemoFailed, run_demo
from provider_api.cli.startup_errors import TROUBLES, explain


def show_demo(folder: Path) -> int:
    """Exit code: 0 when the job ended well."""
    console = Console()
    try:
        asyncio.run(run_demo(folder, console))
    except KeyboardInterrupt:
        return 130
    except (*TROUBLES, ConsumerError, DemoFailed, ExampleMissing, TimeoutError) as trouble:
        console.print(f"[red]✘[/red] {explain(trouble)}", highlight=False, soft_wrap=True)
        console.print(f"  logs: {folder / 'logs'}")
        return 1
    return 0
