"""Node and pod names, against every node of every recording."""

from __future__ import annotations

import json

import pytest

from argo.naming import node_id, pod_name
from tests.support.argo_server import RECORDINGS

pytestmark = pytest.mark.unit


def test_every_recorded_node_has_the_id_that_we_compute() -> None:
    checked = 0
    for path in (RECORDINGS / "jobs").glob("*.json"):
        for snapshot in json.loads(path.read_text()).get("snapshots", [])[-1:]:
            workflow = snapshot.get("workflow", {"metadata": {"name": ""}, "status": {}})
            for key, node in workflow["status"].get("nodes", {}).items():
                assert node_id(workflow["metadata"]["name"], node["name"]) == key == node["id"]
                checked += 1
    assert checked > 150


def test_a_recorded_pod_name() -> None:
    assert pod_name("j-live", "algorithm", "j-live.algorithm") == "j-live-algorithm-4056294113"
    assert pod_name("j", "main", "j") == "j"
    long = pod_name("w" * 200, "t" * 100, "node")
    assert len(long) <= 253
    assert long.startswith("w" * 200 + "-" + "t" * 41 + "-")
