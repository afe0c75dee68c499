"""What stop and delete have in common: who asks, for which job."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from starlette.requests import Request

from ocean import signing
from provider_api.calls.fields import (
    Field,
    job_id,
    nonce_number,
    only_with_job,
    required_without,
    text_value,
    whole_did,
)
from provider_api.calls.signature import Caller, Signed, signature_or_token
from provider_api.endpoints.descriptions import CONSUMER_PARAMETER, NONCE_PARAMETER, signature
from provider_api.endpoints.request import CONSUMER, NONCE, SIGNED, read_call
from provider_api.openapi import samples
from provider_api.openapi.operation import Parameter
from provider_api.services import Services

_REST = (
    Field("signature", (signature_or_token, text_value), wanted=SIGNED),
    Field("jobId", (job_id,)),
    Field("documentId", (whole_did, only_with_job)),
)
FIELDS = (CONSUMER, NONCE, *_REST)
TOLERANT = (CONSUMER, Field("nonce", (required_without("jobId"), nonce_number), bail=True), *_REST)


def job_parameters(job: str) -> dict[str, Parameter]:
    """The description of what is sent; `job`: that of the job's id."""
    return {
        "consumerAddress": CONSUMER_PARAMETER,
        "jobId": Parameter(job, samples.JOB),
        "documentId": Parameter("Part of the signed message beside a `jobId`, otherwise ignored."),
        "nonce": NONCE_PARAMETER,
        "signature": signature("consumerAddress + jobId + documentId + nonce"),
    }


@dataclass(frozen=True, slots=True)
class JobCall:
    caller: Caller
    job_id: str  # "": all jobs of the caller


async def read_job_call(request: Request, services: Services, *, may_sign_no_nonce: bool) -> JobCall:
    """A proven request that access control allows. The caller's nonce is not used up yet. Raises InvalidRequest,
    NeighbourAway.

    `may_sign_no_nonce`: what such a request does may be repeated by whoever has seen it (a stop, but no deletion).
    Counts only for one named job, and only with the setting for it.
    """
    tolerant = services.settings.policy.tolerate_missing_nonce
    call = await read_call(request, TOLERANT if tolerant else FIELDS)
    owner, job, document = call.text("consumerAddress"), call.text("jobId"), call.text("documentId")
    signed = Signed(partial(signing.job_message, owner, job, document))
    if tolerant and job:
        caller = await services.callers.require_with_lost_nonce(call, signed, may_sign_none=may_sign_no_nonce)
    else:
        caller = await services.callers.require(call, signed)
    await services.control.require("compute", caller.address)
    return JobCall(caller, job)
