"""GET initialize: what a consumer must still order before a download, with a fee quote. Not signed."""

from __future__ import annotations

import json
import time

from starlette.responses import Response

from ocean import fees, parameters
from ocean.chain.orders import OrderInvalid
from ocean.ddo import Service
from ocean.files.requests import UserdataInvalid
from provider_api.access.assets import Asset
from provider_api.calls.fields import Field, address, position, required, text_value
from provider_api.calls.parameters import Call, is_present, plain
from provider_api.endpoints.descriptions import CHAIN_AWAY, CONSUMER_PARAMETER, USERDATA_PARAMETER
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.request import CallDep, ServicesDep, consumer_of
from provider_api.http.errors import Refused
from provider_api.http.responses import json_response
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import Answer, Failure, Operation, Parameter
from provider_api.services import Services

FIELDS = (
    Field("documentId", (required, text_value)),
    Field("serviceId", (required, text_value)),
    Field("consumerAddress", (required, address)),
    Field("fileIndex", (position,)),
    Field("transferTxId", (text_value,)),
)


@endpoint(
    Operation(
        "GET",
        "/api/services/initialize",
        "initialize",
        "Assets",
        "What to order for a download",
        {
            200: Answer(
                "A quote, or the good order.",
                ref("AccessQuote"),
                {
                    "to_order": {"datatoken": samples.DATATOKEN, "nonce": samples.NONCE, "providerFee": samples.fee()},
                    "ordered": {"validOrder": samples.TX},
                },
            )
        },
        {
            400: Failure(
                "InvalidOrRefused",
                "A parameter is missing or malformed, or the consumer cannot have the asset.",
                {
                    "asset": {"error": "Cannot resolve DID"},
                    "state": {"error": "Provider Ganache: Asset is not consumable."},
                    "compute": {
                        "error": "Provider Ganache: Use the initializeCompute endpoint to initialize compute jobs."
                    },
                },
            ),
            503: CHAIN_AWAY,
        },
        text="Not signed. Downloads cost no provider fee.",
        fields=FIELDS,
        parameters={
            "documentId": Parameter("DID.", samples.DID),
            "serviceId": Parameter("`id` of the service in the DDO.", "access-1"),
            "consumerAddress": CONSUMER_PARAMETER,
            "fileIndex": Parameter("If given, the file must be there.", "0"),
            "transferTxId": Parameter("An order that may still be good.", samples.TX),
            "userdata": USERDATA_PARAMETER,
            "environment": Parameter("Ignored."),
            "validUntil": Parameter("Ignored."),
        },
    )
)
async def initialize(call: CallDep, services: ServicesDep) -> Response:
    consumer = consumer_of(call)
    did, service_id, tx_hash = (call.text(name) for name in ("documentId", "serviceId", "transferTxId"))
    await services.control.require("initialize", consumer, [(did, service_id)])
    asset = await services.assets.find(did)
    services.assets.require_consumable(asset, consumer)
    service = asset.service(service_id)
    if service.type == "compute":
        raise asset.refused("Use the initializeCompute endpoint to initialize compute jobs.")
    if tx_hash:
        try:
            order = await services.assets.order(asset, service, tx_hash, consumer)
        except OrderInvalid:
            pass  # then a new one is needed
        else:
            return json_response({"validOrder": order.tx_hash})
    await _check_file(services, asset, service, call)
    quote = fees.make_quote(
        services.keys.private_key,
        environment=None,
        datatoken=service.datatoken_address,
        service_id=service.id,
        fee_token=asset.chain.fee_token,
        amount=0,
        valid_until=0,
        now=time.time(),
    )
    nonce = await services.nonces.find(consumer)
    return json_response({"datatoken": service.datatoken_address, "nonce": nonce, "providerFee": quote.to_json()})


async def _check_file(services: Services, asset: Asset, service: Service, call: Call) -> None:
    """If a file is named: nobody should pay for one that cannot be had. One that needs parameters, which portals send
    with the download only, is not looked at without them. Raises Refused."""
    userdata = plain(call.get("userdata"))
    if not is_present(call.get("fileIndex")):
        return
    index, files = int(call.text("fileIndex")), services.assets.files(asset, service)
    if index >= len(files):
        raise asset.refused(f"No such fileIndex {index}")
    if any(problem.problem == "missing" for problem in parameters.problems(service.consumer_parameters, userdata)):
        return
    values = asset.userdata(service, userdata)
    try:
        found = await services.files.info(files[index], index, userdata=values, publisher=asset.publisher)
    except UserdataInvalid as exc:
        if not is_present(userdata):
            return
        raise Refused(str(exc)) from None
    if not found["valid"]:
        payload = json.dumps({"documentId": asset.ddo.id, "fileIndex": index, "serviceId": service.id})
        raise asset.refused(f"Asset URL not found, not available or invalid. Payload was: {payload}")
