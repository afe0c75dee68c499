"""Release rules of a start: what may leave of the job, by its datasets and its environment together.

Not rules of Ocean Provider, whose consumers get whatever an algorithm writes. What the rules are is told before
anybody pays (`notes`); what they say of the results is judged by publishing, before the first byte leaves.
"""

from __future__ import annotations

from contract.release import NO_RULES, ReleaseRules, RulesUnreadable, read_rules, strictest
from ocean.ddo import Service
from ocean.kit.compact_json import compact_json
from ocean.kit.object_or_text import TextIsNotJson
from provider_api.access.asset_rules import service_known
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.output import OutputInvalid, wanted_asset
from provider_api.access.refusal import Refusal
from provider_api.access.rule import rule
from provider_api.environments.environment import Environment

_MEMBER = "release"


@rule("publisher", service_known)
def release_rules_are_readable(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """Rules that cannot be read are kept by nobody, so nothing runs on such a dataset."""
    if item.service is None:
        return None
    try:
        read_rules(_said_by(item.service))
    except RulesUnreadable as exc:
        return Refusal(item.place, "release_rules_invalid", exc.expected, exc.place)
    return None


@rule("operator", service_known)
def release_rules_can_be_kept(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """By the environment, its pods, and the store: in IPFS nobody can say which of two decisions was first."""
    rules = rules_of(item)
    if rules is None or rules == NO_RULES:
        return None
    if rules.approval != "none" and not facts.can_hold:
        return Refusal(item.place, "release_approval_not_offered", "results in a folder or a bucket", "in IPFS")
    if facts.environment is None:
        return None
    if rules.filtered and not facts.environment.filtered:
        return Refusal(item.place, "release_filter_not_offered", "an environment with a filter", facts.environment.id)
    if rules.for_pods != NO_RULES and not facts.environment.has_record:
        return Refusal(item.place, "release_rules_not_offered", "an environment that keeps release rules", "older pods")
    return None


@rule("consumer")
def held_results_make_no_asset(facts: ComputeFacts) -> Refusal | None:
    """What waits for its owners cannot be published as an asset meanwhile."""
    if merged_rules(facts).approval == "none" or not wants_asset(facts.environment, facts.request.output):
        return None
    return Refusal("output", "results_are_held", "no asset: owners of datasets have to release the results", "an asset")


RULES = (release_rules_are_readable, release_rules_can_be_kept)


def rules_of(item: AssetFacts) -> ReleaseRules | None:
    """What the publisher of a dataset says; None where that is not known, or cannot be read."""
    if item.service is None:
        return None
    try:
        return read_rules(_said_by(item.service))
    except RulesUnreadable:
        return None


def merged_rules(facts: ComputeFacts) -> ReleaseRules:
    """The strictest of all that is said, as far as it is known. Whether owners may look into results is said by each
    dataset, since the results may tell of each; an environment that says nothing of it leaves it to them."""
    said = [rules for item in facts.datasets if (rules := rules_of(item)) is not None]
    if facts.environment is None:
        return strictest(said)
    look = strictest(said).owners_look
    of_environment = facts.environment.release
    return strictest([*said, of_environment]).model_copy(
        update={"owners_look": False if of_environment.owners_look is False else look}
    )


def approvers(facts: ComputeFacts) -> tuple[str, ...]:
    """DIDs of the datasets whose owners have to release the results: those that ask for it, or all, where the
    environment does."""
    everyone = facts.environment is not None and facts.environment.release.approval == "owner"
    asking = [item for item in facts.datasets if everyone or (rules_of(item) or NO_RULES).approval == "owner"]
    return tuple(dict.fromkeys(item.request.document_id for item in asking))


def notes(facts: ComputeFacts) -> list[dict[str, str]]:
    """What a consumer should know of the rules before he pays."""
    told = merged_rules(facts).told()
    if not told:
        return []
    note = f"Release rules of datasets and environment limit what may leave of the job: {compact_json(told)}."
    return [{"place": "results", "note": note}]


def wants_asset(environment: Environment | None, output: object) -> bool:
    try:
        return wanted_asset(environment, output) is not None
    except (OutputInvalid, TextIsNotJson):
        return False  # another rule says what is wrong with it


def _said_by(service: Service) -> object:
    """Anything may stand in a service's additional information; rules are a member of an object."""
    information = service.additional_information
    return information.get(_MEMBER) if isinstance(information, dict) else None
