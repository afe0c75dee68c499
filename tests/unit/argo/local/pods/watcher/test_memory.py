from __future__ import annotations

import os
from pathlib import Path

import pytest

from argo.local.pods.watcher.memory import Group, resident_bytes

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("version", "name", "text", "expected"),
    [
        (1, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", False),
        (1, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", True),
        (2, "memory.events", "low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n", True),
        (2, "memory.events", "low 0\nhigh 0\nmax 12\noom 0\noom_kill 0\n", False),
    ],
)
def test_counters(tmp_path: Path, version: int, name: str, text: str, expected: bool) -> None:
    (tmp_path / name).write_text(text)
    assert Group(str(tmp_path), version).exceeded() is expected


def test_resident_bytes_of_this_process() -> None:
    assert resident_bytes(os.getpid()) > 1 << 20
    assert 0 < resident_bytes(os.getpid(), exactly=True) <= resident_bytes(os.getpid()) + (8 << 20)
