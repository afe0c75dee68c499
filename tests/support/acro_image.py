"""The image of examples/acro-filter as an unpacked folder, made of this machine's Python and of the installed ACRO.

Where containers can be built, the Dockerfile makes one with the same paths.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.support.acro_filter import EXAMPLE
from tests.support.clients import INSTALLED

PROGRAMS = ("sh", "tee")  # what any filter's image needs
APP = ("check.py", "request.py", "thresholds.py", "thresholds.toml")


def unpack(root: Path) -> Path:
    """Fill a new folder, with links to what is on the same disk. About 15,000 files."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = INSTALLED / "acro" / "lib" / version / "site-packages"
    for folder in ("usr/bin", "usr/lib", "usr/lib64", "usr/local/bin", "opt/acro-filter/bin", "opt/acro-filter/app"):
        (root / folder).mkdir(parents=True)
    for folder in ("bin", "lib", "lib64"):
        (root / folder).symlink_to(f"usr/{folder}")
    programs = [Path(shutil.which(name) or "").resolve(strict=True) for name in PROGRAMS]
    for name, program in zip(PROGRAMS, programs, strict=True):
        _put(program, root / "usr/bin" / name)

    interpreter = (INSTALLED / "acro" / "bin" / "python").resolve()
    _put(interpreter, root / "usr/local/bin" / version)
    shutil.copytree(
        Path(sys.base_prefix, "lib", version),
        root / "usr/local/lib" / version,
        copy_function=_put,
        ignore=shutil.ignore_patterns("site-packages", "test", "config-*"),
    )
    shutil.copytree(packages, root / "opt/acro-filter/lib" / version / "site-packages", copy_function=_put)
    (root / "opt/acro-filter/pyvenv.cfg").write_text("home = /usr/local/bin\n")
    (root / "opt/acro-filter/bin/python").symlink_to(f"/usr/local/bin/{version}")
    for name in APP:
        _put(EXAMPLE / name, root / "opt/acro-filter/app" / name)

    modules = [*Path(sys.base_prefix, "lib", version).glob("lib-dynload/*.so"), *packages.rglob("*.so*")]
    for library in _libraries([*programs, interpreter, *modules]):
        if not library.is_relative_to(packages):
            target = root / str(library).removeprefix("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                _put(library.resolve(), target)
    return root


def _libraries(files: Iterable[Path]) -> list[Path]:
    """What the loader takes from this machine for them, the loader itself included."""
    done = subprocess.run(["ldd", *map(str, files)], capture_output=True, text=True, check=False)
    return sorted({Path(path) for path in re.findall(r"(?:=> |^\t)(/\S+) \(0x", done.stdout, re.MULTILINE)})


def _put(source: Path | str, target: Path | str) -> None:
    """A link, or a copy from another disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
