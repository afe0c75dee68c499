"""The embedded server's controller on a store, without sockets and processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from argo.local.settings import LocalArgoSettings
from argo.local.spec.library import TemplateLibrary
from argo.local.spec.submission import read_submission
from argo.local.workflows.controller import Controller
from argo.local.workflows.rows import Row
from argo.local.workflows.store import Store
from tests.support.argo_server import RECORDINGS, submission
from tests.support.fake_pods import FakePods


@asynccontextmanager
async def controlled(
    folder: Path, pods: FakePods, store: Store | None = None, **changes: Any
) -> AsyncIterator[Controller]:
    """An open controller with the template rec-plain."""
    templates = folder / "templates"
    templates.mkdir(parents=True, exist_ok=True)
    for name in ("rec-plain", "limits"):
        text = (RECORDINGS / "templates" / f"{name}.yaml").read_text().replace("small: '1'", "small: '3'")
        (templates / f"{name}.yaml").write_text(text)
    settings = LocalArgoSettings(data=folder, templates=(templates,), **changes)
    with store or Store(folder) as opened:
        controller = Controller(settings, opened, TemplateLibrary(settings.templates, settings.namespace), pods)
        await controller.open()
        try:
            yield controller
        finally:
            await controller.close()


async def start(controller: Controller, name: str) -> Row:
    sent = submission(name, "rec-plain", {"job-spec": "QUJD"})["workflow"]
    return await controller.create(read_submission(sent, "jobs"))


async def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, what
        await asyncio.sleep(0.005)


async def end(controller: Controller, name: str) -> Row:
    await until(lambda: controller.current(name).finished is not None, f"{name} ends")
    return controller.current(name)
