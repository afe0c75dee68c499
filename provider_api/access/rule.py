"""What a rule is: a named check that answers a refusal or None, and what must be known before it can be asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, ParamSpec

from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.refusal import Refusal, Who

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Rule(Generic[P]):
    """`who` can change what the rule refuses, where the refusal does not say otherwise.

    `needs`: without that knowledge the check would only repeat what another rule has refused, so it is left out.
    """

    name: str
    who: Who
    check: Callable[P, Refusal | None]
    needs: tuple[Callable[P, bool], ...]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Refusal | None:
        refusal = self.check(*args, **kwargs)
        return None if refusal is None else replace(refusal, rule=self.name, who=refusal.who or self.who)

    def can_judge(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        return all(need(*args, **kwargs) for need in self.needs)


class rule:
    """Make a rule of a function, named like it. Each of `needs` takes what the function takes."""

    def __init__(self, who: Who, *needs: Callable[..., bool]) -> None:
        self._who, self._needs = who, needs

    def __call__(self, check: Callable[P, Refusal | None]) -> Rule[P]:
        return Rule(check.__name__, self._who, check, self._needs)


GeneralRule = Rule[[ComputeFacts]]
AssetRule = Rule[[ComputeFacts, AssetFacts]]
