"""Environments and images of an operator's own while the service runs: offered when their files change, no restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.service import Service
from workflow_templates.environment import FOLDER

pytestmark = pytest.mark.integration

TEXT = (FOLDER / "ocean-compute.toml").read_text()


def describe(folder: Path, name: str, ram: int = 1) -> None:
    text = TEXT.replace('"ocean-compute"', f'"{name}"').replace("ram_gb = 1", f"ram_gb = {ram}")
    (folder / f"{name}.toml").write_text(text)


async def offered(url: str, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """RAM by the environment's id, as soon as it is as it should be."""
    found: dict[str, Any] = {}
    async with asyncio.timeout(120), httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        while not fits(found):
            answer = (await client.get("/api/services/computeEnvironments")).json()
            (listed,) = answer.values() if isinstance(answer, dict) else (answer,)
            found = {each["id"]: each["ramGB"] for each in listed}
            await asyncio.sleep(0.1)
    return found


async def test_what_is_described_is_offered(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder, images = tmp_path / "mine", tmp_path / "images.toml"
    folder.mkdir()
    describe(folder, "first")
    images.write_text("")
    settings = {"C2D_MACHINE__ENVIRONMENTS": str(folder), "C2D_MACHINE__IMAGES": str(images)}
    with Service(tmp_path / "service", settings=settings) as service:
        pids = [service.machine.child(part).pid for part in ("argo", "api")]
        await offered(service.url, lambda found: found == {"first": 1})
        describe(folder, "second")
        describe(folder, "first", ram=3)
        await offered(service.url, lambda found: found == {"first": 3, "second": 1})
        (folder / "second.toml").write_text("id = ")
        describe(folder, "first", ram=2)
        await offered(service.url, lambda found: found == {"first": 2, "second": 1})
        told = [line for line in capfd.readouterr().out.splitlines() if "environment_not_taken" in line]
        assert len(told) == 1, told
        assert "second.toml: " in told[0]
        assert "the old one stays" in told[0]
        (folder / "second.toml").unlink()
        await offered(service.url, lambda found: found == {"first": 2})
        assert [service.machine.child(part).pid for part in ("argo", "api")] == pids
