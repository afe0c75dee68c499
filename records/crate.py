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
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from contract.manifest import MANIFEST_NAME
from contract.names import FILTERING
from contract.provenance import OrderedAsset
from records.passport import PASSPORT_NAME, job_of, orders_of
from records.statement import Statement, StatementInvalid, Subject

CRATE_NAME: Final = "ro-crate-metadata.json"
SPECIFICATION: Final = "https://w3id.org/ro/crate/1.3"
PROFILE: Final = "https://w3id.org/ro/wfrun/process/0.6"
CONTEXT: Final = ("https://w3id.org/ro/crate/1.3/context", "https://w3id.org/ro/terms/workflow-run/context")
PASSPORT_FORMAT: Final = "application/vnd.dsse.envelope.v1+json"

_ROOT, _LICENCE, _POLICY, _ALGORITHM = "./", "#licence", "#policy", "#algorithm"
_ACCOUNT: Final = "ethereum:"  # as a passport names accounts
_COMPLETED, _FAILED = "http://schema.org/CompletedActionStatus", "http://schema.org/FailedActionStatus"
_REVIEW: Final = "https://w3id.org/shp#"  # Safe Haven Provenance, whose terms Five Safes RO-Crate takes
_JUDGED: Final = {
    "Succeeded": (_COMPLETED, "released"),
    "Failed": (_FAILED, "withheld"),
    "Error": (_FAILED, "withheld"),
}
# What stands in an identifier as it is. RO-Crate wants international letters unescaped, and the rest as in a URI. The
# colon is not here, or what stands before it in a file's name would be read as a scheme; nor are the signs from U+2000
# on, some of which are blanks or turn the direction of text.
_PLAIN: Final = re.compile("[A-Za-z0-9._~!$&'()*+,;=@/\\-\u00a1-\u1fff\u2c00-\ud7ff\uf900-\ufdcf\U00010000-\U0001fffd]")

