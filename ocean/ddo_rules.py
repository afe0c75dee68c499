"""Whether a document may be published: the schema of its version, and what no schema can say.

Every error is found at once, one text per field. A field is named by its path, like `services.0.timeout`; texts never
repeat what the document says. Nothing here asks anybody: whether NFT and datatokens exist, the chain tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, TypeChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from ocean.addresses import AddressInvalid
from ocean.ddo_schema import VERSIONS, schema_of
from ocean.did import did_of
from ocean.kit.bounded_json import JsonUnbounded, require_bounded

MAX_ERRORS = 100
MAX_VALUES = 20_000  # of a document to be published; checking them takes some tenths of a second

_KINDS = {
    "string": "a text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


class VersionMissing(ValueError):
    """The document does not say its version, so nobody knows what to compare it with."""


def errors_of(document: Any) -> dict[str, str]:
    """Field → what is wrong with it; {} for a document that may be published. Raises VersionMissing.

    Takes values as `json.loads` makes them.
    """
    if not isinstance(document, dict):
        return {"document": "must be an object"}
    version = document.get("version")
    if not version:
        raise VersionMissing
    if version not in VERSIONS:
        return {"version": f"must be one of {', '.join(VERSIONS)}"}
    try:
        require_bounded(document, max_values=MAX_VALUES)
    except JsonUnbounded as exc:
        return {"document": str(exc)}
    errors: dict[str, str] = {}
    for field, text in (*_schema_errors(document, version), *_further_errors(document)):
        errors.setdefault(field, text)
    return dict(islice(errors.items(), MAX_ERRORS))


def _schema_errors(document: dict[str, Any], version: str) -> Iterator[tuple[str, str]]:
    for error in islice(_validator(version).iter_errors(document), MAX_ERRORS):
        place = [str(part) for part in error.absolute_path]
        if error.validator == "required":
            for name in error.validator_value:
                if name not in error.instance:
                    yield ".".join([*place, name]), "is required"
        else:
            yield ".".join(place) or "document", _text(error)


def _text(error: ValidationError) -> str:
    wanted: Any = error.validator_value
    match error.validator:
        case "type":
            kinds = [wanted] if isinstance(wanted, str) else wanted
            return "must be " + " or ".join(_KINDS[kind] for kind in kinds)
        case "enum":
            return f"must be one of {', '.join(wanted)}"
        case "const":
            return f"must be {wanted}"
        case "minLength":
            return "must not be empty" if wanted == 1 else f"must have at least {wanted} characters"
        case "maxLength":
            return f"must have at most {wanted} characters"
        case "minItems":
            return f"must have at least {wanted} entries" if wanted > 1 else "must have an entry"
        case "maxItems":
            return f"must have at most {wanted} entries"
        case "minimum":
            return f"must be at least {wanted}"
        case _:
            schema: Any = error.schema
            return f"must be {schema['description']}" if "description" in schema else "is not allowed"


def _further_errors(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    metadata = document.get("metadata")
    for name in ("created", "updated"):
        date = metadata.get(name) if isinstance(metadata, dict) else None
        if isinstance(date, str) and not _is_date(date):
            yield f"metadata.{name}", "must be an ISO 8601 date and time"
    if not _names_its_nft(document):
        yield "id", "must be the DID of this nftAddress and chainId"
    services = document.get("services")
    ids: Counter[str] = Counter()
    for index, service in enumerate(services if isinstance(services, list) else ()):
        if isinstance(service, dict) and isinstance(service.get("id"), str):
            ids[service["id"]] += 1
            if ids[service["id"]] == 2:
                yield f"services.{index}.id", "must be used once"


def _names_its_nft(document: dict[str, Any]) -> bool:
    """True also where one of the three is no address, number or text: the schema has said so."""
    did, nft, chain_id = document.get("id"), document.get("nftAddress"), document.get("chainId")
    if not isinstance(did, str) or not isinstance(nft, str) or not _is_integer(None, chain_id):
        return True
    try:
        return did_of(nft, chain_id) == did  # type: ignore[arg-type]  # an integer, as was just seen
    except AddressInvalid:
        return True


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_integer(_: TypeChecker | None, value: Any) -> bool:
    """JSON schema also takes 3600.0 for an integer, which no reader of documents does."""
    return isinstance(value, int) and not isinstance(value, bool)


@cache
def _validator(version: str) -> Draft202012Validator:
    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
    kind = extend(Draft202012Validator, type_checker=types)  # type: ignore[no-untyped-call]
    made: Draft202012Validator = kind(schema_of(version))
    return made
