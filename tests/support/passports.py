"""A made-up job and its passport, for tests of records."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from contract.provenance import InputDigest, OrderedAsset, Policy, Provisioned, StartRecord
from ocean.keys import address_of
from records.envelope import sign_payload
from records.passport import JobFacts, ReleasedFile, Step, passport_of

KEY: Final = "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"  # a public development key
SIGNER: Final = address_of(KEY)
OTHER_KEY: Final = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"  # likewise
DATASET: Final = "did:op:" + "1" * 64
ALGORITHM: Final = "did:op:" + "2" * 64
START: Final = StartRecord(
    provider=SIGNER,
    url="https://provider.example.org",
    service_version="0.1.0",
    image_pulled=True,
    network="none",
    isolation="gvisor",
    environment_digest="e" * 64,
    policy=Policy(trusted_lists="all", trusted_lists_empty="allow", require_checksums=False),
    datasets=(OrderedAsset(did=DATASET, service_id="data", chain_id=8996, order="0x" + "a" * 64),),
    algorithm=OrderedAsset(did=ALGORITHM, service_id="code", chain_id=8996, order="0x" + "b" * 64),
)
PROVISIONED: Final = Provisioned(
    inputs=(InputDigest(did=DATASET, service_id="data", index=0, salted="3" * 64),),
    algorithm=("4" * 64,),
    documents={DATASET: "5" * 64, ALGORITHM: "6" * 64},
    custom_data="7" * 64,
    input_bytes=1_000,
)


def job_facts(**changes: Any) -> JobFacts:
    """A job that went well; `changes` are fields of JobFacts."""
    return replace(_GOOD, **changes)


def passport_bytes(facts: JobFacts | None = None, key: str = KEY) -> bytes:
    """The signed passport of a job."""
    return sign_payload(passport_of(facts or _GOOD).encoded(), key).encoded()


def _at(second: int) -> datetime:
    return datetime(2026, 11, 30, 12, 0, second, tzinfo=UTC)


_GOOD: Final = JobFacts(
    job_id="0" * 32,
    start=START,
    environment="ocean-compute",
    consumer="0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
    agreement_id="0x" + "a" * 64,
    valid_until=1_800_000_000,
    image="docker.io/library/python@sha256:" + "8" * 64,
    filtered=False,
    manifest_digest="9" * 64,
    files=(
        ReleasedFile("outputs/metrics.json", "c" * 64, is_log=False),
        ReleasedFile("logs/algorithm.log", "d" * 64, is_log=True),
    ),
    provisioned=PROVISIONED,
    steps=(
        Step("configuration", "Succeeded", _at(1), _at(2)),
        Step("algorithm", "Succeeded", _at(3), _at(5)),
        Step("publishing", "Succeeded", _at(6), _at(7)),
    ),
    created=_at(0),
    finished=_at(8),
    status=70,
    reason="completed",
    exit_code=0,
    stop_requested=0,
)
