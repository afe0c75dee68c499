"""Compute jobs: environments, what must be bought, start, status, stop, delete, results, why not."""

from __future__ import annotations

from typing import Any, Final

from provider_api.endpoints.descriptions import (
    ARGO_FAILED,
    AUTH_TOKEN,
    COMPUTE_AWAY,
    CONSUMER,
    NONCE,
    away,
    invalid,
    signature,
    signed,
)
from provider_api.endpoints.jobs import compute, initialize_compute, job_call, published, results, why_not
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import Answer, Failure, Operation, Parameter

_COMPUTE: Final = "/api/services/compute"
_ANY: Final[dict[str, Any]] = {}
_STRING: Final[dict[str, Any]] = {"type": "string"}
_DATASETS: Final = {"type": "array", "items": ref("AssetReference"), "minItems": 1}
_META: Final = {
    "type": ["object", "string", "null"],
    "properties": {
        "rawcode": {"description": "The program; or `url`, from where it is fetched."},
        "container": {
            "description": "Texts: `entrypoint` (with `$ALGO`), `image`, `tag`, `checksum` (`sha256:` and the digest)."
        },
    },
}
_ALGORITHM: Final = {
    "algorithm.documentId": Parameter("DID of a published algorithm, unless `algorithm.meta` is given."),
    "algorithm.meta": Parameter("An algorithm sent along: an object, or its JSON text.", schema=_META),
    "algorithm.serviceId": Parameter("Service of a published algorithm.", schema=_ANY),
    "algorithm.transferTxId": Parameter("Its order.", schema=_ANY),
    "algorithm.userdata": Parameter("Its consumer parameters.", schema=_ANY),
    "algorithm.algocustomdata": Parameter("Anything; the algorithm finds it as `algoCustomData.json`.", schema=_ANY),
}
_RULES: Final = {
    "not_trusted": {"error": {"dataset": "not_trusted_algo"}},
    "order": {"error": {"dataset.serviceId": "order_invalid"}},
}
_JOB: Final = {"job": [samples.job()]}
_AWAY: Final = {502: ARGO_FAILED, 503: COMPUTE_AWAY}
_HALF_DELETED: Final = away(
    "The result store does not answer at the moment.",
    "What is still listed is not deleted, or not wholly; send the request again, with a new nonce if need be.",
)

_FILE: Final = {
    200: Answer(
        "The file.",
        {},
        media="*/*",
        headers={
            "Content-Disposition": "`attachment;filename=NAME`",
            "ETag": "SHA-256 of the file.",
            "Accept-Ranges": "`bytes`",
        },
    ),
    206: Answer("The part that was asked for.", {}, media="*/*", headers={"Content-Range": "Which part it is."}),
    416: Answer("There is no such part.", headers={"Content-Range": "`bytes */SIZE`"}),
}
_RANGE: Final = {
    "Range": Parameter("A part of the file, `bytes=0-1023`.", schema=_STRING),
    "If-Range": Parameter("Only if the file has this ETag; else the whole.", schema=_STRING),
}

