"""Rules about consumer parameters: does a start bring what the publishers of its assets ask for?

Clients send parameters with the start only. So before that, nothing is refused for their sake; `needed_at_start` says
what a start would be refused for, while nothing is paid.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ocean import parameters
from provider_api.access.asset_rules import service_known
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.refusal import Refusal
from provider_api.access.rule import rule


@rule("consumer", service_known)
def parameters_fit(facts: ComputeFacts, item: AssetFacts) -> Refusal | None:
    """Not a rule of Ocean Provider: what the publisher of a dataset asks its consumers for."""
    return next(_of_service(item), None) if facts.with_orders else None


@rule("consumer")
def algorithm_parameters_fit(facts: ComputeFacts) -> Refusal | None:
    """Not a rule of Ocean Provider: what an algorithm's service asks its consumers for."""
    item = facts.algorithm
    return next(_of_service(item), None) if item is not None and facts.with_orders else None


@rule("consumer")
def algorithm_custom_data_fits(facts: ComputeFacts) -> Refusal | None:
    """Not a rule of Ocean Provider: what the algorithm itself asks them for."""
    return next(_of_algorithm(facts), None) if facts.with_orders else None


def needed_at_start(facts: ComputeFacts) -> list[Refusal]:
    """For what a start with the same parameters would be refused, all of it."""
    found = [refusal for item in facts.assets() for refusal in _of_service(item)]
    return found + list(_of_algorithm(facts))


def needs_answer(facts: ComputeFacts) -> dict[str, Any]:
    """The same as a part of an answer to a question before the start; {} where nothing is needed."""
    needed = needed_at_start(facts)
    return {"startNeeds": [{**refusal.named(), "expected": refusal.expected} for refusal in needed]} if needed else {}


def _of_service(item: AssetFacts) -> Iterator[Refusal]:
    """Without a service there is nothing that asks."""
    if item.service is not None:
        yield from _refused(f"{item.place}.userdata", item.service.consumer_parameters, item.request.userdata)


def _of_algorithm(facts: ComputeFacts) -> Iterator[Refusal]:
    ddo = facts.algorithm.ddo if facts.algorithm is not None else None
    section = ddo.metadata.algorithm if ddo is not None and ddo.metadata is not None else None
    if section is not None:
        given = facts.request.algorithm.custom_data
        yield from _refused("algorithm.algocustomdata", section.consumer_parameters, given)


def _refused(place: str, definitions: object, values: object) -> Iterator[Refusal]:
    for problem in parameters.problems(definitions, values):
        allowed = f"{problem.name}: {problem.allowed}"
        code = str(problem) if problem.problem == "missing" else f"{problem} ({problem.allowed})"
        yield Refusal(place, code, allowed)
