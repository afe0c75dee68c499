"""The second half of tools/try-images: unpacked images, tried as a cluster would run them.

Each runs in a sandbox with a read-only root, as uid 1000 without capabilities, with the environment that the image's
own configuration says.
"""

# ruff: noqa: S101, S108  (a trial is made of assertions)
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from contract.names import STEP_IMAGE
from provider_api.cli.demo import run as demo
from provider_api.cli.demo import show_demo
from provider_api.deploy import machine

_EVERY_MODULE = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + '.'):
        if not module.name.endswith('__main__') and '.migrations.' not in module.name:
            importlib.import_module(module.name)
print(len([name for name in sys.modules if name.split('.')[0] in sys.argv[1:]]))
"""
_STRANGERS = "cc gcc g++ c++ clang ld as make pip pip3 uv git curl wget"


def sandbox(
    root: Path, more: Mapping[str, str] | None = None, binds: tuple[str, ...] = (), network: bool = False
) -> list[str]:
    """A command line up to the program in the image. `binds`: folders of this machine, writable in the same place."""
    image = json.loads(root.with_name(root.name + ".json").read_text())["OCIv1"]["config"]
    assert image["User"] == "1000:1000"
    words = ["bwrap", "--unshare-all", *(["--share-net"] if network else []), "--die-with-parent", "--uid", "1000"]
    words += ["--gid", "1000", "--cap-drop", "ALL", "--clearenv", "--ro-bind", str(root), "/", "--proc", "/proc"]
    words += ["--dev", "/dev", "--tmpfs", "/tmp"]
    if not binds:
        words += ["--tmpfs", "/data"] if (root / "data").is_dir() else []
    for folder in binds:
        words += ["--bind", folder, folder]
    for name, value in {**dict(each.split("=", 1) for each in image["Env"]), **(more or {})}.items():
        words += ["--setenv", name, value]
    return words


def run(words: list[str], *program: str, expected: int = 0) -> str:
    done = subprocess.run([*words, *program], capture_output=True, text=True, timeout=120, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == expected, f"{program}: {done.returncode}\n{output}"
    return output.strip()


def try_pods(root: Path) -> None:
    words = sandbox(root)
    for step, code in (("configuration", 78), ("filtering", 50), ("publishing", 62)):
        assert "is not set" in run(words, "python", "-m", f"pods.{step}", expected=code)
    print(f"c2d-pods: {run(words, 'python', '-c', _EVERY_MODULE, 'pods')} modules import, the three steps start")
    common(root, words)


def try_service(root: Path) -> None:
    words = sandbox(root)
    packages = ("ocean", "contract", "results", "pods", "workflow_templates", "argo", "provider_api")
    print(f"c2d-provider-api: {run(words, 'python', '-c', _EVERY_MODULE, *packages)} modules import")
    assert "went from nothing to revision" in run(words, "c2d", "admin", "migrate")
    assert "no provider key" in run(words, "python", "-m", "provider_api", expected=3)
    common(root, words)


def common(root: Path, words: list[str]) -> None:
    assert run(words, "id", "-un") == "c2d"
    run(words, "sh", "-c", "touch /x", expected=1)
    found = run(words, "sh", "-c", f"for name in {_STRANGERS}; do command -v $name; done; true")
    assert found == "", f"not needed in an image: {found}"
    (document,) = (root / "opt/c2d/sbom").iterdir()
    parts = json.loads(document.read_text())["components"]
    kinds = [part["purl"].split("/")[0] for part in parts]
    print(f"  {document.name}: {kinds.count('pkg:pypi')} Python packages, {kinds.count('pkg:deb')} Debian packages")


class TrialMachine(machine.Machine):
    """The machine of `c2d demo`, with the images in place of this checkout's programs."""

    pods: Path
    service: Path

    async def _start_child(
        self, name: str, command: tuple[str, ...], environment: Mapping[str, str], probe: str, answers: tuple[int, ...]
    ) -> None:
        if name == "argo":
            command = (*command, "--image", f"{STEP_IMAGE}={self.pods}")
        if name == "api":
            words = sandbox(self.service, environment, binds=(str(self.folder.root),), network=True)
            command = (*words, "python", "-m", "provider_api")
        await super()._start_child(name, command, environment, probe, answers)


def try_job(pods: Path, service: Path) -> None:
    # The embedded server knows an image's files, not its environment: PATH of the image, as a program on its own PATH.
    stand_in = pods / "usr/local/bin/python"
    stand_in.unlink(missing_ok=True)
    stand_in.write_text('#!/bin/sh\nexec /opt/c2d/bin/python "$@"\n')
    stand_in.chmod(0o755)
    TrialMachine.pods, TrialMachine.service = pods, service
    demo.Machine = TrialMachine  # type: ignore[attr-defined,misc]
    with tempfile.TemporaryDirectory() as folder:
        code = show_demo(Path(folder))
        log = Path(folder, "logs", "api.log").read_text()
    assert code == 0, log[-2000:]
    assert "service_ready" in log
    print("a job from order to results, with both images")


if __name__ == "__main__":
    os.umask(0o022)
    pods_root, service_root = (Path(path).resolve() for path in sys.argv[1:3])
    try_pods(pods_root)
    try_service(service_root)
    try_job(pods_root, service_root)
