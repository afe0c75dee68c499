"""What the two calls about a running job have in common: who looks, at which job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from starlette.requests import Request

from argo.client.records import Workflow
from ocean import signing
from provider_api.calls.fields import Field, address, nonce_number, required_with_all, text_value
from provider_api.calls.parameters import Call
from provider_api.calls.session import SESSION_COOKIE
from provider_api.calls.signature import Caller, Signed, signature_or_token
from provider_api.endpoints.descriptions import CONSUMER_PARAMETER, NONCE_PARAMETER, away, signature, signed
from provider_api.endpoints.request import SIGNED, read_call
from provider_api.http.errors import Refused
from provider_api.http.protocol import connection_of
from provider_api.jobs.live.hub import Hub
from provider_api.jobs.records import JOB_ID
from provider_api.openapi import samples
from provider_api.openapi.operation import Failure, Parameter
from provider_api.services import Services

_WITH_SIGNATURE: Final = required_with_all("signature")
FIELDS: Final = (
    Field("consumerAddress", (_WITH_SIGNATURE, address), bail=True),
    Field("nonce", (_WITH_SIGNATURE, nonce_number), bail=True),
    Field("signature", (signature_or_token, text_value), bail=True, wanted=SIGNED),
)
PARAMETERS: Final = {
    "consumerAddress": CONSUMER_PARAMETER,
    "nonce": NONCE_PARAMETER,
    "signature": signature('"live" + consumerAddress + jobId + nonce'),
}
PATH: Final = {"jobId": Parameter("The job.", samples.JOB)}
TOKENS: Final = {
    "AuthToken": Parameter(
        "A token of `createAuthToken`, instead of `signature`, `nonce` and `consumerAddress`: then the request may be"
        " repeated as it is."
    ),
    "Cookie": Parameter(f"`{SESSION_COOKIE}`, with such a token: the session of a page of this service."),
}
FAILURES: Final = {
    400: signed("signature"),
    404: Failure(
        "Refusal",
        "No such job, or none of this account.",
        {"job": {"error": f"No job {samples.JOB} of this account"}},
    ),
    429: Failure(
        "Unavailable",
        "The account watches as many jobs as one may, or more is asked without a good signature than is spent on it.",
        {"viewers": {"context": None, "error": "Your account watches as many jobs at once as one may."}},
        {"Retry-After": "Seconds to wait."},
    ),
    503: away("As many jobs are being watched here as can be."),
}


@dataclass(frozen=True, slots=True)
class Look:
    """A proven look of an owner at his job. The nonce is not used up yet."""

    services: Services
    call: Call
    caller: Caller
    job_id: str
    workflow: Workflow | None  # None: it is being looked at already, and need not be read

    @contextmanager
    def viewing(self) -> Iterator[Hub]:
        """Raises TooMuchAsked, NeighbourAway."""
        with self.services.live.viewing(self.job_id, self.workflow) as hub:
            yield hub

    async def use_up(self) -> None:
        """After all that may refuse the look. Raises InvalidRequest."""
        await self.services.callers.use_up(self.caller)

    def glance(self) -> Hub:
        """Raises NeighbourAway."""
        return self.services.live.glance(self.job_id, self.workflow)


async def read_look(request: Request, services: Services, fields: Sequence[Field] = FIELDS) -> Look:
    """Raises InvalidRequest, Refused (404), ArgoError."""
    job_id = request.path_params["jobId"]
    call = await read_call(request, fields, session=True)
    message = partial(signing.live_message, call.text("consumerAddress"), job_id)
    caller = await services.callers.require_viewer(call, Signed(message))
    workflow = await _find(services, caller, job_id)
    if (connection := connection_of(request.scope)) is not None:
        services.live.close_with(connection.closing)
    return Look(services, call, caller, job_id, workflow)


async def _find(services: Services, caller: Caller, job_id: str) -> Workflow | None:
    """One answer for a job that is not there and for one of somebody else. Raises Refused (404)."""
    if services.live.known(job_id, caller.address):
        return None
    workflow = await services.reader.find(caller.address, job_id, may_lag=True) if JOB_ID.fullmatch(job_id) else None
    if workflow is None:
        raise Refused(f"No job {job_id[:64]} of this account", 404)
    return workflow
