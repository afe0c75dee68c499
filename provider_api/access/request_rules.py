"""Rules about the request as a whole: environment, payment, the end that was asked for, output section, room."""

from __future__ import annotations

from ocean.kit.object_or_text import TextIsNotJson
from provider_api.access import payment
from provider_api.access.facts import ComputeFacts
from provider_api.access.output import OutputInvalid, output_section, wanted_asset
from provider_api.access.refusal import Refusal
from provider_api.access.rule import rule

CLOCK_SECONDS = 60  # clients compute "now + maximum" with their own clock


def environment_known(facts: ComputeFacts) -> bool:
    return facts.environment is not None


# --- before the assets -----------------------------------------------------------------------------------------------


@rule("consumer")
def additional_datasets_are_a_list(facts: ComputeFacts) -> Refusal | None:
    """Also ours: each entry is an object."""
    if not facts.request.additional_invalid:
        return None
    return Refusal("additional_input", "invalid", "a list of objects", "something else")


@rule("consumer")
def not_too_many_datasets(facts: ComputeFacts) -> Refusal | None:
    """Not a rule of Ocean Provider: every dataset costs reads of a chain."""
    count, most = len(facts.datasets), facts.max_datasets
    return Refusal("additional_input", "too_many", f"at most {most} datasets", count) if count > most else None


@rule("consumer")
def environment_exists(facts: ComputeFacts) -> Refusal | None:
    """Differs from Ocean Provider, which starts jobs in environments that do not exist."""
    if facts.environment is not None:
        return None
    return Refusal("environment", "not_found", "one of computeEnvironments", facts.request.environment)


@rule("operator", environment_known)
def environment_serves_the_chains(facts: ComputeFacts) -> Refusal | None:
    """Not a rule of Ocean Provider: an environment may be restricted to some chains."""
    allowed = facts.environment.allowed_chains if facts.environment is not None else ()
    others = sorted({item.chain_id for item in facts.assets() if item.ddo is not None} - set(allowed))
    return Refusal("environment", "chain_not_allowed", list(allowed), others) if allowed and others else None


# --- after them ------------------------------------------------------------------------------------------------------


def _some_order_known(facts: ComputeFacts) -> bool:
    """Where no order could be verified, the rules about orders have said so."""
    ordered = [item.order if facts.request.terms is not None else item.own_order for item in facts.assets()]
    return not facts.with_orders or (environment_known(facts) and any(ordered))


@rule("consumer", _some_order_known)
def fee_is_paid(facts: ComputeFacts) -> Refusal | None:
    if not facts.with_orders or payment.carrier_of(facts) is not None:
        return None
    orders = list(payment.own_orders(facts.assets()))
    end = payment.last_valid_until(orders)
    price = facts.environment.price_per_minute if facts.environment is not None else 0
    expected = f"one order that carries the environment's fee, {price} per minute, until {end or 'an end'} (Unix time)"
    return Refusal("order", "fees_not_paid", expected, [str(order.fee_amount) for order in orders])


@rule("consumer")
def time_is_left(facts: ComputeFacts) -> Refusal | None:
    """Not a rule of Ocean Provider: a job that would be out of paid time at once is refused while its order can still
    be renewed."""
    carrier = payment.carrier_of(facts) if facts.with_orders else None
    if carrier is None or carrier.paid_until is None or carrier.paid_until - facts.now >= facts.minimum_paid_seconds:
        return None
    expected = f"at least {facts.minimum_paid_seconds} paid seconds"
    return Refusal("order", "paid_time_over", expected, max(0, int(carrier.paid_until - facts.now)))


@rule("consumer")
def output_is_json(facts: ComputeFacts) -> Refusal | None:
    """Most of the output section is ignored, but text must be JSON."""
    if _reads(facts):
        return None
    return Refusal("output", "invalid", "an object or JSON text", "text that is no JSON")


def _reads(facts: ComputeFacts) -> bool:
    try:
        output_section(facts.request.output)
    except TextIsNotJson:
        return False
    return True


@rule("consumer", environment_known, _reads)
def asset_can_be_made(facts: ComputeFacts) -> Refusal | None:
    """Not a rule of Ocean Provider: what shall become an asset is described as an asset can be. Only in environments
    that make assets."""
    try:
        wanted_asset(facts.environment, facts.request.output)
    except OutputInvalid as exc:
        return Refusal("output", f"{exc.place}_invalid", exc.expected, exc.place)
    return None


@rule("operator")
def room_is_left(facts: ComputeFacts) -> Refusal | None:
    """Not a rule of Ocean Provider: only so many jobs may wait. Judged where Argo could be asked how many there are."""
    environment, unfinished = facts.environment, facts.unfinished_jobs
    if environment is None or unfinished is None:
        return None
    places = environment.max_jobs + environment.max_queued_jobs
    if unfinished < places:
        return None
    return Refusal("environment", "queue_full", f"fewer than {places} unfinished jobs", unfinished)


@rule("consumer")
def account_has_room(facts: ComputeFacts) -> Refusal | None:
    """Not a rule of Ocean Provider: one account may not have all places of an environment. Judged where Argo could be
    asked."""
    most = facts.environment.max_jobs_per_account if facts.environment is not None else None
    unfinished = facts.own_unfinished_jobs
    if most is None or unfinished is None or unfinished < most:
        return None
    return account_is_full(most, unfinished)


def account_is_full(most: int, unfinished: int) -> Refusal:
    text = f"account_full: at most {most} unfinished jobs of one account here, wait until one of yours has ended"
    return Refusal("environment", text, f"fewer than {most} unfinished jobs of the consumer", unfinished)


def _end_and_environment_known(facts: ComputeFacts, valid_until: int) -> bool:
    return environment_known(facts)


@rule("consumer", _end_and_environment_known)
def end_is_possible(facts: ComputeFacts, valid_until: int) -> Refusal | None:
    """Of a request for quotes: not in the past, not later than the environment's longest job."""
    longest = facts.environment.max_job_duration if facts.environment is not None else 0
    latest = int(facts.now) + longest + CLOCK_SECONDS
    if facts.now < valid_until <= facts.now + longest + CLOCK_SECONDS:
        return None
    expected = f"after {int(facts.now)}, at most {latest} (Unix time)"
    return Refusal("compute.validUntil", "The validUntil value is not correct.", expected, valid_until)
