"""The results of a job as a research object: `ro-crate-metadata.json`, made of the job's passport alone.

A Process Run Crate 0.6 (https://w3id.org/ro/wfrun/process/0.6), and so RO-Crate 1.3. The job is the action, the
algorithm its instrument, the datasets its objects, and the files that the caller has are its results. Reviews are told
in the terms of Five Safes RO-Crate 0.4 (https://w3id.org/5s-crate/0.4): a sign-off by the service's policy, and a
disclosure check where the operator's filter has judged. There is no check phase, because a passport has digests of what
went in but does not say with what they were compared. Conformance to Five Safes is not declared: it demands a project
and a workflow crate, of which a passport knows nothing.

No I/O, and the same arguments always give the same bytes. The caller has verified the passport and the files before
(`records.verify`); nothing is judged here.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from contract.manifest import MANIFEST_NAME
from contract.provenance import OrderedAsset
from records.passport import PASSPORT_NAME
from records.statement import Statement, StatementInvalid, Subject
from records.told import ToldJob, told_job, uri

CRATE_NAME: Final = "ro-crate-metadata.json"
SPECIFICATION: Final = "https://w3id.org/ro/crate/1.3"
PROFILE: Final = "https://w3id.org/ro/wfrun/process/0.6"
CONTEXT: Final = ("https://w3id.org/ro/crate/1.3/context", "https://w3id.org/ro/terms/workflow-run/context")
PASSPORT_FORMAT: Final = "application/vnd.dsse.envelope.v1+json"

_ROOT, _LICENCE, _POLICY = "./", "#licence", "#policy"
_COMPLETED, _FAILED = "http://schema.org/CompletedActionStatus", "http://schema.org/FailedActionStatus"
_REVIEW: Final = "https://w3id.org/shp#"  # Safe Haven Provenance, whose terms Five Safes RO-Crate takes
_JUDGED: Final = {
    "Succeeded": (_COMPLETED, "released"),
    "Failed": (_FAILED, "withheld"),
    "Error": (_FAILED, "withheld"),
}
Entity = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file that the caller has: which subject of the passport it is, and how many bytes it has, if that is known."""

    subject: Subject
    size: int | None = None


def crate_of(
    passport: Statement, passport_bytes: bytes, files: Mapping[str, LocalFile], *, passport_name: str = PASSPORT_NAME
) -> bytes:
    """`passport_bytes`: the signed envelope, which lies beside the crate under `passport_name`. This name and those of
    `files` are relative to the crate's folder and have `/` between their parts.

    Raises StatementInvalid for a passport that lacks a part which every passport has, and ValueError for a name that
    does not stay in the folder or stands there twice, and for a file that is none of the passport's.
    """
    if not {file.subject for file in files.values()} <= set(passport.subjects):
        raise ValueError("a file is not among those of the passport")
    job = told_job(passport)
    results = [_file(name, files[name], job) for name in sorted(files)]
    parts = [_passport(passport_name, passport_bytes, job), *results]
    if len({CRATE_NAME, *(part["@id"] for part in parts)}) != len(parts) + 1:
        raise ValueError(f"two files of the crate have one name, or one is called {CRATE_NAME}")
    algorithm, datasets = _algorithm(job, parts[0]), _datasets(job)
    action, reviews = _action(job, algorithm, datasets, results), _reviews(job, [algorithm, *datasets])
    described = [
        *_frame(job, parts, [action, *reviews]),
        *(action, algorithm, *_image(job), *datasets, *_agents(job), *reviews, *parts),
    ]
    # Nothing is described twice: a consumer can be the service's own account, an algorithm can be ordered as a dataset.
    graph: dict[str, Entity] = {}
    for entity in described:
        graph.setdefault(entity["@id"], entity)
    text = json.dumps({"@context": CONTEXT, "@graph": list(graph.values())}, ensure_ascii=False, indent=2)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        raise StatementInvalid("the passport has text that is none") from None


