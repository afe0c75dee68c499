"""`c2d serve`: the machine until somebody ends it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from argo.local.private import UMASK
from contract.local_service import LocalService, announce
from provider_api.cli.images import ImageUnusable, unpacked_image
from provider_api.cli.startup_errors import TROUBLES, explain
from provider_api.deploy.folder import DataFolder
from provider_api.deploy.lock import FolderLock
from provider_api.deploy.machine import Machine
from provider_api.deploy.shelf import Shelf
from provider_api.settings import PREFIX


def serve_until_stopped(
    folder: Path, port: int | None, environments: Path | None, images: Path | None, unpacked: Sequence[str] = ()
) -> int:
    """Exit code: 0 after Ctrl-C or SIGTERM, 1 when a part could not be started. `unpacked`: NAME=FOLDER each."""
    console = Console()
    os.umask(UMASK)
    given = {"SERVER__PORT": port, "MACHINE__ENVIRONMENTS": environments, "MACHINE__IMAGES": images}
    chosen = {f"{PREFIX}{name}": str(value) for name, value in given.items() if value is not None}
    try:
        asyncio.run(_serve(folder.absolute(), chosen, dict(map(unpacked_image, unpacked)), console))
    except (*TROUBLES, ImageUnusable) as trouble:
        console.print(f"[red]✘[/red] {explain(trouble)}", highlight=False, soft_wrap=True)
        return 1
    return 0


async def _serve(folder: Path, chosen: Mapping[str, str], images: Mapping[str, Path], console: Console) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    data = DataFolder(folder)
    FolderLock(data.root).require_free()
    data.make()
    with Shelf(data.root / "files") as shelf:
        machine = Machine(
            folder,
            allow_private=(f"{shelf.address}@*",),
            fixed_ports=True,
            images=images,
            environment={**os.environ, **chosen},
            tell=_told(console),
        )
        await _served(machine, shelf, console, stopped)


async def _served(machine: Machine, shelf: Shelf, console: Console, stopped: asyncio.Event) -> None:
    starting = asyncio.create_task(machine.start())
    with console.status("starting"):
        await asyncio.wait({starting, asyncio.create_task(stopped.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
        return
    starting.result()
    told = None
    try:
        told = _tell_commands(machine, shelf)
        _announce(machine, shelf, console)
        await stopped.wait()
        console.print("\nstopping; running jobs go on when the service is started again")
    finally:
        if told is not None:
            told.unlink(missing_ok=True)
        await machine.stop()


def _tell_commands(machine: Machine, shelf: Shelf) -> Path | None:
    """Let `c2d run` and the like find chain and shelf. None where the user has no folder for it."""
    addresses = str(machine.address_file) if machine.address_file.exists() else ""
    service = LocalService(machine.url, machine.chain_url, addresses, str(shelf.folder.absolute()), shelf.url)
    try:
        return announce(service)
    except OSError as exc:
        machine.remarks.append(f"commands of this user will not find the service by themselves: {exc}")
        return None


def _told(console: Console) -> Callable[[str], None]:
    return lambda line: console.print(f"[yellow]![/yellow] {line}", soft_wrap=True, highlight=False)


def _announce(machine: Machine, shelf: Shelf, console: Console) -> None:
    lines = {"Provider API": machine.url, "chain": machine.chain_url}
    if machine.address_file.exists():
        lines["contracts"] = str(machine.address_file)
    lines["Argo server"] = machine.argo_url
    if machine.argo_token_file.exists():
        lines["its token"] = str(machine.argo_token_file)
    lines["assets' files"] = f"http://{machine.files_address}"
    lines["shelf"] = shelf.url
    lines["data"] = str(machine.folder.root)
    for name, value in lines.items():
        console.print(f"{name:<14}[cyan]{value}[/cyan]", soft_wrap=True, highlight=False)
    if shelf.moved:
        machine.remarks.append(
            f"the shelf's port of before is taken: files that were published from it are not at {shelf.url}"
        )
    for remark in machine.remarks:
        console.print(f"[yellow]![/yellow] {remark}", soft_wrap=True)
    console.print("Ctrl-C ends it.")
