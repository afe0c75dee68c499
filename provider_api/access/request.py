"""What a consumer asks for, as plain values: datasets, algorithm, environment. Reading never fails; rules judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ocean.kit.object_or_text import TextIsNotJson, object_or_text
from provider_api.calls.parameters import Call, as_text, is_present, plain


@dataclass(frozen=True, slots=True)
class AssetRequest:
    """One asset of a job. `place` is how error answers call it: dataset, datasets[1], …, algorithm."""

    place: str
    document_id: str = ""
    service_id: str = ""
    transfer_tx_id: str = ""
    userdata: Any = None


@dataclass(frozen=True, slots=True)
class AlgorithmRequest:
    """Published (`asset`) or raw (`meta`). `meta_broken`: it was text that is no JSON object."""

    asset: AssetRequest
    meta: Mapping[str, Any] | None = None
    meta_broken: bool = False
    custom_data: Any = None

    @property
    def is_raw(self) -> bool:
        return not self.asset.document_id

    def container(self) -> Mapping[str, Any]:
        """Container section of a raw algorithm, {} if absent or malformed."""
        found = (self.meta or {}).get("container")
        return found if isinstance(found, Mapping) else {}

    def text(self, name: str) -> str:
        value = (self.meta or {}).get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class ProviderTerms:
    """What a provider says of a job that it starts here for its consumer. It has taken the fee; the order that paid it
    is the job's agreement, and `valid_until` (Unix seconds, 0: no end) is when it stops covering the job."""

    provider: str  # canonical address of the caller
    addresses: frozenset[str]  # all of that provider's, canonical
    agreement_id: str
    valid_until: int


@dataclass(frozen=True, slots=True)
class ComputeRequest:
    datasets: tuple[AssetRequest, ...]
    algorithm: AlgorithmRequest
    environment: str
    consumer: str  # canonical
    output: Any = None
    additional_invalid: bool = False
    terms: ProviderTerms | None = None  # None: the consumer asks, and pays us


def read_start(call: Call, consumer: str) -> ComputeRequest:
    """The content of a start request. `consumer` is canonical."""
    additional, invalid = _additional(call)
    main = call.get("dataset")
    datasets = [_asset("dataset", main if isinstance(main, Mapping) else {})]
    datasets += [_asset(f"datasets[{n}]", item) for n, item in enumerate(additional, start=1)]
    return ComputeRequest(
        datasets=tuple(datasets),
        algorithm=_algorithm(call),
        environment=_plain(call.get("environment")),
        consumer=consumer,
        output=plain(call.get("output")),
        additional_invalid=invalid,
    )


def read_quote(call: Call, consumer: str) -> ComputeRequest:
    """The content of a request for quotes; the shape of `datasets` has been validated."""
    items = call.get("datasets")
    datasets = [_asset("dataset" if n == 0 else f"datasets[{n}]", item) for n, item in enumerate(items)]
    return ComputeRequest(
        datasets=tuple(datasets),
        algorithm=_algorithm(call),
        environment=_plain(call.get("compute.env")),
        consumer=consumer,
    )


def read_why_not(call: Call, consumer: str) -> ComputeRequest:
    """The same, with the environment also where a start names it, and the output section of a start."""
    quote = read_quote(call, consumer)
    environment = _plain(call.get("environment")) or quote.environment
    return replace(quote, environment=environment, output=plain(call.get("output")))


def _additional(call: Call) -> tuple[list[Mapping[str, Any]], bool]:
    """Further datasets. ocean.py's name for them is `additionalInputs`. Anything empty means none."""
    found = call.get("additionalDatasets") or call.get("additionalInputs")
    if not found:
        return [], False
    if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
        return [], True
    return list(found), False


def _asset(place: str, item: Mapping[str, Any]) -> AssetRequest:
    return AssetRequest(
        place=place,
        document_id=_plain(item.get("documentId")),
        service_id=_plain(item.get("serviceId")),
        transfer_tx_id=_plain(item.get("transferTxId")),
        userdata=plain(item.get("userdata")),
    )


def _algorithm(call: Call) -> AlgorithmRequest:
    found = call.get("algorithm")
    item: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    # Ocean Provider reads user data from `algouserdata`, its documentation and clients say `userdata`.
    userdata = item.get("userdata") if item.get("userdata") is not None else item.get("algouserdata")
    asset = _asset("algorithm", {**item, "userdata": userdata})
    custom_data = plain(item.get("algocustomdata"))
    try:
        meta = object_or_text(plain(item.get("meta")))
    except TextIsNotJson:
        return AlgorithmRequest(asset, meta_broken=True)
    if not is_present(meta) or isinstance(meta, bool):
        return AlgorithmRequest(asset, custom_data=custom_data)
    if not isinstance(meta, Mapping):
        return AlgorithmRequest(asset, meta_broken=True)
    return AlgorithmRequest(asset, meta, custom_data=custom_data)


def _plain(value: Any) -> str:
    """An identifier as text: numbers stand for their digits, anything else is no identifier."""
    if value is None or isinstance(value, bool | dict | list):
        return ""
    return as_text(value)
