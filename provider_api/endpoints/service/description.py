"""The service itself: root document, health, its description; nonces and tokens of accounts."""

from __future__ import annotations

from typing import Final

from provider_api.endpoints.descriptions import NONCE, invalid, signature, signed
from provider_api.endpoints.service import auth, nonce
from provider_api.endpoints.service.root import ENDPOINTS, VERSION
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import Answer, Operation, Parameter

_ROOT: Final = {
    "chainIds": [8996],
    "providerAddresses": {"8996": samples.PROVIDER},
    "serviceEndpoints": ENDPOINTS,
    "software": "Provider",
    "version": VERSION,
}
_ADDRESS: Final = Parameter("The account.", samples.CONSUMER)

OPERATIONS: Final = (
    Operation(
        "GET",
        "/",
        "root",
        "Service",
        "Which endpoints there are",
        {200: Answer("The endpoints.", ref("Root"), {"root": _ROOT})},
        text="Clients take method and path of every call from here.",
    ),
    Operation(
        "GET",
        "/health/live",
        "live",
        "Service",
        "The process answers",
        {200: Answer("It does.", ref("Health"), {"ok": {"status": "ok"}})},
    ),
    Operation(
        "GET",
        "/health/ready",
        "ready",
        "Service",
        "Database, Argo and every chain answer, and all assets are up to date, as known some seconds ago",
        {
            200: Answer(
                "All do.",
                ref("Health"),
                {"ok": {"checks": {"argo": "ok", "chain 8996": "ok", "storage": "ok"}, "status": "ok"}},
            ),
            503: Answer(
                "One does not.",
                ref("Health"),
                {
                    "away": {
                        "checks": {"argo": "unavailable", "chain 8996": "ok", "storage": "ok"},
                        "status": "unavailable",
                    }
                },
            ),
        },
    ),
    Operation(
        "GET",
        "/spec",
        "spec",
        "Service",
        "This description",
        {200: Answer("OpenAPI 3.1.", {"type": "object", "required": ["openapi", "info", "paths"]})},
    ),
    Operation(
        "GET",
        "/api/docs/",
        "docs",
        "Service",
        "This description, for people",
        {200: Answer("A page without scripts.", {"type": "string"}, media="text/html")},
    ),
    Operation(
        "GET",
        "/api/services/nonce",
        "nonce",
        "Accounts",
        "The last nonce of an account",
        {
            200: Answer(
                "A number where JavaScript holds it exactly, else the text that was sent; 1 for an account that has"
                " used none.",
                {"type": "object", "properties": {"nonce": {"type": ["number", "string"]}}, "required": ["nonce"]},
                {"known": {"nonce": 57}, "new": {"nonce": 1}, "clock": {"nonce": "1795405424715548897"}},
            )
        },
        {400: invalid("userAddress")},
        text="Changes nothing. The next signed request must have a greater one.",
        fields=nonce.FIELDS,
        parameters={"userAddress": _ADDRESS},
    ),
    Operation(
        "GET",
        "/api/services/createAuthToken",
        "create_auth_token",
        "Accounts",
        "A token that stands for signatures",
        {
            200: Answer(
                "A compact JWS; the same address and expiration give the same token.",
                {"type": "object", "properties": {"token": {"type": "string"}}, "required": ["token"]},
                {"token": {"token": samples.TOKEN}},
            )
        },
        {400: signed("address")},
        text="For `decrypt`, `download`, `computeResult` and `compute`, in the header `AuthToken`. Nonces stay required"
        " there. A token that was deactivated comes back to life when it is created again.",
        fields=auth.create_fields(0),
        parameters={
            "address": _ADDRESS,
            "expiration": Parameter(
                "Unix seconds, not further away than the service allows.", str(samples.MOMENT + 3600)
            ),
            "nonce": NONCE,
            "signature": signature("address + nonce", token=False),
        },
    ),
    Operation(
        "DELETE",
        "/api/services/deleteAuthToken",
        "delete_auth_token",
        "Accounts",
        "Take a token out of use",
        {
            200: Answer(
                "It is.",
                {"type": "object", "properties": {"success": {"type": "string"}}, "required": ["success"]},
                {"done": {"success": "Token has been deactivated."}},
            )
        },
        {400: signed("address", expired={"error": "Token is expired."}, invalid={"error": "Token is invalid."})},
        fields=auth.DELETE,
        parameters={
            "address": _ADDRESS,
            "token": Parameter("The token.", samples.TOKEN),
            "nonce": NONCE,
            "signature": signature("address + nonce", token=False),
        },
    ),
    Operation(
        "DELETE",
        "/api/v1/auth-tokens",
        "delete_all_auth_tokens",
        "Accounts",
        "Take all tokens of an account out of use",
        {
            200: Answer(
                "They are, whoever has them. Tokens that are made from now on are other ones.",
                {"type": "object", "properties": {"success": {"type": "string"}}, "required": ["success"]},
                {"done": {"success": "All tokens have been deactivated."}},
            )
        },
        {400: signed("address")},
        text="An addition of this service.",
        fields=auth.DELETE_ALL,
        parameters={
            "address": _ADDRESS,
            "nonce": NONCE,
            "signature": signature("address + nonce", token=False),
        },
    ),
)
