"""The Operator-Service API, for Ocean Providers that use this service as their operator."""

from __future__ import annotations

from typing import Any, Final

from provider_api.http.paths import OPERATOR
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import TEXT, Answer, Failure, Operation, Parameter

_TAG: Final = "Operator-Service"
_ANY: Final[dict[str, Any]] = {}
_OFF: Final = {"context": None, "error": "404 Not Found: The requested URL was not found on the server."}
_BAD: Final = Failure("Refusal", "A parameter, or what a check said.", {"missing": {"error": "nonce is missing."}})
_NOT_GOOD: Final = Failure(
    "Refusal",
    "Not from a known provider, or a nonce that is not good.",
    {"who": {"error": "The provider is not allowed here."}},
)
_NOT_THERE: Final = Failure("OperatorAbsent", "No provider is known here, or there is no such thing.", {"off": _OFF})
_AWAY: Final = Failure(
    "Refusal",
    "A neighbour of the service is away. Never 502 to 504, after which a provider repeats by itself.",
    {"away": {"error": "A neighbour of the service does not answer at the moment."}},
)
_SIGNED: Final = {400: _BAD, 401: _NOT_GOOD, 404: _NOT_THERE, 500: _AWAY}
_ADMIN: Final = {"Admin": Parameter("One of the operator's secrets.")}
_NONCE: Final = Parameter("The provider's clock: nanoseconds, milliseconds or seconds.", "1795405424715548897", _ANY)
_OWNER: Final = Parameter("The consumer.", samples.CONSUMER, _ANY)
_JOB_ID: Final = Parameter("The job.", samples.JOB, _ANY)
_ADDRESS: Final = Parameter("If given, the signer.", samples.PROVIDER, _ANY)
_JOBS: Final = {"job": [samples.job()], "none": []}
_JOB_IN_QUERY: Final = {"jobId": _JOB_ID}


def _proof(message: str) -> dict[str, Parameter]:
    return {
        "providerSignature": Parameter(f"Over `{message}`, see the introduction.", samples.SIGNATURE, _ANY),
        "nonce": _NONCE,
        "providerAddress": _ADDRESS,
    }


_FILTERS: Final = {
    "owner": _OWNER,
    "jobId": _JOB_ID,
    "agreementId": Parameter("The order that a job counts against.", schema=_ANY),
    "chainId": Parameter("Only jobs of this chain.", schema=_ANY),
    **_proof("owner + jobId + nonce"),
}
_WORKFLOW: Final = {
    "stages": [
        {
            "index": 0,
            "input": [{"index": 0, "id": samples.DID, "remote": {"txId": samples.TX, "serviceId": "compute-1"}}],
            "compute": {"Instances": 1, "namespace": "ocean-compute", "maxtime": 3600},
            "algorithm": {"id": "", "rawcode": "print(1)", "container": samples.CONTAINER},
            "output": {"metadataUri": "https://metadata.example"},
        }
    ]
}
_START: Final = {
    "workflow": _WORKFLOW,
    "agreementId": samples.TX,
    "owner": samples.CONSUMER,
    "environment": samples.ENVIRONMENT,
    "providerSignature": samples.SIGNATURE,
    "providerAddress": samples.PROVIDER,
    "nonce": 1795405424715548897,
    "chainId": 8996,
    "validUntil": samples.MOMENT + 600,
}
_TEXTS: Final = {
    "workflow": "One stage; see the how-to.",
    "agreementId": "One of the workflow's orders.",
    "owner": "The consumer.",
    "environment": "Where the job shall run.",
    "providerSignature": "Over `owner + nonce`, see the introduction.",
    "providerAddress": "If given, the signer.",
    "nonce": "The provider's clock: nanoseconds, milliseconds or seconds.",
    "chainId": "Chain of the orders.",
    "validUntil": "Until when the job is paid for, Unix seconds; absent or 0: no end.",
}

