"""POST fileinfo: what is known of files, of an asset or of a file object that somebody is about to publish.

It is not signed, so it must not become a way to question data that nobody may see: the source of a compute service is
asked with the publisher's own defaults, never with a stranger's parameters, whose answers would differ in length and
checksum. Nor a way to make the service call others: of a file object that nobody has published the URL alone is used,
for a GET whose body is not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from ocean import parameters
from ocean.ddo import Service
from ocean.files import File, FileObjectInvalid, parse_file
from ocean.files.registry import TYPES, described_members
from ocean.files.requests import UserdataInvalid
from provider_api.calls.fields import Field, did, one_of, required_if, required_without, text_value
from provider_api.calls.parameters import Call, as_text, is_present, plain
from provider_api.endpoints.descriptions import CHAIN_AWAY
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.request import CallDep, ServicesDep
from provider_api.http.errors import Refused
from provider_api.http.responses import json_response
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import ANY, Answer, Failure, Operation, Parameter
from provider_api.services import Services

FIELDS = (
    Field("type", (required_without("did"), one_of(*(each.type for each in TYPES)))),
    Field("did", (required_without("type"), did)),
    *(
        Field(member.name, (required_if("type", each.type),))
        for each in TYPES
        for member in each.members
        if member.demanded
    ),
    Field("serviceId", (required_without("type"), text_value)),
)
AT_ONCE = 3  # files of one request that are looked at side by side


@endpoint(
    Operation(
        "POST",
        "/api/services/fileinfo",
        "fileinfo",
        "Assets",
        "What is known of files",
        {
            200: Answer(
                "In the order of the files.",
                {"type": "array", "items": ref("FileInfo")},
                {
                    "table": [
                        {
                            "index": 0,
                            "type": "url",
                            "valid": True,
                            "contentLength": "14",
                            "contentType": "text/csv",
                            "filename": "rain.csv",
                            "checksum": "f2" * 32,
                            "checksumType": "sha256",
                        }
                    ],
                    "gone": [{"index": 0, "type": "url", "valid": False}],
                },
            )
        },
        {
            400: Failure(
                "InvalidOrRefused",
                "A parameter is missing or malformed, no such asset or service, or no file object.",
                {
                    "asset": {"error": "Cannot resolve DID"},
                    "service": {"error": "Provider Ganache: Invalid serviceId."},
                    "object": {"error": "malformed service files, missing required keys."},
                },
            ),
            503: CHAIN_AWAY,
        },
        text="Of an asset's service (`did`, `serviceId`), or of a file object that somebody is about to publish.",
        fields=FIELDS,
        parameters={
            "type": Parameter("Type of the file object.", "url"),
            "did": Parameter("The asset.", samples.DID),
            "serviceId": Parameter("`id` of the service in the DDO."),
            **{each.name: Parameter(each.text, each.example, ANY) for each in described_members()},
            "checksum": Parameter("Whether checksums are wanted.", True, ANY),
            "userdata": Parameter("Consumer parameters: an object, or its JSON text.", schema=ANY),
        },
        place="body",
        examples={
            "asset": {"did": samples.DID, "serviceId": samples.DATASET["serviceId"], "checksum": True},
            "file_object": {"type": "url", "url": "https://example.com/rain.csv", "method": "GET"},
        },
    )
)
async def fileinfo(call: CallDep, services: ServicesDep) -> Response:
    checksum = _is_wanted(call.get("checksum"))
    userdata = plain(call.get("userdata"))
    if call.text("did"):
        asset = await services.assets.find(call.text("did"))
        service = asset.service(call.text("serviceId"))
        files, publisher = services.assets.files(asset, service), asset.publisher
        userdata = _parameters(service, userdata)
    else:
        files, publisher = (_file_of(call),), None
    try:
        found = await _infos(services, files, checksum=checksum, userdata=userdata, publisher=publisher)
    except UserdataInvalid as exc:
        raise Refused(str(exc)) from None
    return json_response(found)


async def _infos(
    services: Services, files: Sequence[File], *, checksum: bool, userdata: Any, publisher: str | None
) -> list[dict[str, Any]]:
    """In the order of the files. Raises UserdataInvalid, ChainUnavailable."""
    places = asyncio.Semaphore(AT_ONCE)

    async def info(index: int, file: File) -> dict[str, Any]:
        async with places:
            return await services.files.info(file, index, checksum=checksum, userdata=userdata, publisher=publisher)

    found = await asyncio.gather(*(info(index, file) for index, file in enumerate(files)), return_exceptions=True)
    entries = []
    for one in found:
        if isinstance(one, BaseException):
            raise one
        entries.append(one)
    return entries


def _parameters(service: Service, given: Any) -> Any:
    """With the publisher's defaults, as far as that makes sense: nothing is demanded for a look."""
    wanted = None if service.type == "compute" else given
    try:
        complete = parameters.completed(service.consumer_parameters, wanted)
    except parameters.ParameterRefused:
        return wanted
    return wanted if complete is None else complete


def _file_of(call: Call) -> File:
    """Raises Refused."""
    try:
        return parse_file(plain(dict(call.values)))
    except FileObjectInvalid as exc:
        raise Refused(str(exc)) from None


def _is_wanted(value: Any) -> bool:
    """Any truthy value; the text "false" is a no here, though a yes to Ocean Provider."""
    return is_present(value) and as_text(value).strip().lower() not in ("false", "0")
