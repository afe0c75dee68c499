"""Facts about this machine, where `c2d serve` runs everything: without a cluster, and with no Argo Server named."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from argo.local.pods import Images, SandboxRuntime
from ocean.chain.anvil import AnvilMissing, find_anvil
from provider_api.deploy.addresses import port_is_free
from provider_api.deploy.lock import FolderInUse, FolderLock
from provider_api.deploy.machine import CHAIN_PORT, FILES_PORT
from provider_api.doctor.checks.threads import in_thread
from provider_api.doctor.judging import machine
from provider_api.doctor.lines import Line
from provider_api.doctor.run import Check
from provider_api.doctor.surroundings import NotCheckable, Surroundings

_KERNEL = Path("/proc/sys")


def _require_machine(around: Surroundings) -> None:
    """Raises NotCheckable where something else than this machine runs the jobs."""
    settings = around.settings
    if around.cluster is not None or "argo" in settings.model_fields_set or settings.argo_servers:
        raise NotCheckable("jobs do not run on this machine: a cluster or an Argo Server is named")


async def _sandboxes(around: Surroundings) -> Sequence[Line]:
    _require_machine(around)
    return [machine.judge_sandboxes(await in_thread(SandboxRuntime(Images.default()).probe))]


async def _namespaces(around: Surroundings) -> Sequence[Line]:
    _require_machine(around)
    found = machine.Namespaces(
        _number("user/max_user_namespaces"),
        _number("kernel/unprivileged_userns_clone"),
        _number("kernel/apparmor_restrict_unprivileged_userns"),
    )
    return [machine.judge_namespaces(found, root=os.geteuid() == 0)]


async def _interpreter(around: Surroundings) -> Sequence[Line]:
    _require_machine(around)
    real = await in_thread(Path(sys.executable).resolve)
    return [machine.judge_interpreter(sys.version_info[:2], str(real), real=real.exists())]


async def _ports(around: Surroundings) -> Sequence[Line]:
    _require_machine(around)
    server, publication = around.settings.server, around.settings.publication
    wanted = [("Provider API", server.host, server.port, True)]
    wanted += [("files of assets made of results", server.host, publication.port or FILES_PORT, False)]
    if not around.settings.chains:
        wanted += [("development chain", "127.0.0.1", CHAIN_PORT, False)]
    ports = [machine.Port(name, port, port_is_free(host, port), needed) for name, host, port, needed in wanted if port]
    return [machine.judge_ports(ports, running=_runs(around.settings.data_folder))]


async def _disk(around: Surroundings) -> Sequence[Line]:
    _require_machine(around)
    folder = around.settings.data_folder.absolute()
    place = next(each for each in (folder, *folder.parents) if each.is_dir())
    return [machine.judge_disk(shutil.disk_usage(place).free)]


async def _folder(around: Surroundings) -> Sequence[Line]:
    _require_machine(around)
    try:
        mode = around.settings.data_folder.stat().st_mode
    except FileNotFoundError:
        raise NotCheckable("nothing has been started in the data folder") from None
    return [machine.judge_folder(stat.S_IMODE(mode))]


async def _chain(around: Surroundings) -> Sequence[Line]:
    _require_machine(around)
    if around.settings.chains:
        raise NotCheckable("the settings name a chain")
    try:
        return [machine.DEVELOPMENT_CHAIN.ok(str(find_anvil()))]
    except AnvilMissing:
        return [machine.DEVELOPMENT_CHAIN.failure("anvil was not found")]


def _number(name: str) -> int | None:
    try:
        return int((_KERNEL / name).read_text())
    except (OSError, ValueError):
        return None


def _runs(folder: Path) -> bool:
    try:
        FolderLock(folder.absolute()).require_free()
    except FolderInUse:
        return True
    return False


CHECKS = (
    Check((machine.SANDBOXES,), _sandboxes),
    Check((machine.NAMESPACES,), _namespaces),
    Check((machine.INTERPRETER,), _interpreter),
    Check((machine.PORTS,), _ports),
    Check((machine.DISK,), _disk),
    Check((machine.FOLDER,), _folder),
    Check((machine.DEVELOPMENT_CHAIN,), _chain),
)
