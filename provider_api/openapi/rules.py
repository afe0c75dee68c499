"""Which values pass a field's rules, as JSON schema: what a query may say and what a JSON body may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from provider_api.calls import fields
from provider_api.calls.fields import Field, NearFuture, OneOf, RequiredIf, RequiredWithAll, RequiredWithout, Rule
from provider_api.calls.signature import signature_given, signature_or_token
from provider_api.openapi.operation import Schema

_DIGITS: Final = "^[0-9]{1,30}$"
_CANONICAL: Final = "^(0|[1-9][0-9]{0,29})$"
_NONCE: Final = "^[0-9]{1,255}(\\.[0-9]{1,253})?([eE]\\+?[0-9]{1,3})?$"
_JOB: Final = "^([0-9a-f]{32})?$"
_WHOLE_DID: Final = "^(did:op:[0-9a-fA-F]{64})?$"
_NO_NULL: Final = "^[^\\u0000]*$"
ADDRESS: Final = "^0[xX][0-9a-fA-F]{40}$"
_DID: Final = "^(did:op[^\\u0000]*)?$"

# Query values are always text; JSON may also say a number where a number or its text is meant.
_QUERY: Final[Mapping[Rule, Schema]] = {
    fields.text_value: {"type": "string", "pattern": _NO_NULL},
    fields.integer: {"type": "string", "pattern": _DIGITS},
    fields.canonical_number: {"type": "string", "pattern": _CANONICAL},
    fields.position: {"type": "string", "pattern": _DIGITS},
    fields.nonce_number: {"type": "string", "pattern": _NONCE},
    fields.job_id: {"type": "string", "pattern": _JOB},
    fields.whole_did: {"type": "string", "pattern": _WHOLE_DID},
    fields.address: {"type": "string", "pattern": ADDRESS},
    fields.did: {"type": "string", "pattern": _DID},
}
_BODY: Final[Mapping[Rule, Schema]] = {
    fields.text_value: {"type": ["string", "number"], "pattern": _NO_NULL},
    fields.integer: {"type": ["integer", "string"], "minimum": 0, "pattern": _DIGITS},
    fields.canonical_number: {"type": ["integer", "string"], "minimum": 0, "pattern": _CANONICAL},
    fields.position: {"type": ["integer", "string"], "minimum": 0, "pattern": _DIGITS},
    fields.nonce_number: {"type": ["string", "number"], "minimum": 0, "pattern": _NONCE},
    fields.job_id: {"type": "string", "pattern": _JOB},
    fields.whole_did: {"type": "string", "pattern": _WHOLE_DID},
    fields.address: {"type": "string", "pattern": ADDRESS},
    fields.did: {"type": "string", "pattern": _DID},
    fields.non_empty_list_of_objects: {"type": "array", "items": {"type": "object"}},
}
# Patterns that let nothing pass, and those of a field that must be there.
_MAY_BE_EMPTY: Final[Mapping[str, str]] = {
    _NO_NULL: "^[^\\u0000]+$",
    _JOB: "^[0-9a-f]{32}$",
    _WHOLE_DID: "^did:op:[0-9a-fA-F]{64}$",
}
# An optional one that is empty counts as absent.
_OR_EMPTY: Final[Mapping[str, str]] = {ADDRESS: f"^({ADDRESS[1:-1]})?$", _NONCE: f"^({_NONCE[1:-1]})?$"}
_PRESENCE: Final[frozenset[Rule]] = frozenset(
    {fields.required, signature_given, signature_or_token, fields.only_with_job}
)
_RELATIONS: Final = (RequiredIf, RequiredWithout, RequiredWithAll, NearFuture)  # no matter of the value's form


class RuleUndescribed(LookupError):
    """A field has a rule that this module does not know."""


def is_required(field: Field) -> bool:
    """Whether a request without the field is refused, whatever else it has."""
    return fields.required in field.rules or signature_given in field.rules


def alternatives(field: Field) -> tuple[str, ...]:
    """The fields one of which makes this one unnecessary; () if there are none."""
    return next((rule.others for rule in field.rules if isinstance(rule, RequiredWithout)), ())


def schema_of(field: Field, *, in_body: bool) -> dict[str, Any]:
    """What the rules let pass, without saying whether the field must be there. Raises RuleUndescribed."""
    known = _BODY if in_body else _QUERY
    schema: dict[str, Any] = {}
    for rule in field.rules:
        if rule in known:
            schema |= known[rule]
        elif isinstance(rule, OneOf):
            schema |= {"enum": [*rule.choices, "", *([None] if in_body else [])]}  # nothing: another field may do
        elif not (rule in _PRESENCE or isinstance(rule, _RELATIONS)):
            raise RuleUndescribed(f"{field.name}: {getattr(rule, '__name__', rule)}")
    if not is_required(field) and schema.get("pattern") in _OR_EMPTY:
        schema["pattern"] = _OR_EMPTY[schema["pattern"]]
    if is_required(field):
        kinds = schema.get("type", "string")
        if "array" in kinds:
            schema["minItems"] = 1
        elif "string" in kinds and "pattern" not in schema:
            schema["minLength"] = 1
        elif schema["pattern"] in _MAY_BE_EMPTY:
            schema["pattern"] = _MAY_BE_EMPTY[schema["pattern"]]
    elif in_body and "type" in schema:
        kinds = schema["type"]
        schema["type"] = [*([kinds] if isinstance(kinds, str) else kinds), "null"]
    return schema
