"""`python -m argo.local --data DIR …`: the server on its own. `c2d serve` starts the same with its own settings."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import uvicorn

from argo.local.app import create_app
from argo.local.private import UMASK
from argo.local.settings import LocalArgoSettings
from ocean.kit.logs import configure_for_commands

_STREAMS_SECONDS = 1  # that followed logs and watches, which do not end by themselves, have when the server ends


def _pair(text: str) -> tuple[str, Path]:
    name, separator, path = text.partition("=")
    if not (name and separator and path):
        raise argparse.ArgumentTypeError("NAME=FOLDER is expected")
    return name, Path(path).resolve()


def settings_from(arguments: list[str] | None = None) -> LocalArgoSettings:
    """Read the command line; ends the program with a usage text on a mistake."""
    parser = argparse.ArgumentParser(prog="python -m argo.local", description="A single-machine Argo server")
    parser.add_argument("--data", type=Path, required=True, help="folder for everything that it keeps")
    parser.add_argument("--namespace", default="jobs")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2746)
    parser.add_argument("--token-file", type=Path, help="default DATA/token, made if missing")
    parser.add_argument("--templates", type=Path, action="append", default=[], help="manifest file or folder")
    parser.add_argument("--secrets", type=Path, help="folder of Secrets, one folder each; default DATA/secrets")
    parser.add_argument("--claim", type=_pair, action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--image", type=_pair, action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--images", type=Path, metavar="FILE", help="TOML file with more images, name = folder")
    parser.add_argument("--machine-image", action="append", default=[], metavar="NAME")
    parser.add_argument("--unsandboxed-image", action="append", default=[], metavar="NAME")
    parser.add_argument("--step-image", help="name of our own steps' image in the manifests")
    parser.add_argument("--isolation", choices=("sandbox", "process"), default="sandbox")
    parser.add_argument("--allow-network", action="store_true", help="algorithms may ask for the network")
    parser.add_argument("--wait-for-images", action="store_true", help="a pod whose image is not there waits for it")
    parser.add_argument("--reserve-mib", type=int, default=1024, help="no pod starts with less free disk than that")
    given = parser.parse_args(arguments)
    return LocalArgoSettings(
        data=given.data.resolve(),
        namespace=given.namespace,
        host=given.host,
        port=given.port,
        token_file=given.token_file,
        templates=tuple(path.resolve() for path in given.templates),
        secrets=given.secrets,
        claims=dict(given.claim),
        step_image=given.step_image,
        images=dict(given.image),
        image_register=given.images,
        machine_images=tuple(given.machine_image),
        unsandboxed_images=tuple(given.unsandboxed_image),
        isolation=given.isolation,
        allow_network=given.allow_network,
        reserve_bytes=given.reserve_mib << 20,
        wait_for_images=given.wait_for_images,
    )


def main() -> None:
    os.umask(UMASK)
    configure_for_commands()
    settings = settings_from()
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_STREAMS_SECONDS,
    )


if __name__ == "__main__":
    main()
