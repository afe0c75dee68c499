"""Values: whatever is misspelt, at whatever level, is refused before anything is sent to a cluster."""

from __future__ import annotations

import copy
from typing import Any

import helm_python as helm
import pytest

from provider_api.deploy.chart_files import DECIDED, check, settings_schema, write
from provider_api.settings import known_names
from tests.support.helm_chart import CASES, MINIMAL, Object, at, below, case, chart, merged

pytestmark = pytest.mark.unit

# Maps whose keys are free: labels, names of files, ids. (And what is inside of a WorkflowTemplate: Argo's schema.)
FREE = (
    "annotations",
    "labels",
    "podAnnotations",
    "podLabels",
    "nodeSelector",
    "inline",
    "data",
    "global",
    "providers",
)


def refused(values: Object) -> bool:
    try:
        chart().validate_schema(values)
    except helm.HelmValuesError:
        return True
    return False


def closed(path: tuple[str | int, ...]) -> bool:
    return not (path and path[-1] in FREE) and "spec" not in path[:-1] and path[-2:] != ("environments", "keys")


@pytest.mark.parametrize("name", CASES)
def test_an_unknown_key_is_refused_at_every_level(name: str) -> None:
    values = merged(case(name))
    assert not refused(values)
    places = [path for path, _ in below(values) if closed(path)]
    places = [path for path in places if not _is_template_spec(values, path)]
    assert len(places) > 30
    for path in places:
        spoiled = copy.deepcopy(values)
        at(spoiled, path)["misspelt"] = "x"
        assert refused(spoiled), path


def _is_template_spec(values: Object, path: tuple[str | int, ...]) -> bool:
    """The one thing that stays open: it comes from the renderer, and is checked where it is rendered."""
    return path[-1:] == ("spec",) and at(values, path[:-1])["kind"] == "WorkflowTemplate"


def test_every_object_of_the_schema_is_closed_or_a_map() -> None:
    schema = chart().schema
    assert schema is not None
    open_ones = [
        path
        for path, each in below(schema)
        if each.get("type") == "object" and "additionalProperties" not in each and path != ("properties", "global")
    ]
    assert [at(schema, path).get("required") for path in open_ones] == [
        ["entrypoint", "onExit", "arguments", "templates", "serviceAccountName"]
    ]


def test_every_default_has_its_place_in_the_schema_and_the_other_way_round() -> None:
    schema = chart().schema
    assert schema is not None
    assert set(schema["properties"]) == set(chart().values) | {"global"}


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("replicas",), -1),
        (("replicas",), "2"),
        (("fullname",), "Not_A_Name"),
        (("image", "digest"), "sha256:1234"),
        (("image", "pullPolicy"), "Sometimes"),
        (("imagePullSecrets",), [{"name": "registry"}]),
        (("secrets", "providerKey", "key"), "a/b"),
        (("persistence", "size"), "much"),
        (("service", "port"), 70000),
        (("service", "type"), "ExternalName"),
        (("gateway", "path"), "c2d"),
        (("serviceAccount", "token", "expirationSeconds"), 60),
        (("resources", "limits", "memory"), 1.5),
        (("disruptionBudget", "maxUnavailable"), 0),
        (("networkPolicy", "egress"), [{"namespace": "a", "cidr": "10.0.0.0/8", "ports": [1]}]),
        (("networkPolicy", "egress"), [{"namespace": "a"}]),
        (("networkPolicy", "egress"), [{"cidr": "10.0.0.0", "ports": [1]}]),
        (("settings", "chains"), [{"chain_id": 1}]),
        (("settings", "chains"), [{"url": "ws://node"}]),
        (("settings", "policy", "trusted_lists_empty"), "maybe"),
        (("settings", "limits", "list_limit"), "many"),
        (("environments", "manifests"), [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}]),
    ],
)
def test_a_wrong_value_is_refused(path: tuple[str, ...], wrong: Any) -> None:
    values = merged(MINIMAL)
    place = values
    for part in path[:-1]:
        place = place.setdefault(part, {})
    place[path[-1]] = wrong
    assert refused(values)


# --- Settings in the schema ------------------------------------------------------------------------------------------


def test_the_schema_and_the_environments_are_what_the_programs_say() -> None:
    assert check() == [], "run: make render"


def test_write_mends_what_was_edited(tmp_path: Any) -> None:
    (tmp_path / "ci").mkdir()
    everything = ["values.schema.json", "environments.yaml", "public-addresses.yaml", "ci/environments-values.yaml"]
    (tmp_path / everything[0]).write_text('{"properties": {"settings": {}}}')
    assert write(tmp_path) == everything
    assert check(tmp_path) == []
    (tmp_path / everything[1]).write_text("environments: {}\n")
    assert write(tmp_path) == everything[1:2]


def test_values_can_hold_every_setting_but_secrets_and_what_the_chart_decides() -> None:
    schema = settings_schema()
    offered = {
        f"{group}.{field}" if field else group
        for group, described in schema["properties"].items()
        for field in described.get("properties", {"": None})
    }
    everything = {name.removeprefix("C2D_").replace("__", ".").lower() for name in known_names()}
    leaves = {name for name in everything if not any(other.startswith(f"{name}.") for other in everything)}
    secret = {"provider.key", "argo.token", "storage.url", "results.options", "operator.admins"}
    assert secret <= leaves
    assert offered == leaves - secret - DECIDED


@pytest.mark.parametrize(
    "settings",
    [
        {"provider": {"key": "0x" + "1" * 64}},
        {"provider": {"key_file": "/elsewhere"}},
        {"argo": {"token": "secret"}},
        {"storage": {"url": "postgresql+asyncpg://name:password@host/database"}},
        {"results": {"options": {"aws_secret_access_key": "secret"}}},
        {"operator": {"admins": ["secret"]}},
        {"server": {"port": 1}},
        {"data_folder": "/elsewhere"},
    ],
)
def test_secrets_and_places_cannot_be_given_as_settings(settings: Object) -> None:
    assert refused({"settings": settings})
