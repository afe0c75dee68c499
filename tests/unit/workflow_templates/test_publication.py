"""What an environment in which results become assets has more than others."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from argo.client.records import Template
from argo.local.spec.check import read_spec
from contract import names
from provider_api.doctor.judging.environments import wanted_secrets
from provider_api.environments.environment import Environment as Announced
from workflow_templates.environment import Environment, read_environments
from workflow_templates.parts import Filter, Publication
from workflow_templates.publication import add_publication
from workflow_templates.schema import workflow_template_schema
from workflow_templates.template import workflow_template

pytestmark = pytest.mark.unit

PUBLICATION = Publication(chain_id=137)
PLAIN = read_environments()[0].model_copy(
    update={"consumer_address": "0x" + "11" * 20, "box_public_key": "A" * 43 + "="},
)
FILTERED = PLAIN.model_copy(update={"filter": Filter(image="judge:1", command=("judge",))})


def publishing(environment: Environment) -> Environment:
    return environment.model_copy(update={"publication": PUBLICATION})


def steps(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in manifest["spec"]["templates"]}


@pytest.mark.parametrize("environment", [PLAIN, FILTERED], ids=["plain", "filtered"])
def test_nothing_else_is_different(environment: Environment) -> None:
    without, with_it = workflow_template(environment), workflow_template(publishing(environment))
    assert with_it["metadata"]["annotations"].pop(names.PUBLICATION_CHAIN) == "137"
    step = steps(with_it)[names.PUBLISHING]
    assert step["metadata"]["labels"][names.NETWORK] == "chain"
    step["metadata"]["labels"][names.NETWORK] = "store"
    assert step["volumes"].pop() == {
        "name": "publication",
        "secret": {"secretName": "c2d-publication", "defaultMode": 0o440},
    }
    container = step["container"]
    folder = "asset-{{workflow.name}}"  # stays when the job's own goes
    assert container["volumeMounts"].pop() == {"name": "results", "mountPath": f"/results/{folder}", "subPath": folder}
    assert container["volumeMounts"].pop() == {
        "name": "publication",
        "mountPath": "/c2d/publication",
        "readOnly": True,
    }
    added = {each["name"]: each["value"] for each in container["env"][-4:]}
    assert added == {
        "C2D_PUBLICATION": "/c2d/publication",
        "C2D_PUBLICATION_CHAIN": "137",
        "C2D_COMPUTE_ENDED": "{{workflow.status}}",
        "C2D_PUBLISHING_SECONDS": str(environment.steps.publishing_seconds),
    }
    del container["env"][-4:]
    assert with_it == without


@pytest.mark.parametrize("environment", [PLAIN, FILTERED], ids=["plain", "filtered"])
def test_it_is_what_argo_takes(environment: Environment) -> None:
    manifest = workflow_template(publishing(environment))
    assert [error.message for error in Draft202012Validator(workflow_template_schema()).iter_errors(manifest)] == []
    assert read_spec("x", manifest["spec"]).on_exit == names.RELEASE


def test_no_other_pod_sees_the_key_or_the_wish() -> None:
    for name, step in steps(workflow_template(publishing(FILTERED))).items():
        if name != names.PUBLISHING:
            assert "publication" not in json.dumps(step), name
    algorithm = steps(workflow_template(publishing(PLAIN)))[names.ALGORITHM]
    mounted = [mount.get("subPath") for mount in algorithm["container"]["volumeMounts"] if mount["name"] == "data"]
    assert None not in mounted


def test_a_deployment_may_add_it_to_what_is_rendered() -> None:
    manifest = copy.deepcopy(workflow_template(PLAIN))
    add_publication(manifest, PUBLICATION)
    assert manifest == workflow_template(publishing(PLAIN))


def test_it_is_announced() -> None:
    def announced(environment: Environment) -> dict[str, Any]:
        metadata = workflow_template(environment)["metadata"]
        template = Template(metadata["name"], metadata["labels"], metadata["annotations"])
        return Announced.of_template(template).announcement(fee_token="0x", current_jobs=0, last_seen=0)

    assert announced(publishing(PLAIN)) == announced(PLAIN) | {"publishesResults": True, "publicationChainId": 137}


def test_the_doctor_knows_the_files_of_the_secret() -> None:
    named = PLAIN.model_copy(update={"publication": Publication(chain_id=137, secret="polygon")})
    wanted = wanted_secrets(workflow_template(named))
    assert wanted["polygon"] == {"publication.json": True, "publisher.key": True}
    assert "polygon" not in wanted_secrets(workflow_template(PLAIN))
