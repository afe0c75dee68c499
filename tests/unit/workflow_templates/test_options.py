"""What is declared of an option reaches template, service, consumers and pages, each time the same."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from argo.client.parsing import parse_template
from contract import names
from contract.release import NO_RULES, ReleaseRules
from provider_api.environments.announced import ALWAYS, TemplateUnusable, read_options
from provider_api.environments.environment import Environment as Served
from provider_api.openapi.components import SCHEMAS
from workflow_templates.declaring import options
from workflow_templates.environment import ANNOUNCED, Environment, read_environments
from workflow_templates.options import Options
from workflow_templates.parts import Filter, Publication, StepPods, Toleration
from workflow_templates.template import workflow_template

pytestmark = pytest.mark.unit

KEYS = {"consumer_address": "0x" + "11" * 20, "box_public_key": "A" * 43 + "="}
PLAIN = read_environments()[0].model_copy(update=KEYS)
FULL = PLAIN.model_copy(
    update={
        "release": ReleaseRules(max_bytes=5),
        "allowed_chains": (1, 8996),
        "scratch_root": "2Gi",
        "image_user": True,
        "filter": Filter(image="judge:1", command=("judge",)),
        "publication": Publication(chain_id=137),
        "gpu_number": 2,
        "gpu_type": "A100",
        "max_results_gb": 1,
        "runtime_class": "gvisor",
    }
)


def announcement(environment: Environment) -> dict[str, Any]:
    served = Served.of_template(parse_template(workflow_template(environment)))
    return served.announcement(fee_token="0x" + "22" * 20, current_jobs=0, last_seen=1.5)


@pytest.mark.parametrize("model", [Options, StepPods, Filter, Publication, Toleration])
def test_every_field_is_declared_as_an_option(model: Any) -> None:
    assert [name for name, _ in options(model)] == [name for name in model.model_fields if name != "steps"]


def test_a_template_announces_what_is_set() -> None:
    annotations = workflow_template(FULL)["metadata"]["annotations"]
    assert set(annotations) == {names.option(option.name) for option in ANNOUNCED} | {names.HAS_QUEUE, names.HAS_RECORD}
    left_out = {"scratch_root", "image_user", "filtered", "publication_chain", "runtime_class", "release"}
    assert set(annotations) - set(workflow_template(PLAIN)["metadata"]["annotations"]) == set(
        map(names.option, left_out)
    )


def test_the_service_reads_what_was_described() -> None:
    found = read_options(workflow_template(FULL)["metadata"]["annotations"])
    for option in ANNOUNCED:
        described = getattr(FULL, option.source)
        assert found[option.name] == (Decimal(described) if option.kind == "number" else described), option.name


@pytest.mark.parametrize("environment", [PLAIN, FULL], ids=["plain", "full"])
def test_an_announcement_is_as_the_api_describes_it(environment: Environment) -> None:
    schema, announced = SCHEMAS["Environment"], announcement(environment)
    jsonschema.validate(announced, schema)
    assert set(announced) <= set(schema["properties"])
    assert tuple(schema["required"]) == tuple(announced)[: len(ALWAYS)] == ALWAYS
    if environment is FULL:
        assert list(announced) == list(schema["properties"])


def test_consumers_read_what_isolates_an_algorithm() -> None:
    assert announcement(FULL)["isolation"] == "gvisor"
    assert "isolation" not in announcement(PLAIN)


def test_a_template_without_annotations_has_the_smallest_of_everything() -> None:
    found = read_options({})
    assert {found[option.name] for option in ANNOUNCED if option.absent is None} <= {None, "", (), False, NO_RULES}
    assert all(found[option.name] == option.absent for option in ANNOUNCED if option.absent is not None)


@pytest.mark.parametrize(
    ("name", "text"), [("cpu_number", "many"), ("max_jobs", "-1"), ("ram_gb", "NaN"), ("allowed_chains", "[true]")]
)
def test_what_cannot_be_read_is_named(name: str, text: str) -> None:
    with pytest.raises(TemplateUnusable, match=re.escape(names.option(name))):
        read_options({names.option(name): text})
