"""Settings: what values say is what the service reads, and nothing in between is lost or added."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provider_api.settings import Settings, known_names, load_settings
from tests.support.helm_chart import (
    CASES,
    MINIMAL,
    Object,
    case,
    containers,
    merged,
    objects,
    of_kind,
    one,
    pods,
    rendered,
)

pytestmark = pytest.mark.unit

# What stands in the Secrets that values name, in a form that the service accepts.
SECRETS = {
    "C2D_STORAGE__URL": "postgresql+asyncpg://name:password@host/database",
    "C2D_CHAINS": '[{"url": "https://node.example/access-key"}]',
    "C2D_OPERATOR__ADMINS": '["a long secret"]',
}


def environment(found: list[Object], container: Object) -> dict[str, str]:
    """What the container's program finds, with Secrets filled in."""
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(found, "ConfigMap")}
    values: dict[str, str] = {}
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            values |= maps[source["configMapRef"]["name"]]
        else:
            values[source["prefix"] + "aws_access_key_id"] = "key"
    for each in container["env"]:
        assert each["name"] not in values, f"{each['name']} has two sources"
        values[each["name"]] = each["value"] if "value" in each else SECRETS[each["name"]]
    return values


def read(values: Object) -> Settings:
    found = objects(values)
    ((_, pod),) = [(what, pod) for what, pod in pods(found) if what.startswith("Deployment")]
    return load_settings(environment(found, pod["spec"]["containers"][0]))


@pytest.mark.parametrize("name", CASES)
def test_every_name_is_a_setting_and_every_value_is_accepted(name: str) -> None:
    for what, pod in pods(rendered(name)):
        for container in containers(pod):
            given = environment(rendered(name), container)
            settings = load_settings(given)
            if what.startswith("Deployment"):
                assert settings.chains
                assert (settings.server.host, settings.server.port) == ("0.0.0.0", 8030)  # noqa: S104
                assert settings.log.json_lines
            others = set(given) - {key for key in given if key.startswith("C2D_")}
            assert others == {"HOME"}


def test_settings_of_every_kind_arrive_as_they_were_given() -> None:
    given = case("settings")["settings"]
    settings = read(case("settings"))
    for group, fields in given.items():
        if group == "chains":
            continue
        for field, value in fields.items():
            if value is not None:
                found = json.loads(getattr(settings, group).model_dump_json())[field]
                assert found == value, f"{group}.{field}"
    first, second = settings.chains
    assert (first.url, first.chain_id, first.confirmations) == ("https://one.example", 137, 6)
    assert second.fee_token == "0x" + "0" * 40


def test_every_setting_that_values_may_hold_arrives() -> None:
    """One by one, with the value that is its default: names and forms are right for all of them."""
    from provider_api.deploy.chart_files import settings_schema

    defaults = json.loads(Settings().model_dump_json())
    tried = 0
    for group, described in settings_schema()["properties"].items():
        for field in described.get("properties", {}):
            value = defaults[group][field]
            if value is None:
                continue
            settings = MINIMAL["settings"]
            changed = settings | {group: settings.get(group, {}) | {field: value}}
            found = read(MINIMAL | {"settings": changed})
            assert field in getattr(found, group).model_fields_set
            assert json.loads(getattr(found, group).model_dump_json())[field] == value, f"{group}.{field}"
            tried += 1
    assert tried > 20


def test_large_numbers_are_written_in_full() -> None:
    limits = {"limits": {"token_seconds": 31_622_400}, "outgoing": {"max_algorithm_bytes": 9_007_199_254_740_991}}
    settings = read(MINIMAL | {"settings": MINIMAL["settings"] | limits})
    assert settings.limits.token_seconds == 31_622_400
    assert settings.outgoing.max_algorithm_bytes == 9_007_199_254_740_991


@pytest.mark.parametrize(
    "text", ['a "quoted" text', "back\\slash", "{{ .Values.image }}", "# no comment", "true", "0123"]
)
def test_odd_texts_arrive_unchanged(text: str) -> None:
    settings = MINIMAL["settings"] | {"access": {"rbac_url": text}}
    assert read(MINIMAL | {"settings": settings}).access.rbac_url == text


def test_sources_of_secrets() -> None:
    settings = read(case("secrets"))
    assert settings.storage.url is not None
    assert settings.storage.url.get_secret_value() == SECRETS["C2D_STORAGE__URL"]
    assert settings.chains[0].url == "https://node.example/access-key"
    assert settings.operator.admins[0].get_secret_value() == "a long secret"
    assert settings.results.options["aws_access_key_id"].get_secret_value() == "key"
    assert str(settings.provider.key_file) == "/etc/c2d/secrets/provider/key"


def test_further_argo_servers() -> None:
    servers = read(case("several-servers")).argo_servers
    assert {number: server.namespace for number, server in servers.items()} == {"01": "jobs", "02": "c2d-jobs"}
    pod = one(rendered("several-servers"), "Deployment")["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert str(servers["01"].token_file) == f"{mounts['argo-tokens']}/second"
    assert str(servers["01"].verify) == f"{mounts['files']}/second.crt"


def test_results_on_a_volume() -> None:
    assert read(case("shared-volume")).results.url == "file:///results"


def test_new_settings_make_new_pods() -> None:
    def checksums(values: Object) -> tuple[Any, ...]:
        ((_, pod),) = [each for each in pods(objects(values)) if each[0].startswith("Deployment")]
        notes = pod["metadata"]["annotations"]
        return notes["checksum/settings"], notes["checksum/files"]

    before = checksums(MINIMAL)
    assert checksums(MINIMAL) == before
    louder = MINIMAL | {"settings": MINIMAL["settings"] | {"log": {"level": "debug"}}}
    assert checksums(louder)[0] != before[0]
    assert checksums(MINIMAL | {"files": {"inline": {"a": "b"}}})[1] != before[1]


def test_no_service_can_put_names_into_the_environment() -> None:
    """Kubernetes makes C2D_PORT and more of a Service named c2d, and an unknown C2D_ name stops the start."""
    assert "C2D_PORT" not in set(known_names())
    for name in CASES:
        assert all(pod["spec"]["enableServiceLinks"] is False for _, pod in pods(rendered(name)))
        assert merged(case(name))["fullname"]
