"""The passport of a job: what ran on what, who ordered it, and which files came out.

An in-toto statement with the predicate `https://slsa.dev/provenance/v1`; its subjects are the manifest and every file
that was released, and `BUILD_TYPE` says what the other parts mean (docs/reference/passport.md defines each field).
A passport is a pure function of Argo's record of the job and of the manifest, so it is the same at each asking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from contract.manifest import MANIFEST_NAME
from contract.provenance import OrderedAsset, Provisioned, StartRecord
from records.statement import PROVENANCE, Statement, StatementInvalid, Subject

BUILD_TYPE: Final = "https://c2d.oceanprotocol.com/passport/v1"
PASSPORT_NAME: Final = "passport.dsse.json"
PASSPORT_TYPE: Final = "passport"  # its type in a list of results
_ACCOUNT: Final = "ethereum:"  # the URI scheme of EIP-681


@dataclass(frozen=True, slots=True)
class ReleasedFile:
    """`path` below /data, as the manifest has it."""

    path: str
    sha256: str
    is_log: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the job; times are aware UTC, None where it did not get so far."""

    name: str
    phase: str
    started: datetime | None
    finished: datetime | None


@dataclass(frozen=True, slots=True)
class JobFacts:
    """All of a finished job that its passport tells."""

    job_id: str
    start: StartRecord
    environment: str
    consumer: str
    agreement_id: str
    valid_until: int  # Unix seconds; 0: no end
    image: str  # the algorithm's image, as its pod was given it
    filtered: bool
    manifest_digest: str
    files: Sequence[ReleasedFile]
    provisioned: Provisioned | None  # None: configuration did not come so far
    steps: Sequence[Step]
    created: datetime
    finished: datetime
    status: int
    reason: str
    exit_code: int | None
    stop_requested: int


def passport_of(job: JobFacts) -> Statement:
    """Raises ValueError for a job whose manifest names a file twice."""
    subjects = (
        Subject(MANIFEST_NAME, job.manifest_digest),
        *(Subject(file.path, file.sha256) for file in job.files),
    )
    if len({each.name for each in subjects}) != len(subjects):
        raise ValueError("two released files have one name")
    return Statement(
        subjects,
        PROVENANCE,
        {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": _request(job),
                "internalParameters": _conditions(job),
                "resolvedDependencies": _dependencies(job),
            },
            "runDetails": {
                "builder": {
                    "id": _ACCOUNT + job.start.provider,
                    "version": {"c2d": job.start.service_version},
                    **({"c2d_url": job.start.url} if job.start.url else {}),
                },
                "metadata": _run(job),
                "byproducts": [
                    {"name": file.path, "digest": {"sha256": file.sha256}} for file in job.files if file.is_log
                ],
            },
        },
    )


def job_of(passport: Statement) -> str:
    """The job that a passport is about. Raises StatementInvalid where the statement is no passport."""
    try:
        definition, run = passport.predicate["buildDefinition"], passport.predicate["runDetails"]
        if passport.predicate_type != PROVENANCE or definition["buildType"] != BUILD_TYPE:
            raise StatementInvalid("this is provenance of something else than a job")
        job_id = run["metadata"]["invocationId"]
    except (KeyError, TypeError):
        raise StatementInvalid("the passport lacks a part that every passport has") from None
    if not isinstance(job_id, str) or not job_id:
        raise StatementInvalid("the passport does not name its job")
    return job_id


def manifest_digest_of(passport: Statement) -> str:
    """SHA-256 of the job's manifest. Raises StatementInvalid."""
    found = [each.sha256 for each in passport.subjects if each.name == MANIFEST_NAME]
    if not found:
        raise StatementInvalid("the passport does not name the manifest")
    return found[0]


