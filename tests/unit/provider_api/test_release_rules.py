"""Release rules as the service knows them: merged, announced, recorded, and how much of a log may be shown at once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from argo.client.records import Workflow
from contract import names
from contract.manifest import Summary
from contract.release import NO_RULES, ReleaseRules, RulesUnreadable, read_rules
from provider_api.access.release_rules import merged_rules
from provider_api.access.rules import all_refusals
from provider_api.environments.announced import TemplateUnusable, read_options, shown
from provider_api.jobs.live.log_rule import log_rule
from provider_api.jobs.status import status_of
from tests.support import provider_facts
from tests.support.provider_neighbours import World
from workflow_templates.environment import EnvironmentInvalid, read_environment, read_environments
from workflow_templates.template import workflow_template

pytestmark = pytest.mark.unit

RULES = {"maxBytes": 5, "types": ["csv"], "logBytes": 3}
TOML = """
[release]
max_bytes = 5
types = ["csv"]
log_bytes = 3
"""


def described(tmp_path: Path, more: str) -> Any:
    (source,) = [each for each in read_environments() if each.id == "ocean-compute"]
    folder = Path(__file__).parents[3] / "workflow_templates" / "environments"
    path = tmp_path / f"{source.id}.toml"
    path.write_text((folder / path.name).read_text() + more)
    return read_environment(path)


def test_rules_of_an_environment_are_announced_and_told_to_its_pods(tmp_path: Path) -> None:
    manifest = workflow_template(described(tmp_path, TOML))
    annotations = manifest["metadata"]["annotations"]
    assert json.loads(annotations[names.option("release")]) == RULES
    options = read_options(annotations)
    assert options["release"] == read_rules(RULES)
    assert shown(options)["release"] == RULES
    (publishing,) = [each for each in manifest["spec"]["templates"] if each["name"] == names.PUBLISHING]
    told = {each["name"]: each.get("value") for each in publishing["container"]["env"]}
    assert json.loads(told["C2D_RELEASE_RULES"]) == RULES


def test_an_environment_without_rules_says_nothing(tmp_path: Path) -> None:
    manifest = workflow_template(described(tmp_path, ""))
    assert names.option("release") not in manifest["metadata"]["annotations"]
    assert "C2D_RELEASE_RULES" not in json.dumps(manifest)
    assert read_options(manifest["metadata"]["annotations"])["release"] == NO_RULES


@pytest.mark.parametrize("wrong", ["maxBytes = 5", "max_bytes = -1", 'types = ["exe"]', 'approval = "me"'])
def test_a_description_with_wrong_rules_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(EnvironmentInvalid, match="release"):
        described(tmp_path, f"[release]\n{wrong}\n")


@pytest.mark.parametrize("text", ["{", "[]", '{"maxBytes": "5"}', '{"max_bytes": 5}'])
def test_a_template_with_wrong_rules_is_no_environment(text: str) -> None:
    with pytest.raises(TemplateUnusable):
        read_options({names.option("release"): text})


@pytest.mark.parametrize(
    ("rules", "shown_bytes"),
    [
        ({}, None),
        ({"maxBytes": 5}, 0),
        ({"logBytes": 0}, 0),
        ({"logBytes": 7}, 7),
        ({"logBytes": 7, "maxBytes": 5}, 5),
        ({"logBytes": 7, "approval": "owner"}, 0),
        ({"types": []}, 0),
        ({"filtered": True, "ownersLook": True}, None),
    ],
)
def test_a_log_is_shown_at_once_only_as_far_as_a_rule_says_so(rules: dict[str, Any], shown_bytes: int | None) -> None:
    assert read_rules(rules).live_log_bytes == shown_bytes


def _shown(job: Workflow) -> int:
    return log_rule(job, 1 << 20).most


async def test_a_record_that_cannot_be_read_shows_no_log(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.argo.has_record = True
    async with world.running():
        answer = await world.start(world.start_body(5))
        job = world.argo.workflows[answer.json()[0]["jobId"]]
    assert _shown(job) > 0
    for text, shown_bytes in (("{", 0), ('{"version": 2}', 0)):
        changed = replace(job, annotations={**job.annotations, names.RECORD: text})
        assert _shown(changed) == shown_bytes
    assert _shown(replace(job, annotations={**job.annotations, names.FILTERED: "true"})) == 0
    assert _shown(replace(job, annotations={})) > 0


async def test_withheld_is_the_verdict_of_a_job_that_went_well(world: World) -> None:
    answer = await world.start(world.start_body(5))
    job = str(answer.json()[0]["jobId"])
    world.argo.finish(job, results=Summary(digest="a" * 64, count=2, withheld=True).encoded())
    status = status_of(world.argo.workflows[job], now=datetime.now(UTC))
    assert (status.number, status.reason, status.exit_code) == (41, "withheld", 0)


def test_what_is_unreadable_says_where() -> None:
    with pytest.raises(RulesUnreadable) as refused:
        read_rules({"types": ["csv", "exe"]})
    assert refused.value.place == "release.types.1"


def test_rules_come_back_as_they_were_told() -> None:
    rules = ReleaseRules(max_bytes=0, max_files=0, share_of_inputs=0.5, types=(), log_bytes=0, approval="owner")
    assert read_rules(json.loads(json.dumps(rules.told()))) == rules


def judged(
    rules: dict[str, Any], has_record: bool = True, *, can_hold: bool = True, **of_environment: Any
) -> list[str]:
    """Codes of all refusals of a request on a dataset with these rules."""
    source = provider_facts.document(provider_facts.did(0), service={"additionalInformation": {"release": rules}})
    item = provider_facts.asset("dataset", source, order=provider_facts.order())
    known = provider_facts.facts(
        (item,),
        provider_facts.algorithm(),
        environment=provider_facts.environment(has_record=has_record, **of_environment),
        can_hold=can_hold,
    )
    return [refusal.code for refusal in all_refusals(known)]


@pytest.mark.parametrize(
    ("rules", "given", "codes"),
    [
        ({}, {}, []),
        ({"maxBytes": 5}, {}, []),
        ({"approval": "owner"}, {}, []),
        ({"maxBytes": "x"}, {}, ["release_rules_invalid"]),
        ({"maxBytes": 5}, {"has_record": False}, ["release_rules_not_offered"]),
        ({}, {"has_record": False}, []),
        ({"approval": "owner"}, {"can_hold": False}, ["release_approval_not_offered"]),
        ({"maxBytes": 5}, {"can_hold": False}, []),
        ({"filtered": True}, {}, ["release_filter_not_offered"]),
        ({"filtered": True}, {"filtered": True}, []),
        ({"filtered": True}, {"filtered": True, "has_record": False}, []),
        ({"filtered": True, "maxBytes": 5}, {"filtered": True, "has_record": False}, ["release_rules_not_offered"]),
        ({"filtered": False, "ownersLook": False}, {"has_record": False}, []),
        ({"filtered": "yes"}, {"filtered": True}, ["release_rules_invalid"]),
    ],
)
def test_rules_are_kept_or_nothing_starts(rules: dict[str, Any], given: dict[str, Any], codes: list[str]) -> None:
    assert judged(rules, **given) == codes


@pytest.mark.parametrize(
    ("datasets", "environment", "look"),
    [
        ([True], None, True),
        ([True], True, True),
        ([True], False, False),
        ([None], True, None),
        ([False], True, False),
        ([True, True], None, True),
        ([True, None], None, None),
        ([True, False], None, False),
        ([None, False], True, False),
    ],
)
def test_owners_look_where_all_datasets_say_so_and_the_environment_does_not_forbid_it(
    datasets: list[bool | None], environment: bool | None, look: bool | None
) -> None:
    items = []
    for number, says in enumerate(datasets):
        rules = {} if says is None else {"ownersLook": says}
        source = provider_facts.document(
            provider_facts.did(number), service={"additionalInformation": {"release": rules}}
        )
        items.append(provider_facts.asset("dataset", source, order=provider_facts.order()))
    known = provider_facts.facts(
        tuple(items),
        provider_facts.algorithm(),
        environment=provider_facts.environment(has_record=True, release=ReleaseRules(owners_look=environment)),
    )
    assert merged_rules(known).owners_look is look


def test_results_that_wait_make_no_asset() -> None:
    asset = {"publishOutput": True, "metadata": {"name": "n"}}
    for approval, codes in (("owner", ["results_are_held"]), ("none", [])):
        environment = provider_facts.environment(
            has_record=True, publication_chain=1, release=ReleaseRules(approval=approval)
        )
        known = provider_facts.facts(
            (provider_facts.dataset(order=provider_facts.order()),), provider_facts.algorithm(), environment=environment
        )
        wanted = replace(known, request=replace(known.request, output=asset))
        assert [refusal.code for refusal in all_refusals(wanted)] == codes
