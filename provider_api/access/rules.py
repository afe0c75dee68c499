"""The rules of a start, in the order of Ocean's Provider, with its places and codes. Rules that it has not, or has
otherwise, say so.

Each rule judges the facts and answers a refusal or None. The first refusal is the answer to a start; all of them answer
"why not". A rule whose refusal would only repeat an earlier one (the service of an asset that does not exist) is left
out, and nothing is accepted when a rule was left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider_api.access import algorithm_rules as algorithm
from provider_api.access import asset_rules as asset
from provider_api.access import parameter_rules as parameters
from provider_api.access import release_rules, trust_rules
from provider_api.access import request_rules as request
from provider_api.access.accepted import Accepted, AcceptedStart
from provider_api.access.facts import ComputeFacts
from provider_api.access.refusal import Refusal
from provider_api.access.rule import AssetRule, GeneralRule, Rule

GENERAL: tuple[GeneralRule, ...] = (
    request.additional_datasets_are_a_list,
    request.not_too_many_datasets,
    request.environment_exists,
    request.environment_serves_the_chains,
    algorithm.algorithm_is_unambiguous,
    algorithm.algorithm_is_given,
)
PUBLISHED_ALGORITHM: tuple[AssetRule, ...] = (
    algorithm.algorithm_resolves,
    algorithm.algorithm_is_an_algorithm,
    algorithm.algorithm_service_is_named,
    algorithm.algorithm_is_available,
    *asset.CONSUMABLE,
)
DATASET: tuple[AssetRule, ...] = (
    asset.did_is_given,
    asset.order_is_given,
    asset.service_is_given,
    asset.did_resolves,
    asset.is_no_duplicate,
    asset.service_exists,
    *asset.CONSUMABLE,
    asset.service_type_is_known,
    asset.main_service_is_compute,
    asset.compute_section_exists,
    asset.files_are_ours,
    *trust_rules.RULES,
    *release_rules.RULES,
    parameters.parameters_fit,
    asset.is_ordered,
)
ORDERED_ALGORITHM: tuple[AssetRule, ...] = (algorithm.algorithm_is_ordered,)
LAST: tuple[GeneralRule, ...] = (
    algorithm.raw_algorithm_has_code,
    algorithm.raw_algorithm_is_available,
    algorithm.container_is_usable,
    parameters.algorithm_parameters_fit,
    parameters.algorithm_custom_data_fits,
    request.fee_is_paid,
    request.time_is_left,
    request.output_is_json,
    request.asset_can_be_made,
    release_rules.held_results_make_no_asset,
    request.room_is_left,
    request.account_has_room,
)


class RulesLeftOut(AssertionError):
    """Rules could not be judged although nothing was refused: the facts or the rules' needs are wrong."""


def in_order(facts: ComputeFacts) -> Iterator[tuple[Rule[...], tuple[Any, ...]]]:
    """Every rule with what it judges."""
    published = [facts.algorithm] if facts.algorithm is not None else []
    yield from ((rule, (facts,)) for rule in GENERAL)
    yield from ((rule, (facts, item)) for item in published for rule in PUBLISHED_ALGORITHM)
    yield from ((rule, (facts, item)) for item in facts.datasets for rule in DATASET)
    yield from ((rule, (facts, item)) for item in published for rule in ORDERED_ALGORITHM)
    yield from ((rule, (facts,)) for rule in LAST)


def refusals(facts: ComputeFacts) -> Iterator[Refusal]:
    """Every refusal that does not merely follow from another one, in order. Raises RulesLeftOut."""
    left_out, refused = [], False
    for rule, judged in in_order(facts):
        if not rule.can_judge(*judged):
            left_out.append(rule.name)
        elif (refusal := rule(*judged)) is not None:
            refused = True
            yield refusal
    if left_out and not refused:
        raise RulesLeftOut(", ".join(left_out))


def first_refusal(facts: ComputeFacts) -> Refusal | None:
    return next(refusals(facts), None)


def judge(facts: ComputeFacts) -> Accepted | Refusal:
    """The request as accepted, or the first refusal: for what asks before a start."""
    return first_refusal(facts) or Accepted.of(facts)


def judge_start(facts: ComputeFacts) -> AcceptedStart | Refusal:
    """The start as accepted, or the first refusal, which is its answer."""
    return first_refusal(facts) or AcceptedStart.of(facts)


def all_refusals(facts: ComputeFacts) -> list[Refusal]:
    """Why a job may not start: everything at once."""
    return list(refusals(facts))
