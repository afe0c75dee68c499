"""The tables in an environment's description: pods of the steps, filter, publication, tolerations."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from contract import names
from ocean.kit.kubernetes_names import SUBDOMAIN, is_label_key, is_label_value
from workflow_templates.declaring import Option

# The workflow is the only record of its results, so where they are kept for ever it has to stay as long; Argo wants a
# number, and ten years are longer than a cluster lives.
KEEP_SECONDS: Final = 10 * 365 * 86_400

Seconds = Annotated[int, Field(gt=0, le=KEEP_SECONDS)]
# As Kubernetes writes amounts; `quantities.py` has them as numbers.
Processors = Annotated[str, Field(pattern=r"^[1-9][0-9]*m?$")]  # 500m, 2
Quantity = Annotated[str, Field(pattern=r"^[1-9][0-9]*(Ki|Mi|Gi)?$")]  # of bytes: 512Mi


def _label_key(text: str) -> str:
    if not is_label_key(text):
        raise ValueError("must be a label's key, as disk or example.com/disk")
    return text


def _label_value(text: str) -> str:
    if not is_label_value(text):
        raise ValueError("must be a label's value: at most 63 letters, digits, '-', '_', '.'")
    return text


LabelKey = Annotated[str, AfterValidator(_label_key)]
LabelValue = Annotated[str, AfterValidator(_label_value)]
Name = Annotated[str, Field(pattern=f"^{SUBDOMAIN}$")]


class Value(BaseModel):
    """Refuses unknown keys and converts nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StepPods(Value):
    """The pods of our own programs, configuration and publishing."""

    cpu: Annotated[Processors, Option("quantity", "pods of configuration and publishing, each")] = "1"
    memory: Annotated[Quantity, Option("quantity", "their memory, each")] = "512Mi"
    tmp: Annotated[Quantity, Option("quantity", "their `/tmp`, the only writable folder beside the job's volume")] = (
        "64Mi"
    )
    configuration_seconds: Annotated[Seconds, Option("seconds", "one attempt at all downloads; there are three")] = (
        3_600
    )
    publishing_seconds: Annotated[Seconds, Option("seconds", "one attempt at all uploads; there are three")] = 3_600


class Filter(Value):
    """The operator's own program that sees a job's results before anybody else, and may withhold or rewrite them.

    It runs without a network as `command` in `image`, which needs `sh` and `tee`.
    """

    image: Annotated[
        str,
        Field(min_length=1, max_length=500),
        Option(
            "image reference", "where the operator's program is that judges results; see below", default="no filter"
        ),
    ]
    command: Annotated[
        tuple[str, ...],
        Field(min_length=1, max_length=100),
        Option("list of words", "that program, as it is run", default="no filter"),
    ]
    cpu: Annotated[Processors, Option("quantity", "its pod")] = "1"
    memory: Annotated[Quantity, Option("quantity", "its pod")] = "512Mi"
    tmp: Annotated[Quantity, Option("quantity", "its pod")] = "64Mi"
    seconds: Annotated[Seconds, Option("seconds", "one attempt, copying the results included; there are three")] = 3_600

    @field_validator("command", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _literal(self) -> Self:
        if any("{{" in text or "\0" in text for text in (self.image, *self.command)):
            raise ValueError("image and command must be text without {{")
        return self


class Toleration(Value):
    """A taint of nodes on which a job's pods may run all the same. Together as Kubernetes wants it."""

    key: Annotated[
        str,
        AfterValidator(lambda text: text and _label_key(text)),
        Option("taint's key", "which taint is tolerated; empty, with `Exists`: every one", default="every taint"),
    ] = ""
    operator: Annotated[
        Literal["Equal", "Exists"], Option("`Equal` or `Exists`", "`Exists`: whatever the taint's value is")
    ] = "Equal"
    value: Annotated[LabelValue, Option("taint's value", "for `Equal`")] = ""
    effect: Annotated[
        Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"],
        Option("taint's effect", "`NoSchedule`, `PreferNoSchedule` or `NoExecute`", default="every effect"),
    ] = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.operator == "Equal" and not self.key:
            raise ValueError("operator Equal needs a key")
        if self.operator == "Exists" and self.value:
            raise ValueError("operator Exists has no value")
        return self


class Publication(Value):
    """A consumer may ask that a job's outputs become a new asset: on this chain, by the account in this Secret."""

    chain_id: Annotated[
        int,
        Field(ge=1),
        Option(
            "chain id",
            "[a consumer may ask](../how-to/publish-results.md) that outputs become an asset on this chain",
            default="results do not become assets",
        ),
    ]
    secret: Annotated[
        str,
        Field(pattern=f"^{SUBDOMAIN}$"),
        Option("name", "what its publishing pods are told of that chain, and the key that pays"),
    ] = names.PUBLICATION_SECRET
