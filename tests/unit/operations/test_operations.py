"""Dashboard, alerts and runbooks: what they name is there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from argo.client.seen import SeenWorkflows
from ocean.outgoing import OutgoingGuard
from provider_api.environments.catalogue import Environments
from provider_api.telemetry.metrics import Metrics
from tests.support.provider_neighbours import MemoryArgo

pytestmark = pytest.mark.unit

FOLDER = Path(__file__).parents[3] / "docs" / "operations"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
ALERTS: dict[str, Any] = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
_NAME = re.compile(r"c2d_[a-z_]+")


async def known() -> dict[str, set[str]]:
    """Names of series, with their labels."""
    metrics, argo = Metrics(), MemoryArgo()
    environments = Environments(argo)
    metrics.watch(environments, dict)
    metrics.watch_argo({"00": SeenWorkflows()})
    metrics.watch_sources({"paid": OutgoingGuard((), ()).client()})
    await environments.refresh()
    found = {}
    for family in metrics.registry.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(family.type, [""])
        labels = {label for sample in family.samples for label in sample.labels}
        for suffix in suffixes:
            found[family.name + suffix] = labels
    return found


def expressions() -> list[str]:
    return [
        *(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]),
        *(rule["expr"] for rule in RULES),
    ]


async def test_every_series_that_is_named_exists() -> None:
    names = set(await known())
    used = {name for text in expressions() for name in _NAME.findall(text)}
    assert used <= names
    assert {name for name in names if not name.endswith(("_count", "_sum"))} <= used, "nobody would see it"


def test_the_dashboard_has_its_shape() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["expr"].count("(") == target["expr"].count(")")
    assert DASHBOARD["templating"]["list"][0]["name"] == "datasource"


def test_every_alert_has_a_runbook() -> None:
    headings = {
        line[3:].strip().lower().replace(" ", "-")
        for line in (FOLDER / "runbooks.md").read_text().splitlines()
        if line.startswith("## ")
    }
    assert len(headings) == 6
    for rule in RULES:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["runbook"] in headings


def test_commands_of_ours_exist() -> None:
    from typer.main import get_command

    from provider_api.cli import app

    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    for page in FOLDER.glob("*.md"):
        for name in re.findall(r"`c2d ([a-z]+)", page.read_text()):
            assert name in commands, (page.name, name)
