"""GET download: a file of an ordered asset, streamed from its source. Signed, or with a token.

One request goes to the source. Its length, its range and its validators are passed on, so that a consumer sees
progress, notices a broken file and can go on where it broke (with a new nonce). The nonce is used up when the source
has answered and before the first byte is sent.
"""

from __future__ import annotations

import mimetypes
from contextlib import AsyncExitStack
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ocean import signing
from ocean.ddo import Service
from ocean.files.requests import UserdataInvalid
from ocean.outgoing import OutgoingError
from provider_api.access.assets import Asset
from provider_api.calls.fields import Field, position, required, text_value
from provider_api.calls.signature import About
from provider_api.endpoints.request import CONSUMER, NONCE, SIGNATURE, parameters_of, services_of
from provider_api.files.files import FileUnavailable, OpenFile
from provider_api.files.names import disposition
from provider_api.files.proofs import Delivery
from provider_api.http.errors import Refused
from provider_api.http.streaming import StreamedFile
from provider_api.services import Services

router = APIRouter()

FIELDS = (
    Field("documentId", (required, text_value), bail=True),
    Field("serviceId", (required, text_value)),
    CONSUMER,
    Field("transferTxId", (required, text_value), bail=True),
    Field("fileIndex", (required, position)),
    NONCE,
    SIGNATURE,
)


@router.api_route("/api/services/download", methods=["GET", "HEAD"])
async def download(request: Request) -> Response:
    given = await parameters_of(request, FIELDS)
    services = services_of(request)
    did, service_id, tx_hash = (given.text(name) for name in ("documentId", "serviceId", "transferTxId"))
    caller = await services.callers.require(
        request, given, partial(signing.download_message, did), about=About(dids=(did,))
    )
    consumer = caller.address
    await services.control.require("access", consumer, [(did, service_id)])
    asset = await services.assets.find(did)
    services.assets.require_consumable(asset, consumer)
    service = asset.service(service_id)
    await _require_kind(services, asset, service, consumer)
    await services.assets.require_order(asset, service, tx_hash, consumer)
    files, index = services.assets.files(asset, service), int(given.text("fileIndex"))
    if index >= len(files):
        raise asset.refused(f"No such fileIndex {index}")
    userdata = asset.userdata(service, given.get("userdata"))
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
            data, signature = did + given.text("nonce"), given.text("signature")
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
