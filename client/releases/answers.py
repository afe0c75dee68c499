"""The answers of a service, checked before anything is signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from client.exits import Refused, Unreachable
from contract.manifest import OWN_LOGS, ManifestInvalid, parse_manifest
from records.decision import Decision

_Standing = Literal["held", "released", "refused"]
_SIZE: Final = Field(ge=0, lt=1 << 63)
_DID: Final = Field(pattern=r"^did:op:[0-9a-f]{64}$")
_SHA256: Final = Field(pattern=r"^[0-9a-f]{64}$")


class Answer(BaseModel):
    """What is not named here is left to later versions of the service."""

    model_config = ConfigDict(frozen=True, strict=True, alias_generator=to_camel)


class Listed(Answer):
    job_id: str
    document_id: str = _DID
    standing: _Standing
    until: float | None  # Unix seconds
    environment: str
    consumer: str
    algorithm: str  # DID, or ""
    finished_at: str | None  # Unix seconds
    files: int | None = _SIZE  # None: too many to stand in a list
    bytes: int | None = _SIZE
    program: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    by_trust: bool = False


class ListAnswer(Answer):
    releases: list[Listed]


class DatasetAnswer(Answer):
    document_id: str = _DID
    mine: bool
    standing: Literal["waiting", "released", "refused"]
    reason: str | None = None
    by_trust: bool = False
    trusted_until: int | None = None  # by this account; Unix seconds


class FileAnswer(Answer):
    index: int = _SIZE
    path: str
    filesize: int = _SIZE
    sha256: str = _SHA256
    type: str = Field(max_length=40)


class Shown(Answer):
    job_id: str
    standing: _Standing
    until: float | None
    manifest_digest: str = _SHA256
    datasets: list[DatasetAnswer]
    files: list[FileAnswer]
    manifest: str  # what a decision names the digest of
    program: str = Field(pattern=r"^([0-9a-f]{64})?$")  # what trust names; "": it cannot be trusted
    owners_look: bool

    @classmethod
    def of(cls, answer: Mapping[str, Any], job_id: str) -> Self:
        """An answer that is about this job and names nothing twice. Raises Unreachable."""
        found = read_answer(cls, answer)
        if found.job_id != job_id:
            raise Unreachable(f"the service answers with another job than {job_id}")
        for names in ([each.path for each in found.files], [each.document_id for each in found.datasets]):
            if len(set(names)) != len(names):
                raise Unreachable("the service's answer names a file or a dataset twice")
        found.require_honest()
        return found

    def require_honest(self) -> None:
        """The files that are shown are those of the manifest, and the digest that is signed is the manifest's. Raises
        Unusable."""
        try:
            manifest = parse_manifest(self.manifest.encode(), job_id=self.job_id, digest=self.manifest_digest)
        except (ManifestInvalid, UnicodeEncodeError):
            raise Unreachable("the service's answer has another manifest than it names the digest of") from None
        files = [file for file in manifest.files if file.type not in OWN_LOGS]
        there = [(file.index, file.path, file.filesize, file.sha256) for file in files]
        if [(file.index, file.path, file.filesize, file.sha256) for file in self.files] != there:
            raise Unreachable("the service's answer shows other files than its manifest has")
        if self.program and (manifest.provisioned is None or manifest.provisioned.program != self.program):
            raise Unreachable("the service's answer names another algorithm than its manifest has")

    def require_taken(self, decision: Decision) -> None:
        """Raises Unreachable."""
        taken = "released" if decision.released else "refused"
        stands = {each.document_id: each.standing for each in self.datasets}
        if self.manifest_digest != decision.manifest_digest or stands.get(decision.did) != taken:
            raise Unreachable("the service's answer does not say that the decision was taken")

    def to_trust(self, only: str | None) -> list[str]:
        """This account's DIDs of the job, or the one that was asked for. Raises Refused."""
        if not self.program:
            raise Refused(
                "this algorithm cannot be trusted once for all: its image is named without a digest, so that another"
                " one may be behind the name tomorrow, or the job is older than such trust"
            )
        mine = [each.document_id for each in self.datasets if each.mine]
        if only is not None and only not in mine:
            raise Refused(f"--dataset {only} is not among the datasets of this job that this account owns")
        return mine if only is None else [only]

    def file(self, index: int) -> FileAnswer:
        """Raises Refused."""
        if not self.owners_look:
            raise Refused("owners may not look into the results of this job: not all of its datasets say so")
        found = next((each for each in self.files if each.index == index), None)
        if found is None:
            raise Refused(f"there is no file {index} among the results of this job")
        return found

    def to_decide(self, only: str | None) -> list[str]:
        """DIDs that wait for this account, or the one that was asked for. Raises Refused."""
        if self.standing != "held":
            raise Refused(f"nothing to decide: the results of this job are {self.standing} already")
        found = next((each for each in self.datasets if each.document_id == only), None)
        if only is not None and found is None:
            raise Refused(f"--dataset {only} is not among the datasets of this job whose owners are asked")
        if found is not None and not found.mine:
            raise Refused(f"--dataset {only} is not owned by this account: only its owner decides on it")
        if found is not None and found.standing != "waiting":
            raise Refused(f"nothing to decide: {only} is {found.standing} already")
        waiting = [each.document_id for each in self.datasets if each.mine and each.standing == "waiting"]
        if not waiting:
            raise Refused("nothing to decide: no dataset of this job waits for this account")
        return waiting if found is None else [found.document_id]


class TrustAnswer(Answer):
    document_id: str = _DID
    program: str = _SHA256
    account: str
    until: int | None  # Unix seconds; None: withdrawn


_Model = TypeVar("_Model", bound=Answer)


def read_answer(model: type[_Model], answer: Mapping[str, Any]) -> _Model:
    """Raises Unreachable."""
    try:
        return model.model_validate(answer)
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Unreachable(f"the service's answer is not understood: {where}: {first['msg']}") from None
