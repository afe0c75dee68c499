"""NetworkPolicies of the jobs' namespace, and whether anything enforces them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from contract import names
from provider_api.doctor.lines import Item, Line, listed

Json = Mapping[str, Any]

POLICIES: Final = Item(
    "network-policies",
    "NetworkPolicies of the jobs' namespace",
    "default deny in both directions; nothing that opens an algorithm without network to everything",
    "apply the NetworkPolicies under argo/gitops",
)
ENFORCED: Final = Item(
    "network-enforced",
    "enforcement of NetworkPolicies",
    "a pod labelled as an algorithm reaches neither the internet nor the cluster's DNS",
    "install a network plug-in that enforces NetworkPolicies (Calico, Cilium, …), from the start of each pod",
)

ALGORITHM: Final = {names.STEP: names.ALGORITHM, names.NETWORK: "none"}
CONTROL: Final = {names.STEP: names.CONFIGURATION, names.NETWORK: "outgoing"}
_EVERYWHERE = frozenset({"0.0.0.0/0", "::/0"})


def judge_policies(policies: Sequence[Json]) -> Line:
    """A policy without rules denies what is in its types. Rules of several policies add up."""
    if not policies:
        return POLICIES.failure("there is none")
    specs = {str(policy["metadata"]["name"]): policy["spec"] for policy in policies}
    denied = {
        direction
        for spec in specs.values()
        for direction in _types(spec)
        if not _selector_words(spec) and not spec.get(direction.lower())
    }
    wide = [
        name
        for name, spec in specs.items()
        if "Egress" in _types(spec) and _selects(spec, ALGORITHM) and any(map(_is_wide, spec.get("egress") or ()))
    ]
    if wide:
        return POLICIES.failure(f"{listed(wide)} lets algorithms without network reach everything")
    if missing := {"Ingress", "Egress"} - denied:
        return POLICIES.failure(f"no default deny for {listed(missing)}")
    return POLICIES.ok(f"{len(policies)} policies, default deny")


def _types(spec: Json) -> Sequence[str]:
    """Kubernetes' default: ingress always, egress where there are such rules."""
    return spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])


def _selector_words(spec: Json) -> bool:
    selector = spec.get("podSelector") or {}
    return bool(selector.get("matchLabels") or selector.get("matchExpressions"))


def _selects(spec: Json, labels: Mapping[str, str]) -> bool:
    selector = spec.get("podSelector") or {}
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for expression in selector.get("matchExpressions") or ():
        value, values = labels.get(expression["key"]), expression.get("values") or ()
        fits = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not fits.get(str(expression["operator"]), True):
            return False
    return True


def _is_wide(rule: Json) -> bool:
    """Leads to every address: no peers at all, or the whole of one kind of addresses. Its ports do not matter."""
    peers = rule.get("to")
    return not peers or any((peer.get("ipBlock") or {}).get("cidr") in _EVERYWHERE for peer in peers)


@dataclass(frozen=True, slots=True)
class Reached:
    """What a probe pod could open a TCP connection to. None: it did not try."""

    outside: bool | None
    dns: bool | None


def judge_enforcement(algorithm: Reached | None, control: Reached | None, seen: str) -> Line:
    """`algorithm`: a pod that may reach neither; `control`: one that may reach both, which shows that they are there.

    None: the pod did not end, or told nothing; `seen`: how the first one stood then.
    """
    if algorithm is None:
        return ENFORCED.failure(
            f"the probe pod told nothing in its time: {seen}",
            mend="look at the Jobs c2d-doctor-… and their pods while it runs: image, quota, Pod Security, room",
        )
    got_out = [word for word, value in (("the internet", algorithm.outside), ("DNS", algorithm.dns)) if value]
    if got_out:
        return ENFORCED.failure(f"it reaches {listed(got_out)}")
    if control is None or not (control.outside or control.dns):
        return ENFORCED.warning(
            "it reaches nothing, but a pod that may go out reaches nothing either, so this shows little",
            mend="name an address that pods of the configuration step can reach: --probe-target",
        )
    reached = [word for word, value in (("the internet", control.outside), ("DNS", control.dns)) if value]
    return ENFORCED.ok(f"it reaches nothing, a pod that may go out reaches {listed(reached)}")
