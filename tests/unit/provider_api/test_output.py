"""The output section of a start: what it means where assets are made, and nothing elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.job_spec import AssetMetadata
from provider_api.access.output import OutputInvalid, wanted_asset
from provider_api.access.rules import first_refusal
from tests.support.provider_facts import environment, facts
from tests.support.provider_neighbours import World

pytestmark = pytest.mark.unit

HERE = environment(publication_chain=8996)
METADATA = {"name": "n", "description": "d", "author": "a", "license": "l", "tags": ["t"], "categories": ["c"]}


@pytest.mark.parametrize(
    "output",
    [
        None, "", {}, [], "{}", "[]", "5", '"text"', "null", "true", " ", 0, 5, True,
        ["publishOutput"], [{"publishOutput": True}],
        {"publishOutput": False}, {"publishOutput": None, "metadata": 5},
        {"publishOutput": False, "metadata": METADATA},
        {"metadata": {"title": "of an old client"}}, {"metadata": METADATA},
        {"publishAlgorithmLog": True, "owner": "0x"},
        {"publishOutput": True}, {"publishAlgorithmLog": True, "publishOutput": True},
        {"publishOutput": True, "publishAlgorithmLog": True, "providerAddress": "0x", "providerUri": "http://x"},
        {"publishOutput": True, "metadataUri": "http://x", "nodeUri": "http://x", "owner": "0x", "whitelist": []},
        *({"publishOutput": odd, "metadata": METADATA} for odd in ("true", "yes", "", 1, 0, [True], {"a": True}, None)),
        *({"publishOutput": True, "metadata": odd} for odd in (None, "", "text", 5, True, [], [METADATA], {}, "{}")),
        *({"publishOutput": True, "metadata": {"name": odd}}
          for odd in (None, "", " ", "\n", 5, True, ["n"], {"en": "n"})),
        {"publishOutput": True, "metadata": {"title": "x"}}, {"publishOutput": True, "metadata": {"tags": "rain"}},
        {"publishOutput": True, "metadata": {"service": "compute"}}, {"PublishOutput": True, "metadata": METADATA},
    ],
)  # fmt: skip
def test_nothing_is_wanted_and_nothing_is_refused(output: Any) -> None:
    start = facts(environment=HERE)
    for sent in (output, json.dumps(output)):
        assert wanted_asset(HERE, sent) is None
        assert first_refusal(replace(start, request=replace(start.request, output=sent))) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_SECTIONS = _JSON | st.fixed_dictionaries(
    {},
    optional={"publishOutput": st.just(True) | _JSON, "publishAlgorithmLog": _JSON, "metadata": _JSON, "owner": _JSON},
)


@given(_SECTIONS.filter(lambda section: not _asks(section)))
def test_no_shape_asks_by_accident_or_is_refused(output: Any) -> None:
    start = facts(environment=HERE)
    sent = json.dumps(output)
    assert wanted_asset(HERE, sent) is None
    assert first_refusal(replace(start, request=replace(start.request, output=sent))) is None


def _asks(section: Any) -> bool:
    metadata = section.get("metadata") if isinstance(section, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return isinstance(name, str) and bool(name.strip()) and section.get("publishOutput") is True


async def test_a_number_is_no_name(tmp_path: Path) -> None:
    """Numbers keep their digits as text while a request is read; they are numbers here."""
    world = World(tmp_path)
    async with world.running():
        body = world.start_body(5, output={"publishOutput": True, "metadata": {"name": 1.5}})
        (job,) = (await world.start(body)).json()
        assert world.argo.spec(job["jobId"], world.keys).publication is None


@pytest.mark.parametrize(
    "output",
    [{"publishOutput": True, "metadata": METADATA}, {"publishOutput": True, "metadata": {"name": "n", "x": 5}}],
)
def test_other_environments_do_not_look_at_it(output: Any) -> None:
    assert wanted_asset(environment(), output) is None
    assert wanted_asset(None, output) is None


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"name": "n"}, AssetMetadata(name="n")),
        ({"name": "n", "service": "compute"}, AssetMetadata(name="n", service="compute")),
        (METADATA, AssetMetadata(**METADATA)),
        ({"name": "n" * 512, "description": "ü" * 7000}, AssetMetadata(name="n" * 512, description="ü" * 7000)),
    ],
)
def test_what_is_wanted(metadata: Any, expected: AssetMetadata) -> None:
    output = {"publishOutput": True, "metadata": metadata, "nodeUri": "of an old client", "whitelist": []}
    assert wanted_asset(HERE, output) == expected
    assert wanted_asset(HERE, json.dumps(output)) == expected


@pytest.mark.parametrize(
    ("metadata", "place"),
    [
        ({"title": "x"}, "metadata.title"),
        ({"name": "n" * 513}, "metadata.name"),
        ({"name": "\ud800"}, "metadata.name"),
        ({"description": "d" * 7001}, "metadata.description"),
        ({"license": {"en": "x"}}, "metadata.license"),
        ({"tags": "rain"}, "metadata.tags"),
        ({"service": "download"}, "metadata.service"),
        ({"service": None}, "metadata.service"),
        ({"tags": ["rain", 5]}, "metadata.tags.1"),
        ({"tags": ["t"] * 65}, "metadata.tags"),
        ({"x" * 5000: 1}, ("metadata." + "x" * 5000)[:100]),
    ],
)
def test_what_is_wrong_beside_a_name(metadata: dict[str, Any], place: str) -> None:
    output = {"publishOutput": True, "metadata": {"name": "n"} | metadata}
    with pytest.raises(OutputInvalid) as refused:
        wanted_asset(HERE, output)
    assert (refused.value.place, bool(refused.value.expected)) == (place, True)
    start = facts(environment=HERE)
    refusal = first_refusal(replace(start, request=replace(start.request, output=output)))
    assert refusal is not None
    assert (refusal.rule, refusal.place, refusal.code) == ("asset_can_be_made", "output", f"{place}_invalid")
    assert refusal.who == "consumer"
