"""Why a job would not be started: every failed rule at once, what was expected and found, and who can change it.

The rules are those of a start, asked of the same facts; nothing is claimed, stored or signed. The answer shows what the
request, the documents and the chain show anyway. It cannot tell everything: an order that another job is using, a
nonce, and what an access control server would say come to light at the start only.
"""

from __future__ import annotations

from provider_api.access import rules
from provider_api.access.accepted import Accepted
from provider_api.access.facts import ComputeFacts
from provider_api.access.refusal import Refusal
from provider_api.access.request_rules import end_is_possible
from provider_api.http.errors import Refused
from provider_api.jobs.specification import require_room_in_workflow
from provider_api.keys import ProviderKeys
from provider_api.settings import Settings


def reasons(facts: ComputeFacts, valid_until: int | None, settings: Settings, keys: ProviderKeys) -> list[Refusal]:
    """Every refusal, in the order of a start; then the wanted end, and whether the job spec is too large, which can be
    measured only if nothing else is refused. Empty: the job would be started."""
    found = rules.all_refusals(facts)
    if valid_until is not None and end_is_possible.can_judge(facts, valid_until):
        found += [refusal for refusal in [end_is_possible(facts, valid_until)] if refusal is not None]
    return found or _too_large(Accepted.of(facts), settings, keys)


def _too_large(accepted: Accepted, settings: Settings, keys: ProviderKeys) -> list[Refusal]:
    try:
        require_room_in_workflow(accepted, settings, keys)
    except Refused as refused:
        said = refused.error if not isinstance(refused.error, str) else {"algorithm": refused.error}
        return [Refusal(place, code, who="consumer", rule="job_spec_fits") for place, code in said.items()]
    return []
