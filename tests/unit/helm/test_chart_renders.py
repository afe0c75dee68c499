"""Every variant of the chart renders, passes Helm's lint, and is made of objects that a cluster takes as they are."""

from __future__ import annotations

import copy
import re
from typing import Any

import helm_python as helm
import pytest

from tests.support.helm_chart import (
    CASES,
    CHART,
    MINIMAL,
    NOTES,
    Object,
    at,
    below,
    case,
    chart,
    merged,
    objects,
    of_kind,
    one,
    rendered,
    texts,
)
from tests.support.kubernetes_schemas import problems

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", CASES)
def test_every_object_fits_its_closed_schema(name: str) -> None:
    found = {f"{each['kind']} {each['metadata']['name']}": problems(each) for each in rendered(name)}
    assert {what: wrong for what, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("name", CASES)
def test_lint_finds_nothing(name: str) -> None:
    report = helm.lint(CHART, case(name), strict=True, kube_version="v1.34.0")
    assert report["errors"] == []
    assert [message for message in report["messages"] if "icon" not in message["error"]] == []


@pytest.mark.parametrize("name", CASES)
def test_names_are_unique_and_stand_in_the_right_namespace(name: str) -> None:
    found = rendered(name)
    keys = [(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]) for each in found]
    assert len(keys) == len(set(keys))
    ours = [each for each in found if "app.kubernetes.io/instance" in each["metadata"].get("labels", {})]
    assert {each["metadata"]["namespace"] for each in ours} == {"c2d"}
    assert all("namespace" in each["metadata"] for each in found)


def test_the_cases_together_render_every_template() -> None:
    made = {template for name in CASES for template, text in texts(case(name)).items() if text.strip()}
    assert {
        f"compute-to-data/{template['name']}" for template in chart().templates if "/_" not in template["name"]
    } == made


def test_a_misspelt_key_in_any_object_would_be_found() -> None:
    """The schemas really are closed, at every depth of everything that the cases render."""
    tried: set[tuple[str, ...]] = set()
    for name in CASES:
        for each in rendered(name):
            for path, _ in below(each):
                place = (each["kind"], *("*" if isinstance(part, int) else part for part in path))
                if place in tried or _is_open(place):
                    continue
                tried.add(place)
                spoiled = copy.deepcopy(each)
                at(spoiled, path)["misspelt"] = "x"
                assert problems(spoiled), place
    assert len(tried) > 150


def _is_open(place: tuple[Any, ...]) -> bool:
    """Maps whose keys are names: labels, annotations, data, amounts of resources."""
    maps = ("labels", "annotations", "matchLabels", "data", "requests", "limits", "hard", "nodeSelector")
    return place[-1] in maps or place == ("Service", "spec", "selector")


def test_default_values_tell_what_is_missing() -> None:
    with pytest.raises(helm.HelmRenderError, match=r"settings\.chains: name at least one chain"):
        objects({})
    with pytest.raises(helm.HelmRenderError, match=r"settings\.results\.url: where results lie"):
        objects({"settings": {"chains": [{"url": "https://node.example"}]}})
    assert of_kind(objects(MINIMAL), "Deployment")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"serviceMonitor": {"enabled": True}}, "networkPolicy.metricsFrom: name the namespace of Prometheus"),
        ({"secrets": {"providerKey": {"name": ""}}}, "the Secret with the provider's key is missing"),
        ({"secrets": {"database": {"name": ""}}}, "used nonces must outlive a pod"),
        ({"secrets": {"chains": {"name": "c"}}}, "give one of them"),
        ({"persistence": {"enabled": True}}, "persistence is for SQLite"),
        ({"persistence": {"enabled": True}, "secrets": {"database": {"name": ""}}}, "allows one replica"),
        (
            {
                "persistence": {"enabled": True},
                "secrets": {"database": {"name": ""}},
                "replicas": 1,
                "autoscaling": {"enabled": True},
            },
            "allows one replica",
        ),
        ({"autoscaling": {"enabled": True, "minReplicas": 7}}, "minReplicas is larger"),
        ({"ingress": {"enabled": True}}, r"ingress\.hosts"),
        ({"gateway": {"enabled": True}}, r"gateway\.parentRefs"),
        (
            {
                "environments": {
                    "keys": {"nowhere": {"consumerAddress": "0x" + "1" * 40, "boxPublicKey": "A" * 43 + "="}}
                }
            },
            r"environments\.keys\.nowhere",
        ),
    ],
)
def test_values_that_do_not_go_together_are_refused(change: Object, message: str) -> None:
    with pytest.raises(helm.HelmRenderError, match=message):
        objects(MINIMAL | change)


def test_the_notes_name_the_next_command() -> None:
    first = texts(MINIMAL)[NOTES]
    assert "kubectl --namespace c2d rollout status deployment/c2d" in first
    assert "curl http://127.0.0.1:8030/" in first
    assert "docs/how-to/deploy-helm.md" in first
    assert "curl https://provider.example/" in texts(case("ingress"))[NOTES]
    assert "curl https://provider.example/c2d" in texts(case("gateway"))[NOTES]
    assert "verify is false" in texts(case("settings"))[NOTES]
    without_keys = copy.deepcopy(case("environments"))
    del without_keys["environments"]["keys"]["ocean-compute"]
    assert re.findall(r"! (\S+) has no keys", texts(without_keys)[NOTES]) == ["ocean-compute"]


def test_images_by_tag_by_version_and_by_digest() -> None:
    def image(values: Object) -> str:
        found: str = one(objects(values), "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]
        return found

    version = chart().metadata["appVersion"]
    assert image(MINIMAL) == f"c2d-provider-api:{version}"
    assert image(MINIMAL | {"image": {"repository": "r.example/x", "tag": "7"}}) == "r.example/x:7"
    assert image(case("image")) == "registry.example/c2d/provider-api@sha256:" + "a" * 64
    job = one(rendered("image"), "Job")["spec"]["template"]["spec"]
    assert job["containers"][0]["image"] == image(case("image")), "migrations are those of the service that starts"


def test_a_pod_has_time_to_end() -> None:
    """Longer than the pause before SIGTERM and the service's own limit together, or Kubernetes cuts downloads off."""
    for name in CASES:
        pod = one(rendered(name), "Deployment")["spec"]["template"]["spec"]
        shutdown = merged(case(name))["shutdown"]
        assert pod["terminationGracePeriodSeconds"] > shutdown["preStopSeconds"] + shutdown["requestSeconds"]
        settings = one(rendered(name), "ConfigMap", merged(case(name))["fullname"])["data"]
        assert settings["C2D_SERVER__SHUTDOWN_SECONDS"] == str(shutdown["requestSeconds"])


def test_the_chart_is_packed_without_values_for_tests(tmp_path: Any) -> None:
    with helm.Chart.load(helm.package(CHART, destination=tmp_path)) as packed:
        names = {file["name"] for file in packed.files}
        assert not any(name.startswith("ci/") or name == "environments.yaml" for name in names)
        assert packed.version == chart().version
