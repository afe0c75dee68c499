"""`c2d serve`: the machine until somebody ends it."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from rich.console import Console
from rich.table import Table

from provider_api.cli.troubles import TROUBLES, explain
from provider_api.machine.machine import Machine


def serve_until_stopped(folder: Path) -> int:
    """Exit code: 0 after Ctrl-C or SIGTERM, 1 when a part could not be started."""
    console = Console()
    try:
        asyncio.run(_serve(folder, console))
    except TROUBLES as trouble:
        console.print(f"[red]✘[/red] {explain(trouble)}", highlight=False, soft_wrap=True)
        return 1
    return 0


async def _serve(folder: Path, console: Console) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    machine = Machine(folder, fixed_ports=True)
    starting = asyncio.create_task(machine.start())
    with console.status("starting"):
        await asyncio.wait({starting, asyncio.create_task(stopped.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
        return
    starting.result()
    try:
        _announce(machine, console)
        await stopped.wait()
        console.print("\nstopping; running jobs go on when the service is started again")
    finally:
        await machine.stop()


def _announce(machine: Machine, console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("Provider API", machine.url)
    table.add_row("chain", machine.chain_url)
    table.add_row("addresses of contracts", str(machine.address_file))
    table.add_row("Argo server", f"{machine.argo_url} (token in {machine.argo_token_file})")
    table.add_row("data", str(machine.folder.root))
    console.print(table)
    for remark in machine.remarks:
        console.print(f"[yellow]![/yellow] {remark}", soft_wrap=True)
    console.print("Ctrl-C ends it.")
