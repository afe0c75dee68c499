"""Two network namespaces and a cable between them: the node, and beside it whoever uses it.

No route leads out of them, and the machine's own network stays as it is.
"""

from __future__ import annotations

from pathlib import Path

from tools.cluster.commands import output
from tools.cluster.places import (
    BESIDE,
    BESIDE_ADDRESS,
    NODE,
    NODE_ADDRESS,
    POD_NETWORK,
    PUBLIC_ADDRESS,
    SERVICE_NETWORK,
)


def make() -> None:
    """Raises `RuntimeError` where `ip` refuses something."""
    for name in (NODE, BESIDE):
        _ip("netns", "add", name)
        _ip("-n", name, "link", "set", "lo", "up")
    _ip("link", "add", "eth0", "netns", NODE, "type", "veth", "peer", "name", "eth0", "netns", BESIDE)
    for name, address in ((NODE, NODE_ADDRESS), (BESIDE, BESIDE_ADDRESS)):
        _ip("-n", name, "address", "add", f"{address}/16", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")
    _ip("-n", BESIDE, "address", "add", f"{PUBLIC_ADDRESS}/32", "dev", "lo")
    _ip("-n", NODE, "route", "add", "default", "via", BESIDE_ADDRESS)
    for network in (POD_NETWORK, SERVICE_NETWORK):
        _ip("-n", BESIDE, "route", "add", network, "via", NODE_ADDRESS)
    _ip("-n", BESIDE, "route", "add", "unreachable", "default")


def exists() -> bool:
    return (Path("/run/netns") / NODE).exists()


def remove() -> None:
    for name in (NODE, BESIDE):
        if (Path("/run/netns") / name).exists():
            _ip("netns", "delete", name)


def within(name: str, *command: str) -> list[str]:
    """The command, run in that namespace (and in the mounts of whoever runs it)."""
    return ["nsenter", f"--net=/run/netns/{name}", "--", *command]


def _ip(*words: str) -> None:
    output(["ip", *words])