def orders_of(passport: Statement) -> tuple[OrderedAsset, ...]:
    """The orders that the passport names, the datasets' first. Raises StatementInvalid."""
    try:
        request = passport.predicate["buildDefinition"]["externalParameters"]
        named = [*request["datasets"], *([] if request["algorithm"] == _SENT_ALONG else [request["algorithm"]])]
        return tuple(
            OrderedAsset(did=each["did"], service_id=each["serviceId"], chain_id=each["chainId"], order=each["order"])
            for each in named
        )
    except (KeyError, TypeError, ValueError):
        raise StatementInvalid("the passport does not name its orders as passports do") from None


_SENT_ALONG: Final = {"sentAlong": True}


def _request(job: JobFacts) -> dict[str, Any]:
    """What the consumer asked for."""
    algorithm = job.start.algorithm
    return {
        "environment": job.environment,
        "consumer": job.consumer,
        "agreementId": job.agreement_id,
        "validUntil": job.valid_until,
        "datasets": [_ordered(asset) for asset in job.start.datasets],
        "algorithm": _SENT_ALONG if algorithm is None else _ordered(algorithm),
    }


def _ordered(asset: OrderedAsset) -> dict[str, Any]:
    return {"did": asset.did, "serviceId": asset.service_id, "chainId": asset.chain_id, "order": asset.order}


def _conditions(job: JobFacts) -> dict[str, Any]:
    """Under which of the operator's terms it ran."""
    policy = job.start.policy
    return {
        "environmentDigest": {"sha256": job.start.environment_digest},
        "image": job.image,
        "network": job.start.network,
        "isolation": job.start.isolation,
        "filtered": job.filtered,
        **({"steps": dict(job.start.steps)} if job.start.steps else {}),
        "release": job.start.release.told(),
        "policy": {
            "trustedLists": policy.trusted_lists,
            "trustedListsEmpty": policy.trusted_lists_empty,
            "requireChecksums": policy.require_checksums,
        },
    }


def _dependencies(job: JobFacts) -> list[dict[str, Any]]:
    """What went in: the algorithm in clear, the datasets' files as salted digests."""
    found: list[dict[str, Any]] = [_image(job.image, pulled=job.start.image_pulled)]
    if job.provisioned is None:
        return found
    went_in = job.provisioned
    found += [{"name": f"algorithm/{n}", "digest": {"sha256": sha256}} for n, sha256 in enumerate(went_in.algorithm)]
    if went_in.program:
        found.append({"name": "algorithm", "digest": {"c2dProgram": went_in.program}})
    found.append({"name": "algoCustomData.json", "digest": {"sha256": went_in.custom_data}})
    found += [
        {"uri": did, "name": f"ddos/{did}", "digest": {"sha256": sha256}} for did, sha256 in went_in.documents.items()
    ]
    found += [
        {"uri": did, "name": f"results/{did}", "digest": {"c2dOutputs": digest}}
        for did, digest in went_in.made_of.items()
    ]
    found += [
        {
            "uri": each.did,
            "name": f"inputs/{each.did}/{each.service_id}/{each.index}",
            "digest": {"c2dSalted": each.salted},
        }
        for each in went_in.inputs
    ]
    return found


def _image(reference: str, *, pulled: bool) -> dict[str, Any]:
    """The digest is told where the reference pins one and the image was pulled by it: a tag alone says nothing of what
    ran, nor does a name behind which the machine's own programs stand."""
    name, _, digest = reference.partition("@sha256:")
    known = {"digest": {"sha256": digest}} if digest and pulled else {}
    return {"name": "image", "uri": f"docker:{name}", **known}


def _run(job: JobFacts) -> dict[str, Any]:
    return {
        "invocationId": job.job_id,
        "startedOn": _time(job.created),
        "finishedOn": _time(job.finished),
        "c2d_steps": [
            {
                "name": step.name,
                "phase": step.phase,
                **({"startedOn": _time(step.started)} if step.started else {}),
                **({"finishedOn": _time(step.finished)} if step.finished else {}),
            }
            for step in job.steps
        ],
        "c2d_status": job.status,
        "c2d_reason": job.reason,
        "c2d_stopRequested": job.stop_requested,
        **({} if job.exit_code is None else {"c2d_exitCode": job.exit_code}),
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