OPERATIONS: Final = (
    Operation(
        "GET",
        OPERATOR + "/",
        "operator",
        _TAG,
        "What this is",
        {200: Answer("Name and version.", {"type": "object"}, {"it": {"software": "Operator service"}})},
        {404: _NOT_THERE},
        text="All calls below answer 404 where no provider is known (`C2D_OPERATOR__PROVIDERS`).",
    ),
    Operation(
        "GET",
        OPERATOR + "/environments",
        "operatorEnvironments",
        _TAG,
        "Where jobs may run",
        {200: Answer("As in `computeEnvironments`, without a fee token.", {"type": "array"}, {"none": []})},
        {400: _BAD, 404: _NOT_THERE, 500: _AWAY},
        parameters={"chainId": Parameter("Only for this chain; also `chain_id`.", "8996", _ANY)},
    ),
    Operation(
        "POST",
        OPERATOR + "/compute",
        "operatorStart",
        _TAG,
        "Start a job for a consumer",
        {200: Answer("An array with the job. The identical request again gives the same job.", ref("Jobs"), _JOBS)},
        _SIGNED,
        parameters={name: Parameter(_TEXTS[name], schema=_ANY) for name in _START},
        place="body",
        body_required=False,
        examples={"raw": _START},
    ),
    Operation(
        "GET",
        OPERATOR + "/compute",
        "operatorStatus",
        _TAG,
        "Jobs of the calling provider",
        {200: Answer("Those that match every filter, newest first.", ref("Jobs"), _JOBS)},
        _SIGNED,
        parameters=_FILTERS,
    ),
    Operation(
        "PUT",
        OPERATOR + "/compute",
        "operatorStop",
        _TAG,
        "Stop a job, or all of an owner's",
        {200: Answer("The jobs, afterwards.", ref("Jobs"), _JOBS)},
        _SIGNED,
        parameters=_FILTERS,
    ),
    Operation(
        "DELETE",
        OPERATOR + "/compute",
        "operatorDelete",
        _TAG,
        "Delete a job, or all of an owner's",
        {
            200: Answer(
                "The jobs that are gone, or an empty text.",
                {"anyOf": [ref("Jobs"), {"const": ""}]},
                {"job": [samples.job(results="", removed=1)], "none": ""},
            )
        },
        _SIGNED,
        parameters=_FILTERS,
    ),
    Operation(
        "GET",
        OPERATOR + "/getResult",
        "operatorResult",
        _TAG,
        "One file of a job's results",
        {
            200: Answer("The file.", _ANY, media="*/*", headers={"Content-Disposition": "On every answer."}),
            206: Answer("The part that was asked for.", _ANY, media="*/*"),
            416: Answer("There is no such part."),
        },
        _SIGNED,
        parameters={
            "owner": _OWNER,
            "jobId": _JOB_ID,
            "index": Parameter("Position in `results`.", "0", _ANY),
            "consumerSignature": Parameter("Ignored.", schema=_ANY),
            **_proof("owner + jobId + nonce"),
        },
        request_headers={"Range": Parameter("A part of the file."), "If-Range": Parameter("Only with this ETag.")},
    ),
    Operation(
        "GET",
        OPERATOR + "/runningjobs",
        "operatorRunning",
        _TAG,
        "Unfinished jobs of all providers",
        {200: Answer("What they are.", {"type": "array"}, {"none": []})},
        _SIGNED,
        request_headers=_ADMIN,
    ),
    Operation(
        "GET",
        OPERATOR + "/list",
        "operatorList",
        _TAG,
        "Names of all workflows",
        {200: Answer("Newest first.", {"type": "array", "items": {"type": "string"}}, {"one": [samples.JOB]})},
        _SIGNED,
        request_headers=_ADMIN,
    ),
    Operation(
        "GET",
        OPERATOR + "/info",
        "operatorInfo",
        _TAG,
        "The workflow of a job",
        {200: Answer("Without its arguments.", {"type": "object"}, {"one": {"name": samples.JOB, "nodes": []}})},
        _SIGNED,
        parameters=_JOB_IN_QUERY,
        request_headers=_ADMIN,
    ),
    Operation(
        "GET",
        OPERATOR + "/logs",
        "operatorLogs",
        _TAG,
        "What a step has printed",
        {200: Answer("The log.", {"type": "string"}, {"log": "read 2 files\n"}, media=TEXT)},
        _SIGNED,
        parameters={
            **_JOB_IN_QUERY,
            "component": Parameter("configure, algorithm, filter or publish.", "algorithm", _ANY),
        },
        request_headers=_ADMIN,
    ),
    Operation(
        "POST",
        OPERATOR + "/pgsqlinit",
        "operatorInit",
        _TAG,
        "Nothing to do",
        {200: Answer("Tables are made when the service starts.")},
        _SIGNED,
        request_headers=_ADMIN,
    ),
)
