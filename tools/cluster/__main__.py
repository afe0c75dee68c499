"""`make cluster` and what belongs to it.

python -m tools.cluster up            a node, and the product on it
python -m tools.cluster production    what a production cluster has: PostgreSQL, Argo's archive, a bucket, two replicas
python -m tools.cluster second        production, and what a second cluster has: an Argo and an environment of its own
python -m tools.cluster archive stop  takes away the database of Argo's archive; `start` brings it back
python -m tools.cluster down          nothing of it stays but what was built
python -m tools.cluster run COMMAND   a command beside the node, where its addresses are known
python -m tools.cluster test WORDS    pytest there, told where the deployment is
python -m tools.cluster bench WORDS   benchmarks that need a node
python -m tools.cluster kill NAME     kill -9 a program of the node, or `node`: everything, as when power is lost
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from tools.cluster import beside, images, install, needs, network, node, production, programs, second, supervisor
from tools.cluster.commands import output
from tools.cluster.places import BESIDE, KEPT, NODE, REGISTRY, ROOT, RUN

CANNOT_RUN = 3  # the exit code where this machine can have no node


def up() -> None:
    if (RUN / "ready").exists():
        print((RUN / "ready").read_text())
        return
    needs.check()
    if network.exists() and not (node.FOLDER / "pid").exists():
        raise needs.CannotRun("there is a cluster of another checkout; remove it there with make cluster-down")
    down()
    KEPT.mkdir(parents=True, exist_ok=True)
    timed("programs", programs.build)
    timed("base image", images.make_base)
    build = ["make", "images", f"DOCKER={images.DOCKER}", f"BASE={images.BASE}"]
    timed("images of the product", lambda: output(build, folder=ROOT))
    timed("node", start)
    timed("images for the node", images.push)
    timed("names and volumes", install.what_clusters_have)
    install.by_the_pages()
    install.reach()
    (RUN / "ready").write_text(how_to_reach())
    print(how_to_reach())


def start() -> None:
    """Both namespaces with their programs, until the API server answers."""
    install.checkout()
    node.make()
    beside.make()
    with needs.needed("no namespaces, or no control groups"):
        network.make()
        node.make_groups()
    supervisor.start(BESIDE, beside.FOLDER)
    supervisor.start(NODE, node.FOLDER)
    certificate = node.FOLDER / "api-server" / "apiserver.crt"
    install.until("the API server's certificate", lambda: certificate.exists() and bool(certificate.read_bytes()))
    node.kubeconfig_for_users()
    reached = f"http://{REGISTRY}/v2/"
    install.until("the registry", lambda: install.run("curl", "-sf", reached, check=False) == "{}")


def down() -> None:
    for folder in (node.FOLDER, beside.FOLDER, install.REACH):
        supervisor.stop(folder)
    production.down()
    network.remove()
    node.remove_groups()
    images.unmount()
    shutil.rmtree(RUN, ignore_errors=True)


def how_to_reach() -> str:
    tool = ".venv/bin/python -m tools.cluster"
    return f"""
The node and the product are there. Addresses are known beside the node only:
  {tool} run sh                      a shell there, with kubectl, helm and KUBECONFIG set
  {tool} run c2d doctor
  make e2e                           the end-to-end tests on it
  make cluster-down                  remove it
"""


def beside_the_node(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Become that command there."""
    words = network.within(BESIDE, *command)
    os.execvpe(words[0], words, environment)  # noqa: S606


def timed(name: str, work: Callable[[], object]) -> None:
    began = time.monotonic()
    work()
    print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.cluster", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up")
    commands.add_parser("down")
    commands.add_parser("production")
    commands.add_parser("second")
    commands.add_parser("archive").add_argument("what", choices=["start", "stop"])
    for name in ("run", "test", "bench"):
        commands.add_parser(name).add_argument("words", nargs=argparse.REMAINDER)
    commands.add_parser("kill").add_argument("name", choices=["node", *node.names()])
    wanted = parser.parse_args()
    try:
        if wanted.command == "run":
            beside_the_node(wanted.words or ["sh"], install.environment())
        if wanted.command in ("test", "bench"):
            module = {"test": "pytest", "bench": "benchmarks"}[wanted.command]
            beside_the_node([sys.executable, "-m", module, *wanted.words], install.environment_of_tests())
        if wanted.command == "kill":
            node.lose() if wanted.name == "node" else supervisor.kill(node.FOLDER, wanted.name)
        elif wanted.command == "archive":
            {"start": production.ARCHIVE.start, "stop": production.ARCHIVE.stop}[wanted.what]()
        else:
            {"up": up, "production": production.up, "second": second.up, "down": down}[wanted.command]()
    except needs.CannotRun as problem:
        print(f"cluster: {problem}", file=sys.stderr)
        sys.exit(CANNOT_RUN)
    except (RuntimeError, TimeoutError) as problem:
        sys.exit(f"cluster: {problem}")


if __name__ == "__main__":
    main()
