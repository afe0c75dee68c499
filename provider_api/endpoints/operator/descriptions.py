"""What the descriptions of the Operator-Service API have in common."""

from __future__ import annotations

from typing import Final

from provider_api.openapi import samples
from provider_api.openapi.operation import ANY, Failure, Parameter

TAG: Final = "Operator-Service"
_OFF: Final = {"context": None, "error": "404 Not Found: The requested URL was not found on the server."}
BAD: Final = Failure("Refusal", "A parameter, or what a check said.", {"missing": {"error": "nonce is missing."}})
NOT_GOOD: Final = Failure(
    "Refusal",
    "Not from a known provider, or a nonce that is not good.",
    {"who": {"error": "The provider is not allowed here."}},
)
NOT_THERE: Final = Failure("OperatorAbsent", "No provider is known here, or there is no such thing.", {"off": _OFF})
AWAY: Final = Failure(
    "Refusal",
    "A neighbour of the service is away. Never 502 to 504, after which a provider repeats by itself.",
    {"away": {"error": "A neighbour of the service does not answer at the moment."}},
)
SIGNED: Final = {400: BAD, 401: NOT_GOOD, 404: NOT_THERE, 500: AWAY}
ADMIN: Final = {"Admin": Parameter("One of the operator's secrets.")}
_NONCE: Final = Parameter("The provider's clock: nanoseconds, milliseconds or seconds.", "1795405424715548897", ANY)
OWNER: Final = Parameter("The consumer.", samples.CONSUMER, ANY)
JOB_ID: Final = Parameter("The job.", samples.JOB, ANY)
_ADDRESS: Final = Parameter("If given, the signer.", samples.PROVIDER, ANY)
JOB_IN_QUERY: Final = {"jobId": JOB_ID}


def proof(message: str) -> dict[str, Parameter]:
    return {
        "providerSignature": Parameter(f"Over `{message}`, see the introduction.", samples.SIGNATURE, ANY),
        "nonce": _NONCE,
        "providerAddress": _ADDRESS,
    }
