"""JSON schemas of answers and errors, by name. Answers may grow members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from contract.manifest import ResultType
from contract.release import ContentType
from ocean.files.registry import described_types
from provider_api.environments.announced import ALWAYS, ordered
from provider_api.jobs.live.log_rule import Why
from provider_api.jobs.live.state import Step
from provider_api.jobs.status import TEXTS, Reason
from provider_api.openapi.rules import ADDRESS
from records.passport import PASSPORT_TYPE
from workflow_templates.declaring import Kind
from workflow_templates.environment import ANNOUNCED

_TEXT: Final = {"type": "string"}
_INTEGER: Final = {"type": "integer"}
_NUMBER: Final = {"type": "number", "minimum": 0}
_ADDRESS: Final = {"type": "string", "pattern": ADDRESS}
_HEX: Final = {"type": "string", "pattern": "^0x[0-9a-fA-F]*$"}
_HASH: Final = {"type": "string", "pattern": "^0x[0-9a-fA-F]{64}$"}
_SECONDS: Final = {"type": ["string", "null"], "description": "Unix seconds with a fraction, as text."}
_NOTHING: Final = {"type": "null"}


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None, text: str = "") -> dict[str, Any]:
    schema = {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}
    return schema | ({"description": text} if text else {})


def _list(items: Mapping[str, Any], text: str = "") -> dict[str, Any]:
    return {"type": "array", "items": dict(items)} | ({"description": text} if text else {})


_STANDING: Final = {"enum": ["held", "released", "refused"]}
_OF_KIND: Final[Mapping[Kind, Any]] = {
    "text": _TEXT,
    "address": _ADDRESS,
    "number": _NUMBER,
    "whole": _INTEGER,
    "chains": _list(_INTEGER),
    "flag": {"const": True},
    "rules": {
        "type": "object",
        "properties": {
            **dict.fromkeys(("maxBytes", "maxFiles", "logBytes", "approvalSeconds"), _INTEGER),
            "shareOfInputs": _NUMBER,
            "types": _list({"enum": list(get_args(ContentType))}),
            "approval": {"const": "owner"},
        },
    },
}


def _environment() -> dict[str, Any]:
    """The options of environments, and what the service itself says of one."""
    options = {
        option.key: _OF_KIND[option.kind] | ({"description": option.text} if option.text else {})
        for option in ANNOUNCED
        if option.key
    }
    members = ordered(
        {
            **options,
            "id": _TEXT,
            "feeToken": _ADDRESS,
            "currentJobs": _INTEGER,
            "lastSeen": {"type": "string", "description": "Unix seconds, as text."},
            "publishesResults": {"const": True, "description": "Outputs may become an asset: `output` at a start."},
        }
    )
    return _object(
        {key: members[key] for key in ALWAYS}, {key: value for key, value in members.items() if key not in ALWAYS}
    )


_NONCE: Final = {"type": ["string", "null"], "description": "The consumer's last nonce; null before the first."}
_QUOTED: Final = {"datatoken": _ADDRESS, "nonce": _NONCE}
_NEEDS: Final = _list(
    _object(
        {
            "place": {"type": "string", "description": "Where a start has it."},
            "code": {"type": "string", "description": "What a start without it would answer."},
            "expected": {"type": "string", "description": "The parameter's name, and what it may be."},
        }
    ),
    "Consumer parameters that a start would be refused for; absent if there are none. Nothing is refused for them here,"
    " but whoever buys without having them cannot start.",
)

_WANTED: Final = {
    "type": "object",
    "additionalProperties": _TEXT,
    "description": "By field, or `body`: what is allowed, and what kind of value was sent.",
}

ERRORS: Final[Mapping[str, Any]] = {
    "ValidationError": _object(
        {
            "errors": {
                "type": "object",
                "additionalProperties": {"anyOf": [_list(_TEXT), _TEXT]},
                "description": "Texts by field; one text, no list, for a `signature` that was sent but is wrong.",
            },
            "message": {"const": "Validation error"},
            "success": {"const": False},
        },
        {"wanted": _WANTED},
        text="Parameters, signature or nonce are not good.",
    ),
    "Refusal": _object(
        {"error": {"anyOf": [_TEXT, {"type": "object", "additionalProperties": _TEXT}]}},
        {"wanted": _WANTED},
        text="A check said no: a sentence, or for compute jobs `{place: code}`.",
    ),
    "InvalidOrRefused": {"anyOf": [ref("ValidationError"), ref("Refusal")]},
    "NotOffered": _object(
        {"context": _NOTHING, "error": _TEXT},
        text="No such path or method, or a request beyond the limits.",
    ),
    "Unavailable": _object(
        {"context": _NOTHING, "error": _TEXT},
        text="A neighbour of the service (chain, Argo, result store) does not answer, or not as it should.",
    ),
    "OperatorAbsent": {"anyOf": [ref("NotOffered"), ref("Refusal")]},
    "GraphErrors": _object({"errors": _list(_object({"message": _TEXT}))}),
    "StoreError": {
        "description": "Errors of the metadata store's calls.",
        "anyOf": [
            _object({"error": _TEXT}, {"wanted": _WANTED}),
            _object({"errors": {"type": "object", "additionalProperties": _TEXT}}),
            _list(_object({"message": _TEXT})),
        ],
    },
}

ANSWERS: Final[Mapping[str, Any]] = {
    "Root": _object(
        {
            "chainIds": _list(_INTEGER),
            "providerAddresses": {
                "type": "object",
                "additionalProperties": _ADDRESS,
                "description": "By chain id (as text): the account that signs fees and whose key opens file lists.",
            },
            "serviceEndpoints": {
                "type": "object",
                "description": "Method and path by name; exactly these 16.",
                "additionalProperties": {
                    "type": "array",
                    "items": {"type": "string", "pattern": "^(GET|POST|PUT|DELETE|/.*)$"},
                    "minItems": 2,
                    "maxItems": 2,
                },
                "minProperties": 16,
                "maxProperties": 16,
            },
            "software": _TEXT,
            "version": _TEXT,
        }
    ),
    "Health": _object(
        {"status": {"enum": ["ok", "unavailable"]}},
        {"checks": {"type": "object", "additionalProperties": {"enum": ["ok", "unavailable"]}}},
    ),
    "ProviderFee": _object(
        {
            "providerFeeAddress": _ADDRESS,
            "providerFeeToken": _ADDRESS,
            "providerFeeAmount": {
                "type": "string",
                "pattern": "^[0-9]+$",
                "description": "Smallest units of the token, as text.",
            },
            "providerData": _HEX,
            "v": {"enum": [27, 28]},
            "r": _HASH,
            "s": _HASH,
            "validUntil": {"type": "integer", "minimum": 0, "description": "Unix seconds; 0 for access services."},
        },
        text="Signed; `startOrder` and `reuseOrder` of the datatoken take it as it is.",
    ),
    "FileInfo": _object(
        {
            "index": {**_INTEGER, "minimum": 0},
            "type": {"enum": [each.type for each in described_types()]},
            "valid": {"type": "boolean", "description": "Whether the file can be had; nothing else is told if not."},
        },
        {
            "contentLength": {"type": ["string", "integer"], "description": "Bytes, as text; empty if not known."},
            "contentType": _TEXT,
            "filename": {"type": "string", "description": "Empty where the name would give the file away."},
            "checksum": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "Of published files only."},
            "checksumType": {"const": "sha256"},
            "reason": {"type": "string", "description": "Why the file cannot be had. Shows no address."},
        },
    ),
    "AccessQuote": {
        "description": "A good order, or something to order.",
        "anyOf": [
            _object({"validOrder": _HASH}, text="Nothing to buy: use this transaction."),
            _object(
                {**_QUOTED, "providerFee": ref("ProviderFee")},
                text="`startOrder(…, providerFee, …)`, then use its transaction.",
            ),
        ],
    },
    "Quote": {
        "description": "One of three: a good order (nothing to buy); an order to renew; something to order.",
        "anyOf": [
            _object({**_QUOTED, "validOrder": _HASH}, text="Nothing to buy: use this transaction."),
            _object(
                {**_QUOTED, "providerFee": ref("ProviderFee"), "validOrder": _HASH},
                text="`reuseOrder(validOrder, providerFee)`, then use the new transaction.",
            ),
            _object(
                {**_QUOTED, "providerFee": ref("ProviderFee")},
                text="`startOrder(…, providerFee, …)`, then use the new transaction.",
            ),
        ],
    },
    "ComputeQuotes": _object(
        {"datasets": _list(ref("Quote"), "In the order of the request.")},
        {"algorithm": ref("Quote"), "startNeeds": _NEEDS},
    ),
    "Environment": _environment(),
    "Environments": {
        "type": "object",
        "description": "By chain id, as text.",
        "additionalProperties": _list(ref("Environment")),
    },
    "Result": _object(
        {
            "index": {**_INTEGER, "minimum": 0, "description": "What `computeResult` calls this file."},
            "filename": _TEXT,
            "filesize": {**_INTEGER, "description": "Bytes."},
            "type": {"enum": [*get_args(ResultType), PASSPORT_TYPE]},
        }
    ),
    "Job": _object(
        {
            "agreementId": {"type": "string", "description": "The order that the job counts against."},
            "jobId": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
            "owner": {"type": "string", "description": "`consumerAddress` of the start, in its spelling."},
            "status": {
                "enum": list(TEXTS),
                "description": "1 queued, 10 started, 20 volumes, 30 inputs are there, 31 inputs not available,"
                " 32 algorithm not available, 40 running, 41 failed, 50 filtering, 60 publishing,"
                " 62 results incomplete, 70 finished. The end is `dateFinished`.",
            },
            "statusText": {
                "type": "string",
                "pattern": f"^({'|'.join(TEXTS.values())})(: .*)?$",
                "description": "The status in words. While the algorithm's pod cannot start: why, after a colon.",
            },
            "dateCreated": _SECONDS,
            "dateFinished": _SECONDS,
            "results": {"anyOf": [{"const": ""}, _list(ref("Result"))], "description": '`""` until there are some.'},
            "stopreq": {"enum": [0, 1, 2], "description": "1: a stop was asked for; 2: the time was over."},
            "removed": {"enum": [0, 1]},
            "algoDID": {"type": "string", "description": "Empty for an algorithm that was sent along."},
            "inputDID": _list(_TEXT),
            "environment": _TEXT,
            "chainId": _INTEGER,
            "validUntil": {**_INTEGER, "description": "Until when it is paid for, Unix seconds."},
            "startedAt": _SECONDS,
            "exitCode": {"type": ["integer", "null"], "description": "Of the algorithm's entrypoint."},
            "reason": {"enum": list(get_args(Reason)), "description": "How it ended; empty until then."},
        },
        {
            "queuePosition": {**_INTEGER, "minimum": 1, "description": "1 is next. Only while the job waits."},
            "detail": {
                "type": "string",
                "description": "What the job waits for, which image it did not get, which limit it exceeded.",
            },
            "resultsDid": {"type": "string", "description": "DID of the asset that the outputs have become."},
            "resultsCount": {
                **_INTEGER,
                "description": "Of all results, where `results` has only a part of the outputs.",
            },
            "resultsNext": {**_INTEGER, "description": "Index of the first result that is not in it: `resultsFrom`."},
        },
    ),
    "Jobs": _list(ref("Job")),
    "JobState": _object(
        {
            "jobId": _TEXT,
            "status": {"enum": list(TEXTS)},
            "statusText": _TEXT,
            "step": {"enum": list(get_args(Step)), "description": "Where it is; `approval`: owners decide."},
            "since": {**_NUMBER, "description": "Since when, Unix seconds."},
            "reason": {"enum": list(get_args(Reason))},
            "detail": {"type": "string", "description": "As in `Job`; empty where there is nothing to say."},
            "dateCreated": _NUMBER,
            "startedAt": {"type": ["number", "null"]},
            "dateFinished": {"type": ["number", "null"]},
            "validUntil": _INTEGER,
            "exitCode": {"type": ["integer", "null"]},
            "stopreq": {"enum": [0, 1, 2]},
            "removed": {"enum": [0, 1]},
            "environment": _TEXT,
            "held": {
                "anyOf": [
                    _NOTHING,
                    _object(
                        {
                            "until": {**_INTEGER, "description": "The owners' deadline, Unix seconds."},
                            "for": _list(_TEXT, "DIDs of the datasets whose owners have not decided."),
                        }
                    ),
                ]
            },
            "resultsCount": _INTEGER,
            "resultsDid": {"type": ["string", "null"]},
        },
        {"deleted": {"type": "boolean", "description": "Only in `end`: the job is not there any more."}},
        text="Data of `state`; and of `end`, which for a job that is gone may have `jobId` and `deleted` only.",
    ),
    "JobEvent": {
        "description": "The data of an event, by its name: `state` and `end` a `JobState`, `result` a `Result`.",
        "anyOf": [
            ref("JobState"),
            ref("Result"),
            _object(
                {
                    "place": {**_INTEGER, "minimum": 1, "description": "1 is next."},
                    "lowSeconds": {"type": ["integer", "null"]},
                    "highSeconds": {
                        "type": ["integer", "null"],
                        "description": "If all jobs before it compute for as long as they may; null: not known.",
                    },
                },
                text="Data of `queue`.",
            ),
            _object(
                {
                    "offset": {**_INTEGER, "description": "Of the first byte, in UTF-8."},
                    "next": {**_INTEGER, "description": "Behind the last one."},
                    "text": _TEXT,
                    "ended": {"enum": list(get_args(Why)), "description": "Not empty: no more will come, and why."},
                },
                text="Data of `log`.",
            ),
        ],
    },
    "Salts": _object(
        {
            "jobId": _TEXT,
            "documentId": _TEXT,
            "salts": _list(
                _object(
                    {
                        "serviceId": _TEXT,
                        "salt": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "32 bytes, hex."},
                    }
                )
            ),
        }
    ),
    "Releases": _object(
        {
            "releases": _list(
                _object(
                    {
                        "jobId": _TEXT,
                        "documentId": {**_TEXT, "description": "The caller's dataset."},
                        "standing": _STANDING,
                        "until": {"type": ["integer", "null"], "description": "The deadline, Unix seconds."},
                        "environment": _TEXT,
                        "consumer": _TEXT,
                        "algorithm": {**_TEXT, "description": "Its DID; empty for one that was sent along."},
                        "finishedAt": {"type": ["string", "null"], "description": "Unix seconds."},
                        "files": {"type": ["integer", "null"], "description": "null: see the job itself."},
                        "bytes": {"type": ["integer", "null"]},
                        "program": {
                            **_TEXT,
                            "description": "The digest of what ran, by which its results can be trusted; or empty.",
                        },
                        "byTrust": {"type": "boolean", "description": "Released by trust in the algorithm."},
                    }
                )
            )
        }
    ),
    "Release": _object(
        {
            "jobId": _TEXT,
            "standing": _STANDING,
            "until": {**_INTEGER, "description": "The deadline, Unix seconds."},
            "manifestDigest": {**_TEXT, "description": "SHA-256 of what a decision is about."},
            "manifest": {**_TEXT, "description": "JSON; `manifestDigest` is of these bytes."},
            "program": {**_TEXT, "description": "The digest of what ran, by which it can be trusted; or empty."},
            "ownersLook": {"type": "boolean", "description": "Whether owners may get the files while they wait."},
            "datasets": _list(
                _object(
                    {
                        "documentId": _TEXT,
                        "mine": {"type": "boolean"},
                        "standing": {"enum": ["waiting", "released", "refused"]},
                    },
                    {
                        "reason": _TEXT,
                        "byTrust": {"type": "boolean", "description": "By trust in the algorithm."},
                        "trustedUntil": {**_INTEGER, "description": "The caller's trust in it, Unix seconds."},
                    },
                )
            ),
            "files": _list(
                _object({"index": _INTEGER, "path": _TEXT, "filesize": _INTEGER, "sha256": _TEXT, "type": _TEXT})
            ),
        }
    ),
    "Trust": _object(
        {
            "documentId": _TEXT,
            "program": {**_TEXT, "description": "The digest of what runs."},
            "account": _TEXT,
            "until": {"type": ["integer", "null"], "description": "Unix seconds; null: withdrawn."},
        }
    ),
    "Reasons": _object(
        {
            "ordersJudged": {"type": "boolean", "description": "Whether orders were looked at, too."},
            "reasons": _list(
                _object(
                    {
                        "place": {"type": "string", "description": "Which part of the request."},
                        "rule": {"type": "string", "description": "Name of the rule that says no."},
                        "code": {"type": "string", "description": "What a start would answer."},
                        "expected": {},
                        "found": {},
                        "who": {
                            "enum": ["consumer", "publisher", "algorithm_publisher", "operator", None],
                            "description": "Who can change it.",
                        },
                    }
                ),
                "Empty: nothing stands against it.",
            ),
        },
        {
            "notes": _list(
                _object({"place": _TEXT, "note": _TEXT}),
                "What a publisher should know of a dataset's lists of trust; absent if there is nothing to say.",
            ),
            "startNeeds": _NEEDS,
        },
    ),
    "AssetReference": _object(
        {},
        {
            "documentId": {"description": "DID."},
            "serviceId": {"description": "`id` of the service in the DDO."},
            "transferTxId": {"description": "The order."},
            "userdata": {"description": "Consumer parameters: an object, or its JSON text."},
        },
        text="An asset of a request. A value that is no text counts as absent.",
    ),
}

SCHEMAS: Final[Mapping[str, Any]] = {**ERRORS, **ANSWERS}