Entity = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file that the caller has: which subject of the passport it is, and how many bytes it has, if that is known."""

    subject: Subject
    size: int | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    """What a crate tells of a passport. Times are ISO 8601; "" is what the passport does not know."""

    id: str
    datasets: Sequence[OrderedAsset]
    algorithm: OrderedAsset | None  # None: sent along
    consumer: str
    conditions: str
    policy: str
    image: str
    service: str  # URI of its account
    url: str
    version: str
    started: str
    finished: str
    reason: str
    exit_code: int | None
    filtering: Mapping[str, str]  # the step; empty where there is no filter, or the job did not come so far
    digests: Mapping[str, str]  # of what went in and is told in clear
    inputs: Sequence[str]  # the DID of each file of a dataset that went in
    logs: frozenset[str]


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
    job = _read(passport)
    results = [_file(name, files[name], job) for name in sorted(files)]
    parts = [_passport(passport_name, passport_bytes, job), *results]
    if len({CRATE_NAME, *(part["@id"] for part in parts)}) != len(parts) + 1:
        raise ValueError(f"two files of the crate have one name, or one is called {CRATE_NAME}")
    algorithm, datasets = _algorithm(job), _datasets(job)
    action, reviews = _action(job, algorithm, datasets, results), _reviews(job, [algorithm, *datasets])
    described = [
        *_frame(job, parts, [action, *reviews]),
        *(action, algorithm, *_image(job), *datasets, *_agents(job), *reviews, _policy(job), *parts),
    ]
    # Nothing is described twice: a consumer can be the service's own account, an algorithm can be ordered as a dataset.
    graph: dict[str, Entity] = {}
    for entity in described:
        graph.setdefault(entity["@id"], entity)
    try:
        return (
            json.dumps({"@context": CONTEXT, "@graph": [*graph.values()]}, ensure_ascii=False, indent=2).encode()
            + b"\n"
        )
    except UnicodeEncodeError:
        raise StatementInvalid("the passport has text that is none") from None


def _read(passport: Statement) -> _Job:
    job_id, orders = job_of(passport), orders_of(passport)
    try:
        definition, run = passport.predicate["buildDefinition"], passport.predicate["runDetails"]
        request, terms = definition["externalParameters"], definition["internalParameters"]
        builder, metadata, went_in = run["builder"], run["metadata"], definition["resolvedDependencies"]
        bought = "did" in request["algorithm"]
        steps = {step["name"]: step for step in metadata["c2d_steps"]}
        told = ", ".join(f"{name} {step['phase']}" for name, step in steps.items())
        return _Job(
            id=job_id,
            datasets=orders[:-1] if bought else orders,
            algorithm=orders[-1] if bought else None,
            consumer=_text(request["consumer"]),
            conditions=f"Environment: {request['environment']}, announced with the SHA-256 "
            f"{terms['environmentDigest']['sha256']}. Network: {terms['network']}. Steps: {told or 'none'}.",
            policy=json.dumps(terms["policy"]),
            image=_text(terms["image"]),
            service=_uri(_text(builder["id"]), ":"),
            url=_text(builder.get("c2d_url", "")),
            version=_text(builder["version"]["c2d"]),
            started=_time(metadata["startedOn"]),
            finished=_time(metadata["finishedOn"]),
            reason=_text(metadata["c2d_reason"]),
            exit_code=metadata.get("c2d_exitCode"),
            filtering=_step(steps[FILTERING]) if terms["filtered"] and FILTERING in steps else {},
            digests={
                each["name"]: bytes.fromhex(each["digest"]["sha256"]).hex()
                for each in went_in
                if "sha256" in each.get("digest", {})
            },
            inputs=[each["uri"] for each in went_in if each["name"].startswith("inputs/")],
            logs=frozenset(each["name"] for each in run["byproducts"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise StatementInvalid("the passport lacks a part that every passport has") from None


def _frame(job: _Job, parts: Sequence[Entity], actions: Sequence[Entity]) -> list[Entity]:
    """The crate itself, and what it says of itself."""
    return [
        _entity(CRATE_NAME, "CreativeWork", conformsTo={"@id": SPECIFICATION}, about={"@id": _ROOT}),
        _entity(
            _ROOT,
            "Dataset",
            conformsTo={"@id": PROFILE},
            name=f"Results of the compute job {job.id}",
            description=f"What the {_name(job)} released of this job, and the passport of the job.",
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
    ]


def _action(job: _Job, algorithm: Entity, datasets: Sequence[Entity], results: Sequence[Entity]) -> Entity:
    code = "" if job.exit_code is None else f"; exit code of the algorithm: {job.exit_code}"
    well = job.reason == "completed"
    return _entity(
        _action_id(job),
        "CreateAction",
        name=f"Compute job {job.id}",
        description=job.conditions,
        startTime=job.started,
        endTime=job.finished,
        instrument={"@id": algorithm["@id"]},
        agent={"@id": _account(job.consumer)} if job.consumer else None,
        object=_references(datasets),
        result=_references(results),
        containerImage=_references(_image(job)),
        actionStatus=_COMPLETED if well else _FAILED,
        error="" if well else job.reason + code,
    )


def _algorithm(job: _Job) -> Entity:
    """Bought, it is its DID; sent along as one file, it is the digest of that (RFC 6920)."""
    versions = [digest for name, digest in job.digests.items() if name.startswith("algorithm/")]
    identifier, name, told = _ALGORITHM, "Algorithm sent along with the request", "It was not ordered as an asset."
    if job.algorithm is not None:
        did = job.algorithm.did
        identifier, name, told = _uri(did, ":"), f"Algorithm {did}", _ordered(job.algorithm)
        versions = versions or [digest for name, digest in job.digests.items() if name == f"ddos/{did}"]
    elif len(versions) == 1:
        identifier = f"ni:///sha-256;{urlsafe_b64encode(bytes.fromhex(versions[0])).decode().rstrip('=')}"
    return _entity(
        identifier,
        "SoftwareApplication",
        name=name,
        description=told,
        url="" if identifier == _ALGORITHM else identifier,
        version=" ".join(f"sha256:{digest}" for digest in versions),
    )


def _image(job: _Job) -> list[Entity]:
    """The parts of the image's reference; what it leaves to a default of the cluster is left out."""
    place, _, digest = job.image.partition("@sha256:")
    first, _, rest = place.partition("/")
    registry = first if rest and ("." in first or ":" in first or first == "localhost") else ""
    name, _, tag = (rest if registry else place).partition(":")
    image = _entity(
        _uri(f"docker:{job.image}", ":"),
        "ContainerImage",
        additionalType={"@id": "https://w3id.org/ro/terms/workflow-run#DockerImage"},
        registry=registry,
        name=name,
        tag=tag,
        sha256=digest,
    )
    return [image] if job.image else []


