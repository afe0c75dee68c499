"""`c2d releases look`: an owner gets one file of the results that wait for him, where he may."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import typer

from client.exits import Unreachable, Unusable
from client.releases.access import Access
from client.releases.answers import Shown
from client.releases.carrying import carried_out
from client.releases.service import Service
from client.text import harmless
from ocean.kit.atomic import SECRET


def look(job_id: str, access: Access, index: int, target: Path) -> int:
    """Write a file of a job's results to `target`, which must not be there yet, and compare it with the manifest: what
    is looked at is what is decided about. The exit code."""

    def work(service: Service) -> None:
        file = Shown.of(service.release(job_id), job_id).file(index)
        digest, size = hashlib.sha256(), 0
        try:
            with open(target, "xb", opener=_private) as out:
                for piece in service.file(job_id, index, file.filesize):
                    digest.update(piece)
                    size += out.write(piece)
        except FileExistsError:
            raise Unusable(f"{target} is there already: name another file") from None
        except OSError as exc:
            raise Unusable(f"{target} cannot be written: {exc.strerror}") from None
        if (digest.hexdigest(), size) != (file.sha256, file.filesize):
            raise Unreachable(f"{target} is not the file that the manifest names: do not decide by it")
        typer.echo(harmless(f"{file.path}: {size} bytes in {target}, as the manifest has it"))

    return carried_out(access, work, job_id)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, SECRET)
