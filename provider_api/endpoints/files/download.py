"""GET download: a file of an ordered asset, streamed from its source. Signed, or with a token.

One request goes to the source. Its length, its range and its validators are passed on, so that a consumer sees
progress, notices a broken file and can go on where it broke (with a new nonce). The nonce is used up when the source
has answered and before the first byte is sent.
"""

from __future__ import annotations

import mimetypes
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ocean import signing
from ocean.ddo import Service
from ocean.files.requests import UserdataInvalid
from ocean.outgoing import OutgoingError
from provider_api.access.assets import Asset
from provider_api.calls.fields import Field, position, required, text_value
from provider_api.calls.signature import Signed
from provider_api.endpoints.descriptions import (
    AUTH_TOKEN,
    CHAIN_AWAY,
    CONSUMER_PARAMETER,
    NONCE_PARAMETER,
    USERDATA_PARAMETER,
    signature,
    signed,
)
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.request import CONSUMER, NONCE, SIGNATURE, CallDep, ServicesDep
from provider_api.files.files import FileUnavailable, OpenFile
from provider_api.files.names import disposition
from provider_api.files.proofs import Delivery
from provider_api.http.errors import Refused
from provider_api.http.streaming import StreamedFile
from provider_api.openapi import samples
from provider_api.openapi.operation import ANY, STRING, Answer, Operation, Parameter
from provider_api.services import Services

FIELDS = (
    Field("documentId", (required, text_value), bail=True),
    Field("serviceId", (required, text_value)),
    CONSUMER,
    Field("transferTxId", (required, text_value), bail=True),
    Field("fileIndex", (required, position)),
    NONCE,
    SIGNATURE,
)

_UNREACHABLE: Final = {
    "error": "Provider Ganache: Asset URL not found, not available or invalid. File 0: outgoing request failed:"
    " status 404."
}


@endpoint(
    Operation(
        "GET",
        "/api/services/download",
        "download",
        "Assets",
        "A file of an ordered asset",
        {
            200: Answer(
                "The file, streamed from its source.",
                ANY,
                media="*/*",
                headers={
                    "Content-Disposition": "`attachment;filename=NAME`",
                    "Content-Length": "If the source tells it. Without it the answer is chunked.",
                    "ETag": "The source's.",
                    "Accept-Ranges": "The source's.",
                },
            ),
            206: Answer("The part that was asked for.", ANY, media="*/*", headers={"Content-Range": "Which part."}),
            416: Answer("There is no such part.", headers={"Content-Range": "The source's."}),
        },
        {
            400: signed(
                "documentId",
                order={
                    "error": f"Provider Ganache: Order with tx_id {samples.TX} could not be validated due to error: The"
                    " order has expired."
                },
                index={"error": "Provider Ganache: No such fileIndex 7"},
                unreachable=_UNREACHABLE,
            ),
            503: CHAIN_AWAY,
        },
        text="An answer that ends before its length, or without its last chunk, is not the whole file: the source broke"
        " off. `Range` goes on from there, with a new nonce.",
        fields=FIELDS,
        parameters={
            "documentId": Parameter("DID.", samples.DID),
            "serviceId": Parameter("`id` of the service in the DDO.", "access-1"),
            "consumerAddress": CONSUMER_PARAMETER,
            "transferTxId": Parameter("The order.", samples.TX),
            "fileIndex": Parameter("Position in the list of files.", "0"),
            "nonce": NONCE_PARAMETER,
            "signature": signature("documentId + nonce"),
            "userdata": USERDATA_PARAMETER,
        },
        request_headers={
            "Range": Parameter("One part of the file, `bytes=0-1023`; the source decides.", schema=STRING),
            "If-Range": Parameter("Only if the file still has this ETag; else the whole.", schema=STRING),
            **AUTH_TOKEN,
        },
    )
)
async def download(request: Request, call: CallDep, services: ServicesDep) -> Response:
    did, service_id, tx_hash = (call.text(name) for name in ("documentId", "serviceId", "transferTxId"))
    caller = await services.callers.require(call, Signed(partial(signing.download_message, did), dids=(did,)))
    consumer = caller.address
    await services.control.require("access", consumer, [(did, service_id)])
    asset = await services.assets.find(did)
    services.assets.require_consumable(asset, consumer)
    service = asset.service(service_id)
    await _require_kind(services, asset, service, consumer)
    await services.assets.require_order(asset, service, tx_hash, consumer)
    files, index = services.assets.files(asset, service), int(call.text("fileIndex"))
    if index >= len(files):
        raise asset.refused(f"No such fileIndex {index}")
    userdata = asset.userdata(service, call.get("userdata"))
    wanted = {name: value for name in ("range", "if-range") if (value := request.headers.get(name))}
    async with AsyncExitStack() as stack:
        try:
            opened = await stack.enter_async_context(
                services.files.open(files[index], publisher=asset.publisher, userdata=userdata, wanted=wanted)
            )
        except UserdataInvalid as exc:
            raise Refused(str(exc)) from None
        except (FileUnavailable, OutgoingError) as exc:
            raise asset.refused(f"Asset URL not found, not available or invalid. File {index}: {_cause(exc)}") from None
        await services.callers.use_up(caller)

        def finished(sent: int) -> None:
            data, signature = did + call.text("nonce"), call.text("signature")
            services.proofs.download_finished(
                Delivery(tx_hash, did, service_id, index, sent, consumer, data, signature)
            )

        return StreamedFile(opened.chunks(), opened.status, _headers(opened), opened=stack.pop_all(), finished=finished)


async def _require_kind(services: Services, asset: Asset, service: Service, consumer: str) -> None:
    """Files of compute services are for the pods of environments only. Raises Refused, ArgoError."""
    if service.type == "access":
        return
    if service.type == "compute" and await services.environments.is_consumer_address(consumer):
        return
    raise asset.refused(f"Service with index={service.id} is not an access service.")


def _headers(opened: OpenFile) -> dict[str, str]:
    """The source's own headers, a file name that is safe, and a type where the source tells none."""
    headers = {name.title(): value for name, value in opened.headers.items()}
    headers["Content-Disposition"] = disposition(opened.filename)
    headers["X-Content-Type-Options"] = "nosniff"  # the bytes are a stranger's
    if "Content-Type" not in headers:
        headers["Content-Type"] = mimetypes.guess_type(opened.filename)[0] or "application/octet-stream"
    return headers


def _cause(exc: Exception) -> str:
    """Shows no address."""
    return f"{exc}."