def _datasets(job: _Job) -> list[Entity]:
    """Not of the type Dataset: what has that type is a part of the crate, and these never leave their owners."""
    return [
        _entity(
            _uri(did, ":"),
            "CreativeWork",
            additionalType={"@id": "http://schema.org/Dataset"},
            name=f"Dataset {did}",
            description=" ".join(_ordered(each) for each in job.datasets if each.did == did)
            + f" Files of it that the passport lists as given to the job: {job.inputs.count(did)}.",
        )
        for did in dict.fromkeys(each.did for each in job.datasets)
    ]


def _agents(job: _Job) -> list[Entity]:
    """Who acted. A consumer is a Person, because the profile wants a Person or an Organization: an account does not say
    which of them holds it."""
    service = _entity(
        job.service,
        "Organization",
        name=_name(job),
        description=f"Known by the account that it signs with; its software has the version {job.version}.",
        url=job.url,
    )
    told = "Ordered the job; known by this Ethereum account alone."
    consumer = _entity(_account(job.consumer), "Person", name=job.consumer, description=told)
    return [service, consumer] if job.consumer else [service]


def _reviews(job: _Job, assessed: Sequence[Entity]) -> list[Entity]:
    """The reviews that the passport proves, each an AssessAction of Five Safes RO-Crate. It does not say when the
    service signed off, only that it had done so when the job started."""
    sign_off = _entity(
        f"#sign-off-{_uri(job.id)}",
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
        f"#disclosure-{_uri(job.id)}",
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


def _policy(job: _Job) -> Entity:
    name = "Policy of the service when it accepted the start"
    return _entity(_POLICY, "CreativeWork", name=name, description=job.policy)


def _passport(name: str, content: bytes, job: _Job) -> Entity:
    return _entity(
        _file_id(name),
        "File",
        name="Passport of the job",
        description="A signed statement of what ran on what, who ordered it and which files came out: SLSA provenance "
        "in an in-toto statement, in a DSSE envelope.",
        encodingFormat=PASSPORT_FORMAT,
        contentSize=str(len(content)),
        sha256=hashlib.sha256(content).hexdigest(),
        about={"@id": _action_id(job)},
    )


def _file(name: str, file: LocalFile, job: _Job) -> Entity:
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


def _name(job: _Job) -> str:
    return f"Compute-to-Data service {job.url or job.service}"


def _action_id(job: _Job) -> str:
    return f"#job-{_uri(job.id)}"


def _account(address: str) -> str:
    return _uri(_ACCOUNT + address, ":")


def _ordered(asset: OrderedAsset) -> str:
    bought = f", ordered in transaction {asset.order} on chain {asset.chain_id}" if asset.order else ""
    return f"Service {asset.service_id} of this asset{bought}."


def _file_id(name: str) -> str:
    if any(part in ("", ".", "..") for part in name.split("/")):
        raise ValueError(f"{_readable(name)} is no path below the crate's folder")
    return _uri(name)


def _uri(text: str, more: str = "") -> str:
    """`more`: letters that stand as they are beside the plain ones."""
    return "".join(
        letter if letter in more or _PLAIN.fullmatch(letter) else quote(letter.encode("utf-8", "surrogateescape"))
        for letter in text
    )


def _readable(name: str) -> str:
    """The name of a file, whose bytes need not be text."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _time(value: Any) -> str:
    return datetime.fromisoformat(_text(value)).isoformat()


def _step(step: Mapping[str, Any]) -> dict[str, str]:
    started, finished = (_time(step[key]) if key in step else "" for key in ("startedOn", "finishedOn"))
    return {"phase": _text(step["phase"]), "started": started, "finished": finished}
