"""A start and "why not" are judged by the same rules: held together over generated requests and policies.

A case is a set of faults, each of which spoils a good request in one way. What must come out is known without the
rules: a case is accepted exactly if none of its faults does harm, every refusal has its cause among the faults of its
place, and it disappears when that cause is mended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.refusal import Refusal
from provider_api.access.rules import all_refusals, first_refusal, in_order
from tests.support.provider_facts import (
    ALGORITHM_DID,
    CONSUMER,
    ENVIRONMENT_ADDRESS,
    OTHER,
    asset,
    did,
    document,
    facts,
    raw,
)

pytestmark = pytest.mark.unit

Document = dict[str, Any]
ME = [{"type": "address", "values": [CONSUMER]}]
THE_ENVIRONMENT = [{"type": "address", "values": [ENVIRONMENT_ADDRESS]}]
SOMEBODY = [{"type": "address", "values": ["0x" + "d" * 40]}]


@dataclass(frozen=True)
class Fault:
    """`spoil` changes an asset's document, `facts` what is known of it, `asked` how the request names it.

    `needs` says when it does harm: "orders", "published" or "raw" algorithm; "" always, "never" only beside others. Of
    one `group` an asset has one fault at most: the next would replace it.
    """

    name: str
    spoil: Callable[[Document], Any] = lambda document: None
    facts: tuple[tuple[str, Any], ...] = ()
    asked: tuple[tuple[str, Any], ...] = ()
    needs: str = ""
    group: str = ""


def service(**changes: Any) -> Callable[[Document], Any]:
    return lambda d: d["services"][0].update(changes)


def compute(**changes: Any) -> Callable[[Document], Any]:
    return lambda d: d["services"][0].get("compute", {}).update(changes)


def state(number: int) -> Callable[[Document], Any]:
    return lambda d: d["nft"].update(state=number)


def withheld(d: Document) -> None:
    """What an index answers about a revoked asset."""
    d["nft"].update(state=3)
    d.pop("metadata", None)
    d.pop("services")


def algorithm_section(d: Document) -> Document:
    section: Document = d.get("metadata", {}).get("algorithm", {})
    return section


def container(d: Document) -> Document:
    found: Document = algorithm_section(d).get("container", {})
    return found


def required(name: str) -> list[Document]:
    return [{"name": name, "type": "number", "required": True}]


NO_SERVICE = (("service", None), ("files", None), ("sources", None), ("digests", None), ("order", None))
OF_ANY = (
    Fault("unknown", facts=(("ddo", None), *NO_SERVICE)),
    Fault("revoked", withheld, facts=NO_SERVICE),
    Fault("disabled", state(4)),
    Fault("ended", state(1)),
    Fault("no metadata", lambda d: d.pop("metadata", None)),
    Fault("purgatory", lambda d: d.update(purgatory={"state": True})),
    Fault("not allowed", lambda d: d.update(credentials={"allow": SOMEBODY})),
    Fault("denied", lambda d: d.update(credentials={"deny": ME})),
    Fault("credentials malformed", lambda d: d.update(credentials={"allow": 5})),
    Fault("other service", asked=(("service_id", "nope"),), facts=NO_SERVICE),
    Fault("no service named", asked=(("service_id", ""),), facts=NO_SERVICE),
    Fault("foreign files", facts=(("files", None), ("sources", None), ("digests", None))),
    Fault("no order named", asked=(("transfer_tx_id", ""),), facts=(("order", None),), needs="orders"),
    Fault("order wrong", facts=(("order", None), ("order_problem", "order_expired")), needs="orders"),
    Fault("parameter", service(consumerParameters=required("year")), needs="orders"),
)
OF_DATASET = (
    Fault("no did", asked=(("document_id", ""),), facts=(("ddo", None), *NO_SERVICE)),
    Fault("other type", service(type="wss")),
    Fault("no compute", lambda d: d["services"][0].pop("compute", None)),
    Fault("sources missing", facts=(("sources", None),)),
    Fault("other publisher", compute(publisherTrustedAlgorithmPublishers=["0x" + "d" * 40]), needs="published"),
    Fault("other algorithm", compute(publisherTrustedAlgorithms=[{"did": did(77)}]), needs="published", group="list"),
    Fault(
        "entry without did",
        compute(publisherTrustedAlgorithms=[{"filesChecksum": "x"}]),
        needs="published",
        group="list",
    ),
    Fault("bare entry", compute(publisherTrustedAlgorithms=[{"did": ALGORITHM_DID}]), needs="never", group="list"),
    Fault(
        "other bytes",
        compute(
            publisherTrustedAlgorithms=[{"did": ALGORITHM_DID, "filesChecksum": "0", "containerSectionChecksum": "0"}]
        ),
        needs="published",
        group="list",
    ),
    Fault("odd rules", service(additionalInformation={"release": {"maxBytes": "few"}})),
    Fault("raw not allowed", compute(allowRawAlgorithm=False), needs="raw"),
)
OF_ALGORITHM = (
    Fault("another provider", facts=(("files", None), ("other_provider", OTHER)), needs="never"),
    Fault(
        "environment denied",
        lambda d: d.update(credentials={"deny": THE_ENVIRONMENT}),
        facts=(("files", None), ("other_provider", OTHER)),
    ),
    Fault("a dataset", lambda d: d.get("metadata", {}).update(type="dataset")),
    Fault("files away", facts=(("digests", None),)),
    Fault("no container", lambda d: d.get("metadata", {}).pop("algorithm", None)),
    Fault("no image", lambda d: container(d).pop("image", None)),
    Fault("odd checksum", lambda d: container(d).update(checksum="sha256:12")),
    Fault("custom data", lambda d: algorithm_section(d).update(consumerParameters=required("n")), needs="orders"),
)


def in_environment(f: ComputeFacts, **changes: Any) -> ComputeFacts:
    return replace(f, environment=None if f.environment is None else replace(f.environment, **changes))


def in_policy(f: ComputeFacts, **changes: Any) -> ComputeFacts:
    return replace(f, policy=f.policy.model_copy(update=changes))


def in_request(f: ComputeFacts, **changes: Any) -> ComputeFacts:
    return replace(f, request=replace(f.request, **changes))


# name: (change, when it does harm)
OF_REQUEST: dict[str, tuple[Callable[[ComputeFacts], ComputeFacts], str]] = {
    "no list": (lambda f: in_request(f, additional_invalid=True), ""),
    "too many": (lambda f: replace(f, max_datasets=0), ""),
    "other environment": (lambda f: replace(f, environment=None), ""),
    "other chain": (lambda f: in_environment(f, allowed_chains=(1,)), ""),
    "unpaid": (lambda f: in_environment(f, price_per_minute=1), "orders"),
    "output": (lambda f: in_request(f, output="{"), ""),
    "metadata": (
        lambda f: in_request(
            in_environment(f, publication_chain=1), output={"publishOutput": True, "metadata": {"name": "n", "x": 5}}
        ),
        "",
    ),
    "queue": (lambda f: replace(f, unfinished_jobs=1000), ""),
    "account": (lambda f: in_environment(replace(f, own_unfinished_jobs=5), max_jobs_per_account=5), ""),
    "meta broken": (lambda f: in_request(f, algorithm=replace(f.request.algorithm, meta_broken=True)), ""),
    "trust nobody": (lambda f: in_policy(f, trusted_lists_empty="deny"), "empty lists"),
    "checksums demanded": (lambda f: in_policy(f, require_checksums=True), "bare entry"),
    "out of time": (lambda f: replace(f, minimum_paid_seconds=10_000), "orders"),
}
RAW: dict[str, dict[str, Any]] = {
    "good": {},
    "no code": {"rawcode": ""},
    "no container": {"container": None},
    "odd image": {"container": {"entrypoint": "x", "image": "a b", "checksum": "sha256:" + "ab" * 32}},
}
CAUSES = {
    "additional_datasets_are_a_list": {"no list"},
    "not_too_many_datasets": {"too many"},
    "environment_exists": {"other environment"},
    "environment_serves_the_chains": {"other chain"},
    "algorithm_is_unambiguous": {"meta broken"},
    "algorithm_resolves": {"unknown"},
    "algorithm_is_an_algorithm": {"a dataset", "no metadata"},
    "algorithm_service_is_named": {"no service named"},
    "algorithm_is_available": {"other service", "foreign files", "files away", "no container", "no metadata"},
    "state_allows_use": {"revoked", "disabled", "ended"},
    "metadata_is_there": {"no metadata"},
    "is_not_in_purgatory": {"purgatory"},
    "consumer_is_allowed": {"not allowed", "denied", "credentials malformed"},
    "environment_is_allowed": {"environment denied", "not allowed"},
    "did_is_given": {"no did"},
    "order_is_given": {"no order named"},
    "service_is_given": {"no service named"},
    "did_resolves": {"unknown"},
    "service_exists": {"other service"},
    "service_type_is_known": {"other type"},
    "compute_section_exists": {"no compute"},
    "files_are_ours": {"foreign files", "sources missing"},
    "publisher_is_trusted": {"other publisher"},
    "algorithm_is_trusted": {"other algorithm", "entry without did", "trust nobody"},
    "algorithm_files_are_trusted": {"other bytes", "checksums demanded"},
    "algorithm_container_is_trusted": {"other bytes", "checksums demanded"},
    "raw_algorithm_is_allowed": {"raw not allowed"},
    "release_rules_are_readable": {"odd rules"},
    "parameters_fit": {"parameter"},
    "is_ordered": {"order wrong"},
    "algorithm_is_ordered": {"order wrong", "no order named"},
    "raw_algorithm_has_code": {"no code"},
    "container_is_usable": {"no image", "odd checksum", "no container", "odd image"},
    "algorithm_parameters_fit": {"parameter"},
    "algorithm_custom_data_fits": {"custom data"},
    "fee_is_paid": {"unpaid"},
    "time_is_left": {"out of time"},
    "output_is_json": {"output"},
    "asset_can_be_made": {"metadata"},
    "room_is_left": {"queue"},
    "account_has_room": {"account"},
}


def spoiled(place: str, source: Document, faults: tuple[Fault, ...]) -> AssetFacts:
    for fault in faults:
        if "services" in source:
            fault.spoil(source)
    item = asset(place, source)
    for fault in faults:
        item = replace(item, **dict(fault.facts))
        item = replace(item, request=replace(item.request, **dict(fault.asked)))
    return item


@dataclass(frozen=True)
class Case:
    """Faults of each dataset, of the algorithm (None: a raw one, `raw` says which), of the request."""

    datasets: tuple[tuple[Fault, ...], ...] = ((),)
    algorithm: tuple[Fault, ...] | None = ()
    raw: str = "good"
    request: tuple[str, ...] = ()
    with_orders: bool = True

    def facts(self) -> ComputeFacts:
        datasets = []
        for number, faults in enumerate(self.datasets):
            source = document(did(number))
            source["services"][0]["compute"]["allowRawAlgorithm"] = True
            datasets.append(spoiled(place_of(number), source, faults))
        if self.algorithm is None:
            made = facts(tuple(datasets), raw_algorithm=raw(**RAW[self.raw]))
        else:
            made = facts(tuple(datasets), spoiled("algorithm", document(ALGORITHM_DID, "algorithm"), self.algorithm))
        for name in self.request:
            made = OF_REQUEST[name][0](made)
        return replace(made, with_orders=self.with_orders)

    def is_harmed(self) -> bool:
        """Whether a start must be refused."""
        holds = {
            "": True,
            "never": False,
            "orders": self.with_orders,
            "published": self.algorithm is not None,
            "raw": self.algorithm is None,
            "bare entry": self.algorithm is not None and any("bare entry" in listed for listed in self._listed()),
            "empty lists": self.algorithm is not None and any(not listed for listed in self._listed()),
        }
        needs = [fault.needs for faults in (*self.datasets, self.algorithm or ()) for fault in faults]
        needs += [OF_REQUEST[name][1] for name in self.request]
        return any(holds[need] for need in needs) or (self.algorithm is None and self.raw != "good")

    def _listed(self) -> list[set[str]]:
        """Of each dataset, what is in its list of trusted algorithms."""
        return [{fault.name for fault in faults if fault.group == "list"} for faults in self.datasets]

    def names(self, place: str) -> set[str]:
        """Names of the faults that a refusal at this place may come from."""
        asset_faults = self._asset_faults(place)
        return (
            {fault.name for fault in asset_faults}
            | set(self.request)
            | ({self.raw} if self.algorithm is None else set())
        )

    def _asset_faults(self, place: str) -> tuple[Fault, ...]:
        for number, faults in enumerate(self.datasets):
            if place.partition(".")[0] == place_of(number):
                return faults
        return (self.algorithm or ()) if place.startswith("algorithm") else ()

    def mended(self, refusal: Refusal) -> Case:
        """Without what caused the refusal."""
        causes, place = CAUSES[refusal.rule], refusal.place.partition(".")[0]

        def without(faults: tuple[Fault, ...], concerned: bool) -> tuple[Fault, ...]:
            return tuple(fault for fault in faults if not (concerned and fault.name in causes))

        datasets = tuple(without(faults, place == place_of(n)) for n, faults in enumerate(self.datasets))
        algorithm = None if self.algorithm is None else without(self.algorithm, place == "algorithm")
        request = tuple(name for name in self.request if name not in causes)
        return replace(self, datasets=datasets, algorithm=algorithm, raw="good" if self.raw in causes else self.raw,
                       request=request)  # fmt: skip


def place_of(number: int) -> str:
    return "dataset" if number == 0 else f"datasets[{number}]"


def some(faults: tuple[Fault, ...]) -> st.SearchStrategy[tuple[Fault, ...]]:
    return st.lists(st.sampled_from(faults), max_size=3, unique_by=lambda fault: fault.group or fault.name).map(tuple)


CASES = st.builds(
    Case,
    datasets=st.lists(some(OF_ANY + OF_DATASET), min_size=1, max_size=3).map(tuple),
    algorithm=st.none() | some(OF_ANY + OF_ALGORITHM),
    raw=st.sampled_from(sorted(RAW)),
    request=st.lists(st.sampled_from(sorted(OF_REQUEST)), max_size=2, unique=True).map(tuple),
    with_orders=st.booleans(),
)
SINGLE = {
    **{f"dataset: {fault.name}": Case(datasets=((fault,),)) for fault in OF_ANY + OF_DATASET},
    **{f"second: {fault.name}": Case(datasets=((), (fault,))) for fault in OF_ANY + OF_DATASET},
    **{f"raw: {fault.name}": Case(datasets=((fault,),), algorithm=None) for fault in OF_DATASET},
    **{f"algorithm: {fault.name}": Case(algorithm=(fault,)) for fault in OF_ANY + OF_ALGORITHM},
    **{f"request: {name}": Case(request=(name,)) for name in OF_REQUEST},
    **{f"raw {name}": Case(algorithm=None, raw=name) for name in RAW},
}


def key(refusal: Refusal) -> tuple[str, str]:
    return refusal.rule, refusal.place


@settings(max_examples=300, deadline=None)
@given(CASES)
def test_a_start_and_why_not_agree(case: Case) -> None:
    judged = case.facts()
    every = all_refusals(judged)
    first = first_refusal(judged)
    assert (first is None) == (not every)
    assert first == (every[0] if every else None)
    assert bool(every) == case.is_harmed()


@settings(max_examples=300, deadline=None)
@given(CASES)
def test_every_refusal_has_a_cause_and_goes_with_it(case: Case) -> None:
    for refusal in all_refusals(case.facts()):
        assert CAUSES[refusal.rule] & case.names(refusal.place), refusal
        assert key(refusal) not in [key(other) for other in all_refusals(case.mended(refusal).facts())]


@settings(max_examples=300, deadline=None)
@given(CASES)
def test_whoever_mends_all_that_is_named_is_let_in(case: Case) -> None:
    """No refusal is hidden for ever: each round mends everything that was named, and it ends."""
    for _ in range(12):
        every = all_refusals(case.facts())
        if not every:
            assert not case.is_harmed()
            return
        for refusal in every:
            case = case.mended(refusal)
    raise AssertionError(f"still refused: {all_refusals(case.facts())}")


@pytest.mark.parametrize("name", SINGLE)
def test_a_single_fault_is_named_once(name: str) -> None:
    case = SINGLE[name]
    every = all_refusals(case.facts())
    assert bool(every) == case.is_harmed()
    assert len({refusal.place.partition(".")[0] for refusal in every}) <= 1
    for refusal in every:
        reason = refusal.reason()
        assert reason["who"] in ("consumer", "publisher", "algorithm_publisher", "operator")
        assert reason["rule"] == refusal.rule != ""


def test_every_rule_is_covered() -> None:
    """Rules that no fault here reaches have their cases in the table of `test_rules`."""
    elsewhere = {
        "algorithm_is_given",
        "is_well_formed",
        "is_no_duplicate",
        "main_service_is_compute",
        "raw_algorithm_is_available",
        "release_rules_can_be_kept",
        "held_results_make_no_asset",
    }
    named = {rule.name for rule, _ in in_order(facts())} | {
        rule.name for rule, _ in in_order(facts(raw_algorithm=raw()))
    }
    assert named == set(CAUSES) | elsewhere
    reached = {refusal.rule for case in SINGLE.values() for refusal in all_refusals(case.facts())}
    assert reached == set(CAUSES)
