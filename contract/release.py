"""Release rules: what may leave of a job, as data owners and operators say it, and how several sayings become one.

An environment has some (`[release]` of its description) and each dataset may have some (the member `release` of its
service's `additionalInformation`, in camel case, which schemas and clients carry unharmed). The strictest counts. Every
rule is something that can be read aloud: "at most 5 MB in at most 20 files, CSV or ONNX, logs at most 64 kB, no more
than a tenth of what went in".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from ocean.kit.compact_json import compact_json

# What a file can be, by its content (`pods.publishing.content`).
ContentType = Literal[
    "csv",
    "json",
    "text",
    "html",
    "svg",
    "xml",
    "png",
    "jpeg",
    "gif",
    "pdf",
    "parquet",
    "numpy",
    "onnx",
    "hdf5",
    "safetensors",
    "pickle",
    "zip",
    "gzip",
    "tar",
    "other",
]
TEXTS: Final[frozenset[ContentType]] = frozenset({"csv", "json", "html", "svg", "xml"})
_COUNT: Final = 2**53


class ReleaseRules(BaseModel):
    """None: there is no such rule. `share_of_inputs` is a part of the inputs' bytes, 0.1 a tenth; `log_bytes` of the
    algorithm's log, 0: never shown; `approval_seconds` is how long results wait for an owner who has to approve;
    `owners_look`: whether these owners may look at the files that wait, and not only at their names and sizes;
    `filtered`: whether jobs run only where a program of the operator's judges results first."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel, populate_by_name=True)

    max_bytes: Annotated[int, Field(ge=0, le=_COUNT)] | None = None
    max_files: Annotated[int, Field(ge=0, le=_COUNT)] | None = None
    share_of_inputs: Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)] | None = None
    types: tuple[ContentType, ...] | None = None
    log_bytes: Annotated[int, Field(ge=0, le=_COUNT)] | None = None
    approval: Literal["none", "owner"] = "none"
    approval_seconds: Annotated[int, Field(ge=60, le=90 * 86_400)] | None = None
    owners_look: bool | None = None
    filtered: bool | None = None

    @property
    def live_log_bytes(self) -> int | None:
        """How much of the algorithm's log may be shown before its results are judged; None: all of it."""
        if self.for_pods == NO_RULES:
            return None
        if self.log_bytes is None or self.approval == "owner":
            return 0
        return self.log_bytes if self.max_bytes is None else min(self.log_bytes, self.max_bytes)

    @property
    def for_pods(self) -> ReleaseRules:
        """Without what the service itself sees to."""
        return self.model_copy(update=dict.fromkeys(SERVICES_OWN))

    def told(self) -> dict[str, Any]:
        """The rules that there are, as JSON for consumers."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)


SERVICES_OWN: Final = frozenset({"owners_look", "filtered"})
NO_RULES: Final = ReleaseRules()


class RulesUnreadable(ValueError):
    """What somebody has said is no set of release rules. `place` within it, and what should be there."""

    def __init__(self, place: str, expected: str) -> None:
        super().__init__(f"{place}: {expected}")
        self.place, self.expected = place, expected


def read_rules(value: Any) -> ReleaseRules:
    """The rules that a document says, in camel case; None says none. Raises RulesUnreadable."""
    if value is None:
        return NO_RULES
    try:
        return ReleaseRules.model_validate_json(compact_json(value), by_alias=True, by_name=False)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        raise RulesUnreadable(".".join(["release", *map(str, error["loc"])])[:100], error["msg"][:300]) from None


def strictest(several: Iterable[ReleaseRules]) -> ReleaseRules:
    """What holds where all of them hold."""
    rules = tuple(several)
    lists = [_with_texts(each.types) for each in rules if each.types is not None]
    allowed = None if not lists else tuple(sorted(frozenset.intersection(*lists)))
    return ReleaseRules(
        max_bytes=_least(each.max_bytes for each in rules),
        max_files=_least(each.max_files for each in rules),
        share_of_inputs=_least(each.share_of_inputs for each in rules),
        types=allowed,
        log_bytes=_least(each.log_bytes for each in rules),
        approval="owner" if any(each.approval == "owner" for each in rules) else "none",
        approval_seconds=_least(each.approval_seconds for each in rules),
        owners_look=_everyone(each.owners_look for each in rules),
        filtered=max((each.filtered for each in rules if each.filtered is not None), default=None),
    )


def _everyone(answers: Iterable[bool | None]) -> bool | None:
    """Whether all agree; None where somebody says nothing, and nobody says no."""
    said = set(answers)
    return False if False in said else True if said == {True} else None


def _with_texts(types: tuple[ContentType, ...]) -> frozenset[ContentType]:
    """Whoever allows texts allows each kind of them."""
    return frozenset(types) | (TEXTS if "text" in types else frozenset())


def _least(values: Iterable[Any]) -> Any:
    return min((value for value in values if value is not None), default=None)
