"""The ValidatingAdmissionPolicy that guards what may be submitted, beside the controller's Strict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from provider_api.doctor.lines import Item, Line, listed

Json = Mapping[str, Any]

POLICY: Final = Item(
    "admission-policy",
    "the ValidatingAdmissionPolicy for workflows",
    "one that looks at new workflows, bound with the action Deny",
    "apply the policy and its binding under argo/gitops; Strict alone does not look at status, labels and owners",
)


def judge_policies(policies: Sequence[Json], bindings: Sequence[Json]) -> Line:
    """Whether one is in force for new workflows. What its expressions do is tried: see attempts.py."""
    looking = {str(policy["metadata"]["name"]) for policy in policies if _sees_new_workflows(policy)}
    if not looking:
        return POLICY.warning("there is none")
    denying = {
        str(binding["spec"].get("policyName"))
        for binding in bindings
        if "Deny" in (binding["spec"].get("validationActions") or ())
    }
    if not looking & denying:
        return POLICY.warning(f"{listed(looking)} is not bound with Deny")
    return POLICY.ok(listed(looking & denying))


def _sees_new_workflows(policy: Json) -> bool:
    rules = (policy["spec"].get("matchConstraints") or {}).get("resourceRules") or ()
    return any(
        {"argoproj.io", "*"} & set(rule.get("apiGroups") or ())
        and {"workflows", "*"} & set(rule.get("resources") or ())
        and {"CREATE", "*"} & set(rule.get("operations") or ())
        for rule in rules
    )
