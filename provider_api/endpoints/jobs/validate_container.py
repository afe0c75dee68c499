"""POST validateContainer: would a start take this container? The same rule answers; no image registry is asked."""

from __future__ import annotations

from starlette.responses import Response

from provider_api.access.image import AlgorithmContainer, problem
from provider_api.calls.parameters import plain
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.request import CallDep
from provider_api.http.errors import Refused
from provider_api.http.responses import json_response
from provider_api.openapi import samples
from provider_api.openapi.operation import ANY, STRING, Answer, Failure, Operation, Parameter


@endpoint(
    Operation(
        "POST",
        "/api/services/validateContainer",
        "validateContainer",
        "Compute",
        "Would a start take this container?",
        {200: Answer("The container, as it was sent.", {"type": "object"}, {"container": samples.CONTAINER})},
        {
            400: Failure(
                "Refusal",
                "It would not, and why.",
                {
                    "missing": {"error": "missing_entrypoint_image_checksum"},
                    "prefix": {"error": "checksum_prefix"},
                },
            )
        },
        text="The image registry is not asked.",
        parameters={
            "entrypoint": Parameter("Command, with `$ALGO` for the algorithm's file.", "python $ALGO", STRING, True),
            "image": Parameter("Name of the image, without tag.", "python", STRING, True),
            "tag": Parameter("Ignored: the checksum names the image.", "3", ANY),
            "checksum": Parameter("`sha256:` and 64 hexadecimal digits.", samples.CHECKSUM, STRING, True),
        },
        place="body",
        examples={"container": samples.CONTAINER},
    )
)
async def validate_container(call: CallDep) -> Response:
    texts = (value if isinstance(value := call.get(name), str) else "" for name in ("entrypoint", "image", "checksum"))
    if (code := problem(AlgorithmContainer(*texts))) is not None:
        raise Refused(code)
    return json_response(plain(dict(call.values)))