OPERATIONS: Final = (
    Operation(
        "GET",
        "/api/services/computeEnvironments",
        "computeEnvironments",
        "Compute",
        "Where jobs may run, and at which price",
        {
            200: Answer(
                "The environments of every chain.",
                ref("Environments"),
                {
                    "free": {
                        "8996": [
                            {
                                "id": samples.ENVIRONMENT,
                                "consumerAddress": samples.ENVIRONMENT_ADDRESS,
                                "priceMin": 0,
                                "feeToken": samples.FEE_TOKEN,
                                "maxJobDuration": 600,
                                "maxJobs": 4,
                                "currentJobs": 1,
                                "cpuNumber": 1,
                                "cpuType": "",
                                "gpuNumber": 0,
                                "gpuType": "",
                                "ramGB": 1,
                                "diskGB": 2,
                                "storageExpiry": 604800,
                                "desc": "Small jobs, free of charge",
                                "lastSeen": str(samples.MOMENT),
                            }
                        ]
                    }
                },
            )
        },
        _AWAY,
    ),
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
            "entrypoint": Parameter("Command, with `$ALGO` for the algorithm's file.", "python $ALGO", _STRING, True),
            "image": Parameter("Name of the image, without tag.", "python", _STRING, True),
            "tag": Parameter("Ignored: the checksum names the image.", "3", _ANY),
            "checksum": Parameter("`sha256:` and 64 hexadecimal digits.", samples.CHECKSUM, _STRING, True),
        },
        place="body",
        examples={"container": samples.CONTAINER},
    ),
    Operation(
        "POST",
        "/api/services/initializeCompute",
        "initializeCompute",
        "Compute",
        "What a job still needs: orders to make or to renew, with signed fees",
        {
            200: Answer(
                "One entry for each asset.",
                ref("ComputeQuotes"),
                {
                    "to_order": {
                        "algorithm": {
                            "datatoken": samples.DATATOKEN,
                            "nonce": "57",
                            "providerFee": samples.fee("0", samples.MOMENT + 600),
                        },
                        "datasets": [
                            {
                                "datatoken": samples.DATATOKEN,
                                "nonce": "57",
                                "providerFee": samples.fee("1000000000000000000", samples.MOMENT + 600),
                            }
                        ],
                    },
                    "nothing_to_buy": {
                        "datasets": [{"datatoken": samples.DATATOKEN, "nonce": "57", "validOrder": samples.TX}]
                    },
                    "parameters_are_needed": {
                        "datasets": [{"datatoken": samples.DATATOKEN, "nonce": None, "validOrder": samples.TX}],
                        "startNeeds": [
                            {
                                "place": "algorithm.algocustomdata",
                                "code": "missing:epochs",
                                "expected": "epochs: a number",
                            }
                        ],
                    },
                },
            )
        },
        {
            400: Failure(
                "InvalidOrRefused",
                "A parameter is missing or malformed, or the job could not be started even with orders.",
                {
                    "too_late": {"error": "The validUntil value is not correct."},
                    "environment": {"error": "Compute environment does not exist"},
                    **_RULES,
                },
            ),
            **_AWAY,
        },
        text="Says before anybody pays that an asset may not be used, the job is too large or the queue is full. The"
        " whole fee is on one asset, all others have a signed fee of 0.",
        fields=initialize_compute.FIELDS,
        parameters={
            "datasets": Parameter("The first must be a compute service.", schema=_DATASETS),
            **_ALGORITHM,
            "compute.env": Parameter("Id of the environment.", samples.ENVIRONMENT),
            "compute.validUntil": Parameter("Until when the job may run, Unix seconds.", samples.MOMENT + 600),
            "consumerAddress": CONSUMER,
        },
        place="body",
        examples={
            "published": {
                "datasets": [samples.without_order(samples.DATASET)],
                "algorithm": samples.without_order(samples.ALGORITHM),
                "compute": {"env": samples.ENVIRONMENT, "validUntil": samples.MOMENT + 600},
                "consumerAddress": samples.CONSUMER,
            },
            "sent_along": {
                "datasets": [samples.DATASET],
                "algorithm": {"meta": samples.RAW_ALGORITHM},
                "compute": {"env": samples.ENVIRONMENT, "validUntil": samples.MOMENT + 600},
                "consumerAddress": samples.CONSUMER,
            },
        },
    ),
    Operation(
        "POST",
        _COMPUTE,
        "computeStart",
        "Compute",
        "Start a job",
        {200: Answer("The job.", ref("Jobs"), {"accepted": [samples.new_job()]})},
        {
            400: signed(
                "dataset.documentId",
                **_RULES,
                unpaid={"error": {"order": "fees_not_paid"}},
                taken={"error": f"agreementId {samples.TX} already in use for other job."},
            ),
            **_AWAY,
        },
        text="The same signed request again is answered with the same job, however often it is sent.",
        fields=compute.START,
        parameters={
            "dataset.documentId": Parameter("DID of the first dataset."),
            "dataset.serviceId": Parameter("Its compute service."),
            "dataset.transferTxId": Parameter("Its order."),
            **_ALGORITHM,
            "consumerAddress": CONSUMER,
            "jobId": Parameter("Not needed; if there is one, it is signed between address and DID."),
            "nonce": NONCE,
            "signature": signature("consumerAddress + dataset.documentId + nonce"),
            "environment": Parameter("Id of the environment of the orders.", schema=_ANY),
            "dataset.userdata": Parameter("Consumer parameters of the dataset.", schema=_ANY),
            "additionalDatasets": Parameter("Further datasets, like `dataset`.", schema=_ANY),
            "output": Parameter(
                "An object or its JSON text. In an environment with `publishesResults`, `publishOutput` (true) together"
                " with `metadata` that has a `name` asks that the outputs become an asset of the consumer. Neither does"
                " so alone, and everything else is ignored.",
                schema=_ANY,
            ),
        },
        place="body",
        request_headers=AUTH_TOKEN,
        examples={
            "published": {
                "consumerAddress": samples.CONSUMER,
                "environment": samples.ENVIRONMENT,
                "dataset": samples.DATASET,
                "algorithm": samples.ALGORITHM,
                "nonce": samples.NONCE,
                "signature": samples.SIGNATURE,
            },
            "results_as_an_asset": {
                "consumerAddress": samples.CONSUMER,
                "environment": samples.ENVIRONMENT,
                "dataset": samples.DATASET,
                "algorithm": samples.ALGORITHM,
                "output": {"publishOutput": True, "metadata": {"name": "Rain, summed up", "license": "CC0-1.0"}},
                "nonce": samples.NONCE,
                "signature": samples.SIGNATURE,
            },
        },
    ),
    Operation(
        "GET",
        _COMPUTE,
        "computeStatus",
        "Compute",
        "Jobs of an account",
        {200: Answer("Newest first; `[]` if there are none.", ref("Jobs"), _JOB | {"none": []})},
        {400: invalid("consumerAddress"), **_AWAY},
        text="Not signed. A long list of results is cut, and says so.",
        fields=compute.STATUS,
        parameters={
            "consumerAddress": CONSUMER,
            "jobId": Parameter("Only this job."),
            "agreementId": Parameter("Only jobs of this order; with or without `0x`."),
            "resultsFrom": Parameter("Results from this index on: a job's `resultsNext`."),
            "documentId": Parameter("Ignored."),
        },
    ),
    Operation(
        "PUT",
        _COMPUTE,
        "computeStop",
        "Compute",
        "Stop a job, or all that run",
        {200: Answer("The jobs that the request was about; outputs so far are published.", ref("Jobs"), _JOB)},
        {400: signed("consumerAddress"), **_AWAY},
        fields=job_call.FIELDS,
        parameters={
            "consumerAddress": CONSUMER,
            "jobId": Parameter("The job; without it all jobs of the account that have not ended.", samples.JOB),
            "documentId": Parameter("Part of the signed message beside a `jobId`, otherwise ignored."),
            "nonce": NONCE,
            "signature": signature("consumerAddress + jobId + documentId + nonce"),
        },
        request_headers=AUTH_TOKEN,
    ),
    Operation(
        "DELETE",
        _COMPUTE,
        "computeDelete",
        "Compute",
        "Delete a job, or all",
        {
            200: Answer(
                "The jobs that are gone, as they were; `[]` if there were none.",
                ref("Jobs"),
                {"job": [samples.job(results="", removed=1)], "none": []},
            )
        },
        {400: signed("consumerAddress"), 502: ARGO_FAILED, 503: _HALF_DELETED},
        text="What still runs is ended and publishes nothing; then results, logs, volume and the job itself are"
        " removed, and its orders are free for another job.",
        fields=job_call.FIELDS,
        parameters={
            "consumerAddress": CONSUMER,
            "jobId": Parameter("The job; without it all jobs of the account.", samples.JOB),
            "documentId": Parameter("Part of the signed message beside a `jobId`, otherwise ignored."),
            "nonce": NONCE,
            "signature": signature("consumerAddress + jobId + documentId + nonce"),
        },
        request_headers=AUTH_TOKEN,
    ),
    Operation(
        "GET",
        "/api/services/computeResult",
        "computeResult",
        "Compute",
        "One file of a job's results",
        _FILE,
        {
            400: signed("jobId"),
            404: Failure(
                "Refusal",
                "No such job, none of this account, no results yet, or no such file.",
                {"index": {"error": "No such index 9 in this compute job"}},
            ),
            502: ARGO_FAILED,
            503: away("The result store does not answer at the moment."),
        },
        fields=results.FIELDS,
        parameters={
            "jobId": Parameter("The job.", samples.JOB),
            "index": Parameter("`index` of the result.", "0"),
            "consumerAddress": CONSUMER,
            "nonce": NONCE,
            "signature": signature("consumerAddress + jobId + index + nonce"),
        },
        request_headers={**_RANGE, **AUTH_TOKEN},
    ),
    Operation(
        "GET",
        published.PATH,
        "published",
        "Compute",
        "One file of an asset that was made of results",
        _FILE,
        {
            404: Failure("Refusal", "No such file.", {"unknown": {"error": "No such file."}}),
            503: away("The result store does not answer at the moment."),
        },
        text="Not for consumers, who come through `download`: such addresses stand encrypted in the asset's document,"
        " and whoever has one needs nothing else. HEAD is answered too.",
        path_parameters={
            "token": Parameter("Which asset it is, 43 characters that nobody can guess."),
            "index": Parameter("Which of its files.", "0"),
            "filename": Parameter("For whoever saves the file; not looked at."),
        },
        request_headers=_RANGE,
    ),
    Operation(
        "POST",
        "/api/v1/why-not",
        "whyNot",
        "Compute",
        "Every reason why a job would not be started",
        {
            200: Answer(
                "All rules that say no, at once.",
                ref("Reasons"),
                {
                    "startable": {"ordersJudged": False, "reasons": []},
                    "not_trusted": {
                        "ordersJudged": False,
                        "reasons": [
                            {
                                "place": "dataset",
                                "rule": "algorithm_is_trusted",
                                "code": "not_trusted_algo",
                                "expected": [samples.DID],
                                "found": samples.ALGORITHM_DID,
                                "who": "publisher",
                            }
                        ],
                    },
                },
            )
        },
        {400: invalid("consumerAddress"), **_AWAY},
        text="An addition to Ocean's Provider. Not signed, changes nothing. When an asset names a transaction, orders"
        " are judged as at a start; when none does, only what can be said before buying.",
        fields=why_not.FIELDS,
        parameters={
            "datasets": Parameter("The first must be a compute service.", schema=_DATASETS),
            **_ALGORITHM,
            "algorithm.meta": Parameter("An algorithm sent along, whatever is wrong with it.", schema=_ANY),
            "environment": Parameter("Id of the environment; or `compute.env`.", samples.ENVIRONMENT),
            "compute.env": Parameter("Id of the environment, where initializeCompute has it."),
            "compute.validUntil": Parameter("Until when the job shall run, Unix seconds."),
            "consumerAddress": CONSUMER,
            "output": Parameter("As at a start.", schema=_ANY),
        },
        place="body",
        examples={
            "before_buying": {
                "datasets": [samples.without_order(samples.DATASET)],
                "algorithm": samples.without_order(samples.ALGORITHM),
                "environment": samples.ENVIRONMENT,
                "consumerAddress": samples.CONSUMER,
            }
        },
    ),
)