def _frame(job: ToldJob, parts: Sequence[Entity], actions: Sequence[Entity]) -> list[Entity]:
    """The crate itself, its profile, its licence, and the policy that its reviews follow."""
    return [
        _entity(CRATE_NAME, "CreativeWork", conformsTo={"@id": SPECIFICATION}, about={"@id": _ROOT}),
        _entity(
            _ROOT,
            "Dataset",
            conformsTo={"@id": PROFILE},
            name=f"Results of the compute job {job.id}",
            description=f"What the {job.service_name} released of this job, and the passport of the job.",
            datePublished=job.finished,
            license={"@id": _LICENCE},
            publisher={"@id": job.service},
            hasPart=_references(parts),
            mentions=_references(actions),
        ),
        _entity(PROFILE, ["CreativeWork", "Profile"], name="Process Run Crate", version="0.6"),
        _entity(
            _LICENCE,
            "CreativeWork",
            name="No licence is stated",
            description="The passport states no licence. Ask the publishers of the datasets and of the algorithm what "
            "may be done with these files.",
        ),
        _entity(
            _POLICY,
            "CreativeWork",
            name="Policy of the service when it accepted the start",
            description=job.policy,
        ),
    ]


def _action(job: ToldJob, algorithm: Entity, datasets: Sequence[Entity], results: Sequence[Entity]) -> Entity:
    code = "" if job.exit_code is None else f"; exit code of the algorithm: {job.exit_code}"
    well = job.reason == "completed"
    return _entity(
        job.action,
        "CreateAction",
        name=f"Compute job {job.id}",
        description=job.conditions,
        startTime=job.started,
        endTime=job.finished,
        instrument={"@id": algorithm["@id"]},
        agent={"@id": job.agent} if job.agent else None,
        object=_references(datasets),
        result=_references(results),
        containerImage=_references(_image(job)),
        actionStatus=_COMPLETED if well else _FAILED,
        error="" if well else job.reason + code,
    )


def _algorithm(job: ToldJob, passport: Entity) -> Entity:
    """Bought, it is its DID; sent along as one file, it is the digest of that (RFC 6920). RO-Crate demands a URL and a
    version of every application: where no URL is known, the passport is what there is to read."""
    versions = [f"sha256:{digest}" for name, digest in job.digests.items() if name.startswith("algorithm/")]
    identifier, name, told = "#algorithm", "Algorithm sent along with the request", "It was not ordered as an asset."
    if job.algorithm is not None:
        did = job.algorithm.did
        identifier, name, told = uri(did, ":"), f"Algorithm {did}", _ordered(job.algorithm)
        document = job.digests.get(f"ddos/{did}")
        versions = versions or ([f"sha256:{document} (of its document)"] if document else [])
    elif len(versions) == 1:
        digest = bytes.fromhex(versions[0].removeprefix("sha256:"))
        identifier = f"ni:///sha-256;{urlsafe_b64encode(digest).decode().rstrip('=')}"
    return _entity(
        identifier,
        "SoftwareApplication",
        name=name,
        description=told,
        url=passport["@id"] if identifier.startswith("#") else identifier,
        version=" ".join(versions) or "not known",
    )


def _image(job: ToldJob) -> list[Entity]:
    """The parts of the image's reference; what it leaves to a default of the cluster is left out."""
    place, _, digest = job.image.partition("@sha256:")
    first, _, rest = place.partition("/")
    registry = first if rest and ("." in first or ":" in first or first == "localhost") else ""
    name, _, tag = (rest if registry else place).partition(":")
    image = _entity(
        uri(f"docker:{job.image}", ":"),
        "ContainerImage",
        additionalType={"@id": "https://w3id.org/ro/terms/workflow-run#DockerImage"},
        registry=registry,
        name=name,
        tag=tag,
        sha256=digest,
    )
    return [image] if job.image else []


def _datasets(job: ToldJob) -> list[Entity]:
    """Not of the type Dataset: what has that type is a part of the crate, and these never leave their owners."""
    return [
        _entity(
            uri(did, ":"),
            "CreativeWork",
            additionalType={"@id": "http://schema.org/Dataset"},
            name=f"Dataset {did}",
            description=" ".join(_ordered(each) for each in job.datasets if each.did == did)
            + f" Files of it that the passport lists as given to the job: {job.inputs.count(did)}.",
        )
        for did in dict.fromkeys(each.did for each in job.datasets)
    ]


