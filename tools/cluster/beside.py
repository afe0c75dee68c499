"""What runs beside the node: the registry, a stand-in for the internet, and the chain that the pages begin with."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.how_to import ADDRESSES
from tools.cluster.places import (
    BESIDE_ADDRESS,
    CHECKOUT,
    KEPT,
    NODE,
    NODE_ADDRESS,
    PUBLIC_ADDRESS,
    REGISTRY,
    ROOT,
    RUN,
)
from tools.cluster.supervisor import Component, Machine

FOLDER = RUN / "beside"
DATA = "rain.csv"
DATA_URL = f"http://{PUBLIC_ADDRESS}/{DATA}"
CHAIN_URL = "http://127.0.0.1:8545"


def make() -> None:
    (FOLDER / "public").mkdir(parents=True)
    (FOLDER / "public" / DATA).write_text("day,mm\n1,3\n2,0\n")
    (FOLDER / "registry.yaml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {KEPT / 'registry'}}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: ':{REGISTRY.split(':')[1]}'}}\n"
    )
    (FOLDER / "hosts").write_text(f"127.0.0.1 localhost\n{NODE_ADDRESS} {NODE}\n")
    here = [sys.executable, "-m"]
    web = [*here, "http.server", "--bind", PUBLIC_ADDRESS, "--directory", str(FOLDER / "public"), "80"]
    Machine(
        [
            Component("registry", ["/usr/bin/docker-registry", "serve", str(FOLDER / "registry.yaml")]),
            Component("web", web),
            Component(
                "chain",
                [str(ROOT / ".venv" / "bin" / "c2d"), "serve", "--port", "8040"],
                folder=str(CHECKOUT),
            ),
            Component("chain-for-pods", forwarding(BESIDE_ADDRESS, 8545, "127.0.0.1", 8545)),
        ],
        mounts={"/etc/hosts": str(FOLDER / "hosts")},
        settings={"net/ipv4/ip_forward": "1"},
    ).write(FOLDER)


def forwarding(host: str, port: int, to_host: str, to_port: int) -> list[str]:
    """A command that accepts connections at one place and opens each at another."""
    return ["socat", f"TCP-LISTEN:{port},bind={host},fork,reuseaddr", f"TCP:{to_host}:{to_port}"]


def addresses() -> Path:
    """The chain's address file, once the chain is there."""
    return CHECKOUT / ADDRESSES
