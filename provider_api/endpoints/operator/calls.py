"""Who is calling, with what? Parameters, the provider's signature, its nonce.

The signature is over `owner`, the job's id where there is one, and the nonce, each as it was sent. The nonce is the
provider's clock: nanoseconds, milliseconds or seconds by its size. It must be near ours and new, or the call must be
the same as the one that used it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.requests import Request

from ocean import signing
from ocean.addresses import AddressInvalid, canonical
from provider_api.calls.fields import nonce_number
from provider_api.calls.parameters import Call, is_present, read_parameters
from provider_api.http.errors import NotOffered, Refused
from provider_api.services import Services
from provider_api.storage import nonces
from provider_api.storage.provider_calls import NonceUsed

_UNITS = ((10**16, 10**9), (10**11, 10**3), (0, 1))  # a number from here on counts so many to the second


@dataclass(frozen=True, slots=True)
class Provider:
    """A known caller."""

    name: str
    addresses: frozenset[str]  # canonical, all that sign for it
    address: str  # the one that has signed this call


async def read_call(request: Request, services: Services) -> Call:
    """The parameters of a call: the query if there is one, else the JSON body.

    Raises Refused; NotOffered where no provider is known.
    """
    if not services.settings.operator.providers:
        raise NotOffered(404)
    query = request.scope["query_string"].decode("utf-8", "replace")
    return Call(*read_parameters(query, request.headers.get("content-type", ""), await request.body()))


def require(call: Call, names: Iterable[str]) -> None:
    """The keys must be there; the first that is not is named. Raises Refused."""
    for name in names:
        if call.get(name) is None:
            raise Refused(f"{name} is missing.")


def text_of(call: Call, name: str) -> str:
    """Text, or a number's digits. Raises Refused for anything else."""
    value = call.get(name)
    if isinstance(value, bool | list | dict) or (isinstance(value, str) and "\0" in value):
        raise Refused(f"{name} must be text.")
    return call.text(name)


def filter_of(call: Call, name: str) -> str:
    """A filter; what is shorter than two characters counts as absent."""
    text = text_of(call, name)
    return text if len(text) >= 2 else ""


def address_of(text: str) -> str:
    """Canonical; "" stays "". Raises Refused."""
    try:
        return canonical(text) if text else ""
    except AddressInvalid:
        raise Refused("owner is not an address.") from None


async def require_provider(request: Request, services: Services, call: Call, job_id: str) -> Provider:
    """The provider that has signed this call.

    Raises Refused: 400 for what is no signature or nonce, 401 for one that is not good.
    """
    require(call, ("providerSignature", "nonce"))
    nonce = text_of(call, "nonce")
    if not is_present(nonce) or nonce_number("nonce", nonce, call) is not None:
        raise Refused("nonce must be a number.")
    try:
        signer = canonical(signing.recover(text_of(call, "owner") + job_id + nonce, text_of(call, "providerSignature")))
    except signing.SignatureInvalid:
        raise Refused("providerSignature is not a signature.") from None
    provider = _known(services, signer)
    if provider is None:
        raise Refused("The provider is not allowed here.", 401)
    claimed = text_of(call, "providerAddress")
    if claimed and claimed.lower() != signer:
        raise Refused("providerAddress is not the signer's.", 401)
    await _use_up(request, services, call, signer, nonce)
    return provider


def _known(services: Services, signer: str) -> Provider | None:
    for name, listed in services.settings.operator.providers.items():
        addresses = frozenset(address.lower() for address in listed)
        if signer in addresses:
            return Provider(name, addresses, signer)
    return None


async def _use_up(request: Request, services: Services, call: Call, signer: str, nonce: str) -> None:
    """Raises Refused."""
    now, window = time.time(), services.settings.operator.nonce_window_seconds
    value = nonces.number_of(nonce)
    unit = next(unit for least, unit in _UNITS if value >= least)
    if abs(float(value / unit) - now) > window:
        raise Refused("The nonce is not of this time.", 401)
    asked = {name: value for name, value in call.values.items() if name != "providerSignature"}
    content = json.dumps([request.method, request.url.path, asked], sort_keys=True, default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()
    try:
        # A nonce is accepted from `window` before its time to `window` after it.
        await services.provider_calls.admit(signer, nonces.normal_form(nonce), digest, now, 2 * window + 1)
    except NonceUsed:
        raise Refused("The nonce has been used for another request.", 401) from None
