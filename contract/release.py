"""Release rules: what may leave of a job, as data owners and operators say it, and how several sayings become one.

An environment has some (`[release]` of its description) and each dataset may have some (the member `release` of its
compute service's `compute` section). The strictest of all counts. Every rule is something that can be read aloud: "at
most 5 MB in at most 20 files, CSV or ONNX, logs at most 64 kB, no more than a tenth of what went in".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

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
_COUNT: Final = 2**53


class ReleaseRules(BaseModel):
    """None: there is no such rule. `share_of_inputs` is a part of the inputs' bytes, 0.1 a tenth; `log_bytes` of the
    algorithm's log, 0: never shown; `approval_seconds` is how long results wait for an owner who has to approve."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    max_bytes: Annotated[int, Field(ge=0, le=_COUNT)] | None = None
    max_files: Annotated[int, Field(ge=0, le=_COUNT)] | None = None
    share_of_inputs: Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)] | None = None
    types: tuple[ContentType, ...] | None = None
    log_bytes: Annotated[int, Field(ge=0, le=_COUNT)] | None = None
    approval: Literal["none", "owner"] = "none"
    approval_seconds: Annotated[int, Field(ge=60, le=90 * 86_400)] | None = None

    @property
    def are_none(self) -> bool:
        return self == ReleaseRules()


def strictest(several: Iterable[ReleaseRules]) -> ReleaseRules:
    """What holds where all of them hold."""
    rules = tuple(several)
    lists = [each.types for each in rules if each.types is not None]
    allowed = None if not lists else tuple(kind for kind in lists[0] if all(kind in each for each in lists[1:]))
    return ReleaseRules(
        max_bytes=_least(each.max_bytes for each in rules),
        max_files=_least(each.max_files for each in rules),
        share_of_inputs=_least(each.share_of_inputs for each in rules),
        types=allowed,
        log_bytes=_least(each.log_bytes for each in rules),
        approval="owner" if any(each.approval == "owner" for each in rules) else "none",
        approval_seconds=_least(each.approval_seconds for each in rules),
    )


def _least(values: Iterable[Any]) -> Any:
    return min((value for value in values if value is not None), default=None)
