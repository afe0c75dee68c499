from __future__ import annotations

import os

import pytest

from argo.local.pods.users import SpareIdsTaken, pick, require_unused

pytestmark = pytest.mark.unit


def test_pick_avoids_what_is_taken() -> None:
    assert pick(range(70000, 70003), {70000, 70002}) == 70001
    with pytest.raises(SpareIdsTaken):
        pick(range(70000, 70002), {70000, 70001})
    with pytest.raises(SpareIdsTaken):
        pick(range(os.getuid(), os.getuid() + 1), ())


def test_a_range_with_users_is_refused() -> None:
    with pytest.raises(SpareIdsTaken):
        require_unused(range(1000))
    require_unused(range(70000, 70010))