def _agents(job: ToldJob) -> list[Entity]:
    """Who acted. A consumer is a Person, because the profile wants a Person or an Organization: an account does not say
    which of them holds it."""
    service = _entity(
        job.service,
        "Organization",
        name=job.service_name,
        description=f"Known by the account that it signs with; its software has the version {job.version}.",
        url=job.url,
    )
    told = "Ordered the job; known by this Ethereum account alone."
    consumer = _entity(job.agent, "Person", name=job.consumer, description=told)
    return [service, consumer] if job.agent else [service]


def _reviews(job: ToldJob, assessed: Sequence[Entity]) -> list[Entity]:
    """The reviews that the passport proves, each an AssessAction of Five Safes RO-Crate. It does not say when the
    service signed off, only that it had done so when the job started."""
    sign_off = _entity(
        f"#sign-off-{uri(job.id)}",
        "AssessAction",
        additionalType={"@id": f"{_REVIEW}SignOff"},
        name="Sign-off of the start by the policy of the service: approved",
        description=f"The service accepted the request, at the latest at {job.started}.",
        object=[{"@id": _ROOT}, *({"@id": each["@id"]} for each in assessed)],
        instrument={"@id": _POLICY},
        agent={"@id": job.service},
        actionStatus=_COMPLETED,
    )
    if job.filtering.get("phase") not in _JUDGED:
        return [sign_off]
    status, outcome = _JUDGED[job.filtering["phase"]]
    disclosure = _entity(
        f"#disclosure-{uri(job.id)}",
        "AssessAction",
        additionalType={"@id": f"{_REVIEW}DisclosureCheck"},
        name=f"Disclosure check of the results by the operator's filter: {outcome}",
        startTime=job.filtering["started"],
        endTime=job.filtering["finished"],
        object={"@id": _ROOT},
        agent={"@id": job.service},
        actionStatus=status,
    )
    return [sign_off, disclosure]


def _passport(name: str, content: bytes, job: ToldJob) -> Entity:
    return _entity(
        _file_id(name),
        "File",
        name="Passport of the job",
        description="A signed statement of what ran on what, who ordered it and which files came out: SLSA provenance "
        "in an in-toto statement, in a DSSE envelope.",
        encodingFormat=PASSPORT_FORMAT,
        contentSize=str(len(content)),
        sha256=hashlib.sha256(content).hexdigest(),
        about={"@id": job.action},
    )


def _file(name: str, file: LocalFile, job: ToldJob) -> Entity:
    path = file.subject.name
    told = "A log of the job." if path in job.logs else "An output of the job."
    return _entity(
        _file_id(name),
        "File",
        name=_readable(name.rpartition("/")[2]),
        alternateName="" if path == name else path,
        description="The list of all that was released." if path == MANIFEST_NAME else told,
        contentSize="" if file.size is None else str(file.size),
        sha256=file.subject.sha256,
    )


def _entity(identifier: str, kind: str | list[str], **known: Any) -> Entity:
    """What is empty is not known, and left out."""
    return {"@id": identifier, "@type": kind, **{name: value for name, value in known.items() if value}}


def _references(entities: Sequence[Entity]) -> Any:
    """A single one stands alone, as compacted JSON-LD has it."""
    found = [{"@id": entity["@id"]} for entity in entities]
    return found[0] if len(found) == 1 else found


def _ordered(asset: OrderedAsset) -> str:
    bought = f", ordered in transaction {asset.order} on chain {asset.chain_id}" if asset.order else ""
    return f"Service {asset.service_id} of this asset{bought}."


def _file_id(name: str) -> str:
    if any(part in ("", ".", "..") for part in name.split("/")):
        raise ValueError(f"{_readable(name)} is no path below the crate's folder")
    return uri(name)


def _readable(name: str) -> str:
    """The name of a file, whose bytes need not be text."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
