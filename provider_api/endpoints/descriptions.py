"""What the descriptions of many endpoints have in common: parameters, signatures, failures."""

from __future__ import annotations

from typing import Any, Final

from provider_api.openapi import samples
from provider_api.openapi.operation import STRING, Failure, Parameter

NONCE_TEXT: Final = (
    "A decimal number, greater than every one that the account has used here. A request that is refused for another"
    " reason leaves it unused."
)
CONSUMER_PARAMETER: Final = Parameter("The account that the request speaks for.", samples.CONSUMER)
NONCE_PARAMETER: Final = Parameter(NONCE_TEXT, samples.NONCE)
USERDATA_PARAMETER: Final = Parameter("Consumer parameters, an object as JSON text.", '{"unit":"mm"}', STRING)
AUTH_TOKEN: Final = {
    "AuthToken": Parameter("A token of `createAuthToken`, instead of `signature`. A signature that is sent wins.")
}


def signature(message: str, *, token: bool = True) -> Parameter:
    """The signature over a message; `token`: whether a token may stand for it."""
    instead = " Or a token in the header `AuthToken`." if token else ""
    return Parameter(f"Over `{message}`, see the introduction.{instead}", samples.SIGNATURE)


def missing(name: str) -> dict[str, Any]:
    """The error for a required field that is not there."""
    return _invalid({name: [f"The {name} field is required."]})


def _invalid(errors: dict[str, Any]) -> dict[str, Any]:
    return {"errors": errors, "message": "Validation error", "success": False}


STALE: Final = _invalid({"signature": "Invalid signature expected nonce (58) > current nonce (58)."})


def invalid(name: str) -> Failure:
    """400 of an endpoint that only validates its parameters."""
    return Failure("InvalidOrRefused", "A parameter is missing or malformed.", {"missing": missing(name)})


def signed(name: str, **refusals: Any) -> Failure:
    """400 of a signed endpoint; keywords are further examples."""
    examples = {"missing": missing(name), "stale_nonce": STALE, **refusals}
    return Failure("InvalidOrRefused", "Parameters, signature or nonce are not good, or a check said no.", examples)


def away(text: str, then: str = "Nothing was changed; send the same request again.") -> Failure:
    """503, and what is to be done about it."""
    example = {"context": None, "error": text}
    return Failure(
        "Unavailable",
        f"A neighbour does not answer. {then}",
        {"away": example},
        {"Retry-After": "Seconds to wait."},
    )


CHAIN_AWAY: Final = away("The blockchain node does not answer at the moment.")
COMPUTE_AWAY: Final = away("The compute service does not answer at the moment.")
ARGO_FAILED: Final = Failure(
    "Unavailable",
    "The compute service refused a request of ours.",
    {"failed": {"context": None, "error": "The compute service refused a request of ours."}},
)
COMPUTE_FAILURES: Final = {502: ARGO_FAILED, 503: COMPUTE_AWAY}
