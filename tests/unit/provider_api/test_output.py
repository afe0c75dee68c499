"""The output section of a start: what it means where assets are made, and nothing elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pods.job_spec import AssetMetadata
from provider_api.access.output import OutputInvalid, wanted_asset
from provider_api.access.rules import judge
from tests.support.provider_facts import environment, facts

pytestmark = pytest.mark.unit

HERE = environment(publication_chain=8996)
METADATA = {"name": "n", "description": "d", "author": "a", "license": "l", "tags": ["t"], "categories": ["c"]}


@pytest.mark.parametrize(
    "output",
    [
        None, "", {}, [], "{}", "[]", "5", {"publishOutput": False}, {"publishOutput": None, "metadata": 5},
        {"metadata": {"title": "of an old client"}}, {"publishAlgorithmLog": True, "owner": "0x"},
    ],
)  # fmt: skip
def test_nothing_is_wanted(output: Any) -> None:
    assert wanted_asset(HERE, output) is None


@pytest.mark.parametrize("output", [{"publishOutput": True}, {"publishOutput": True, "metadata": 5}])
def test_other_environments_do_not_look_at_it(output: Any) -> None:
    assert wanted_asset(environment(), output) is None
    assert wanted_asset(None, output) is None


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (None, AssetMetadata()),
        ({}, AssetMetadata()),
        ({"name": "n"}, AssetMetadata(name="n")),
        ({"service": "compute"}, AssetMetadata(service="compute")),
        (METADATA, AssetMetadata(**METADATA)),
        ({"name": "n" * 512, "description": "ü" * 7000}, AssetMetadata(name="n" * 512, description="ü" * 7000)),
    ],
)
def test_what_is_wanted(metadata: Any, expected: AssetMetadata) -> None:
    output = {"publishOutput": True, "metadata": metadata, "nodeUri": "of an old client", "whitelist": []}
    assert wanted_asset(HERE, output) == expected
    assert wanted_asset(HERE, json.dumps(output)) == expected


@pytest.mark.parametrize(
    ("output", "place"),
    [
        ({"publishOutput": "true"}, "publishOutput"),
        ({"publishOutput": 1}, "publishOutput"),
        ({"publishOutput": True, "metadata": "text"}, "metadata"),
        ({"publishOutput": True, "metadata": []}, "metadata"),
        ({"publishOutput": True, "metadata": {"title": "x"}}, "metadata.title"),
        ({"publishOutput": True, "metadata": {"name": ""}}, "metadata.name"),
        ({"publishOutput": True, "metadata": {"name": 5}}, "metadata.name"),
        ({"publishOutput": True, "metadata": {"name": "n" * 513}}, "metadata.name"),
        ({"publishOutput": True, "metadata": {"name": "\ud800"}}, "metadata.name"),
        ({"publishOutput": True, "metadata": {"description": "d" * 7001}}, "metadata.description"),
        ({"publishOutput": True, "metadata": {"license": {"en": "x"}}}, "metadata.license"),
        ({"publishOutput": True, "metadata": {"tags": "rain"}}, "metadata.tags"),
        ({"publishOutput": True, "metadata": {"service": "download"}}, "metadata.service"),
        ({"publishOutput": True, "metadata": {"service": None}}, "metadata.service"),
        ({"publishOutput": True, "metadata": {"tags": ["rain", 5]}}, "metadata.tags.1"),
        ({"publishOutput": True, "metadata": {"tags": ["t"] * 65}}, "metadata.tags"),
        ({"publishOutput": True, "metadata": {"x" * 5000: 1}}, ("metadata." + "x" * 5000)[:100]),
    ],
)
def test_what_is_wrong(output: Any, place: str) -> None:
    with pytest.raises(OutputInvalid) as refused:
        wanted_asset(HERE, output)
    assert (refused.value.place, bool(refused.value.expected)) == (place, True)
    given = facts(environment=HERE)
    refusal = judge(replace(given, request=replace(given.request, output=output)))
    assert refusal is not None
    assert (refusal.rule, refusal.place, refusal.code) == ("asset_can_be_made", "output", f"{place}_invalid")
    assert refusal.who == "consumer"
