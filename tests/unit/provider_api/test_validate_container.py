"""validateContainer: the container back, or the rule that a start would refuse it by."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.provider_facts import CHECKSUM
from tests.support.provider_neighbours import World

pytestmark = pytest.mark.unit

PATH = "/api/services/validateContainer"
GOOD = {"checksum": CHECKSUM, "entrypoint": "python $ALGO", "image": "library/python", "tag": "3"}


@pytest.mark.parametrize("more", [{}, {"tag": None}, {"extra": [1, 1.5, {"a": True}]}])
async def test_good_containers(world: World, more: dict[str, Any]) -> None:
    told = await world.http.post(PATH, json=GOOD | more)
    assert (told.status_code, told.json()) == (200, GOOD | more)
    query = {name: value for name, value in GOOD.items() if value}
    assert (await world.http.post(PATH, params=query)).json() == query


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        *(({name: value}, "missing_entrypoint_image_checksum") for name in ("entrypoint", "image", "checksum")
          for value in ("", None, 5, ["x"])),
        ({"entrypoint": "  "}, "missing_entrypoint_image_checksum"),
        ({"checksum": "md5:" + "a" * 64}, "checksum_prefix"),
        ({"checksum": "sha256:"}, "invalid_checksum"),
        ({"checksum": "sha256:" + "g" * 64}, "invalid_checksum"),
        ({"image": "python:3"}, "invalid_image"),
        ({"image": "{{=1}}"}, "invalid_image"),
    ],
)  # fmt: skip
async def test_bad_containers(world: World, changes: dict[str, Any], code: str) -> None:
    refused = await world.http.post(PATH, json=GOOD | changes)
    assert (refused.status_code, refused.json()) == (400, {"error": code})
    for nothing in (await world.http.post(PATH), await world.http.post(PATH, json={})):
        assert (nothing.status_code, nothing.json()) == (400, {"error": "missing_entrypoint_image_checksum"})
