"""NetworkPolicies of the jobs' namespace, and whether anything enforces them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
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
API_SERVER: Final = Item(
    "api-server-policy",
    "the way from pods of jobs to the API server",
    "a NetworkPolicy lets them reach the addresses at which it really is",
    "put these addresses into `api-server.yaml` of your overlay: Argo's sidecar reports there, and a pod whose sidecar"
    " cannot never ends",
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


def judge_api_server(policies: Sequence[Json], places: Sequence[tuple[str, int]]) -> Line:
    """`places`: addresses and ports of the API server behind its Service. Most network plug-ins look at a packet when
    its address is one of these already, so that the Service's own address does not count."""
    if not places:
        return API_SERVER.not_checked("the Service kubernetes in the namespace default has no endpoints")
    specs = [policy["spec"] for policy in policies if _selects(policy["spec"], ALGORITHM)]
    rules = [rule for spec in specs if "Egress" in _types(spec) for rule in spec.get("egress") or ()]
    if not any("Egress" in _types(spec) for spec in specs):
        return API_SERVER.ok("nothing is denied")
    closed = [f"{address}:{port}" for address, port in places if not any(_opens(rule, address, port) for rule in rules)]
    if closed:
        return API_SERVER.failure(f"no policy opens {listed(closed)}")
    return API_SERVER.ok(listed([f"{address}:{port}" for address, port in places]))


def _opens(rule: Json, address: str, port: int) -> bool:
    ports = rule.get("ports")
    if ports and not any(_covers(each, port) for each in ports):
        return False
    peers = rule.get("to")
    return not peers or any(_holds(peer.get("ipBlock"), address) for peer in peers)


def _covers(each: Json, port: int) -> bool:
    """A port by name may be any."""
    if each.get("protocol", "TCP") != "TCP":
        return False
    first = each.get("port")
    return not isinstance(first, int) or first <= port <= each.get("endPort", first)


def _holds(block: Json | None, address: str) -> bool:
    """A peer without a block of addresses names pods, and the API server is none."""
    if block is None:
        return False
    found = ip_address(address)
    inside = [found in ip_network(cidr, strict=False) for cidr in (block["cidr"], *(block.get("except") or ()))]
    return inside[0] and not any(inside[1:])


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
