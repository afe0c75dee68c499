"""What one machine has on which `c2d serve` runs everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from provider_api.doctor.lines import Item, Line

SANDBOXES: Final = Item(
    "sandboxes",
    "sandboxes for algorithms",
    "a trial pod runs in one",
    "install the package bubblewrap; where the kernel or AppArmor keeps user namespaces from people, see the line"
    " user-namespaces; without sandboxes, algorithms of other people are refused",
)
NAMESPACES: Final = Item(
    "user-namespaces",
    "user namespaces, of which sandboxes are made",
    "everybody may make them",
    "sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces=15000, and on Ubuntu"
    " kernel.apparmor_restrict_unprivileged_userns=0 or an AppArmor profile for bwrap",
)
INTERPRETER: Final = Item(
    "interpreter",
    "Python",
    "3.11 or newer, at a path that is there",
    "install a Python 3.11 or newer and run `make setup` again; PYTHON=/path/to/python3 names one",
)
PORTS: Final = Item(
    "ports",
    "ports to listen on",
    "free, or used by the c2d that runs here",
    "end what listens there, or choose another: --port, C2D_SERVER__PORT, C2D_PUBLICATION__PORT; the development chain"
    " takes another by itself, and says which",
)
DISK: Final = Item(
    "disk",
    "room for results, databases and the volumes of jobs",
    "20 GB or more free",
    "remove what is not needed, or move the data folder (C2D_DATA_FOLDER) to a larger disk",
)
FOLDER: Final = Item(
    "data-folder",
    "the data folder",
    "there, and closed to other people of this machine",
    "chmod go= on the folder; it holds keys",
)
DEVELOPMENT_CHAIN: Final = Item(
    "development-chain",
    "the development chain",
    "its program is installed",
    "run tools/setup, or name a chain in C2D_CHAINS",
)

_GB: Final = 10**9


@dataclass(frozen=True, slots=True)
class Namespaces:
    """What the kernel says: values of its switches, None where it has none of that name."""

    most: int | None  # user.max_user_namespaces
    for_everybody: int | None  # kernel.unprivileged_userns_clone (Debian)
    restricted_by_apparmor: int | None  # kernel.apparmor_restrict_unprivileged_userns (Ubuntu)


@dataclass(frozen=True, slots=True)
class Port:
    name: str
    number: int
    free: bool
    needed: bool  # False: another one is taken instead


def judge_sandboxes(problem: str) -> Line:
    return SANDBOXES.failure(problem) if problem else SANDBOXES.ok("a trial pod ran in one")


def judge_namespaces(found: Namespaces, *, root: bool) -> Line:
    if found.most == 0:
        return NAMESPACES.failure("none may be made (user.max_user_namespaces is 0)")
    if not root and found.for_everybody == 0:
        return NAMESPACES.failure("only root may make them (kernel.unprivileged_userns_clone is 0)")
    if not root and found.restricted_by_apparmor == 1:
        text = "AppArmor restricts them (kernel.apparmor_restrict_unprivileged_userns is 1); a profile may allow bwrap"
        return NAMESPACES.warning(text)
    return NAMESPACES.ok("may be made")


def judge_interpreter(version: tuple[int, int], path: str, *, real: bool) -> Line:
    """`real`: whether the file behind all symbolic links of the path is there."""
    if not real:
        return INTERPRETER.failure(f"{path} leads nowhere")
    found = f"{version[0]}.{version[1]}, {path}"
    return INTERPRETER.ok(found) if version >= (3, 11) else INTERPRETER.failure(found)


def judge_ports(ports: list[Port], *, running: bool) -> Line:
    """`running`: a c2d of this data folder runs, and has them."""
    taken = [port for port in ports if not port.free]
    if running:
        return PORTS.ok("a c2d runs on this data folder, and has its ports")
    if not taken:
        return PORTS.ok(f"{', '.join(str(port.number) for port in ports)}: free")
    text = "taken by another program: " + ", ".join(f"{port.number} ({port.name})" for port in taken)
    return PORTS.failure(text) if any(port.needed for port in taken) else PORTS.warning(text)


def judge_disk(free_bytes: int) -> Line:
    found = f"{free_bytes / _GB:.1f} GB free"
    if free_bytes < 2 * _GB:
        return DISK.failure(found)
    return DISK.ok(found) if free_bytes >= 20 * _GB else DISK.warning(found)


def judge_folder(mode: int) -> Line:
    if mode & 0o077:
        return FOLDER.warning(f"others may enter or read it (mode {mode & 0o777:04o})")
    return FOLDER.ok(f"mode {mode & 0o777:04o}")
