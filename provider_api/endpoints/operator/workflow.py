"""A provider's workflow document as a request for a job.

One stage with `input`, `algorithm`, `compute` and `output`; what its constants say of resources and time is not read,
the environment decides. Nothing in the document is signed, so every value is judged like a stranger's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocean.chain.orders import OrderInvalid, normal_hash
from provider_api.access.request import AlgorithmRequest, AssetRequest, ComputeRequest, ProviderTerms
from provider_api.calls.parameters import as_text, plain
from provider_api.http.errors import Refused

_PARTS = ("algorithm", "compute", "input", "output")


def stage_of(workflow: Any) -> Mapping[str, Any]:
    """The one stage. Raises Refused."""
    stages = workflow.get("stages") if isinstance(workflow, Mapping) else None
    if not isinstance(stages, list) or not stages:
        raise Refused("The workflow has no stages.")
    if len(stages) > 1:
        raise Refused("The workflow has more than one stage.")
    stage = stages[0]
    for part in _PARTS:
        if not isinstance(stage, Mapping) or part not in stage:
            raise Refused(f"The stage has no {part}.")
    return dict(stage)


def job_request(stage: Mapping[str, Any], consumer: str, environment: str, terms: ProviderTerms) -> ComputeRequest:
    """What the stage asks for. Raises Refused for what is no reference to an asset, or no order of these."""
    inputs, algorithm = stage["input"], stage["algorithm"]
    if not isinstance(inputs, list) or not inputs or not isinstance(algorithm, Mapping):
        raise Refused("input must be a list with something in it, algorithm an object.")
    datasets = tuple(_asset("dataset" if n == 0 else f"datasets[{n}]", item) for n, item in enumerate(inputs))
    output = plain(stage["output"]) if isinstance(stage["output"], Mapping) else None
    request = ComputeRequest(datasets, _algorithm(algorithm), environment, consumer, output, terms=terms)
    orders = [asset.transfer_tx_id for asset in (*datasets, request.algorithm.asset)]
    if terms.agreement_id not in [_normal(order) for order in orders if order]:
        raise Refused("agreementId is none of the workflow's orders.")
    return request


def agreement_of(text: str) -> str:
    """The transaction hash that an agreement id is. Raises Refused."""
    found = _normal(text)
    if found is None:
        raise Refused("agreementId is not a transaction hash.")
    return found


def _normal(text: str) -> str | None:
    try:
        return normal_hash(text)
    except OrderInvalid:
        return None


def _asset(place: str, item: Any) -> AssetRequest:
    remote = item.get("remote") if isinstance(item, Mapping) else None
    if not isinstance(remote, Mapping):
        raise Refused({f"{place}": "remote_missing"})  # a bare URL has no order that could be verified
    return AssetRequest(
        place=place,
        document_id=_text(item.get("id")),
        service_id=_text(remote.get("serviceId")),
        transfer_tx_id=_text(remote.get("txId")),
        userdata=plain(_first(remote, "algouserdata", "userdata", "userData")),
    )


def _algorithm(item: Mapping[str, Any]) -> AlgorithmRequest:
    """With a DID it is published; `rawcode` and `url` beside it are empty then. User data have four spellings."""
    custom_data = plain(item.get("algocustomdata"))
    if did := _text(item.get("id")):
        asset = _asset("algorithm", {**item, "id": did})
        if asset.userdata is None:
            asset = AssetRequest(
                asset.place, did, asset.service_id, asset.transfer_tx_id, plain(item.get("algouserdata"))
            )
        return AlgorithmRequest(asset, custom_data=custom_data)
    meta = {name: item[name] for name in ("rawcode", "url", "container") if item.get(name) is not None}
    return AlgorithmRequest(AssetRequest("algorithm"), plain(meta), custom_data=custom_data)


def _first(values: Mapping[str, Any], *names: str) -> Any:
    return next((values[name] for name in names if values.get(name) is not None), None)


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, bool | dict | list) else as_text(value)
