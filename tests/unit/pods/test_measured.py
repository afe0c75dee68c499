"""What configuration measures of an asset that was made of a job's results."""

from __future__ import annotations

from typing import Any

import pytest

from contract.job_spec import Algorithm, Binding, InputAsset, JobSpec
from contract.provenance import program_digest
from pods.configuration.downloads import PlannedInput
from pods.configuration.measured import measured
from pods.configuration.provision import Provision

pytestmark = pytest.mark.unit

DID, DIGEST = "did:op:" + "1" * 64, "d" * 64


def told(document: Any) -> dict[str, str]:
    """Of a dataset with this document."""
    asset = InputAsset(did=DID, service_id="s", files=(), ddo=document, salt="5" * 64)
    binding = Binding(job_id="0" * 32, environment="e", image="python:3", seconds=60, network="none")
    algorithm = Algorithm(rawcode="print(1)", entrypoint="python $ALGO")
    spec = JobSpec(
        binding=binding,
        owner="0x" + "2" * 40,
        secret="3" * 32,
        run_seconds=60,
        inputs=(asset,),
        algorithm=algorithm,
        max_input_bytes=1,
    )
    planned = (PlannedInput(did=DID, service_id="s", folder="1" * 64, downloads=()),)
    found = measured(spec, planned, Provision(inputs={}, algorithm=()), {}, b"{}")
    assert found.program == program_digest("python:3", "python $ALGO", found.algorithm)
    return found.made_of


def document(said: Any) -> dict[str, Any]:
    return {"metadata": {"additionalInformation": {"computeToData": said}}}


def test_the_digest_of_results_is_taken_along() -> None:
    assert told(document({"outputsDigest": DIGEST})) == {DID: DIGEST}


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"metadata": None},
        {"metadata": {"additionalInformation": []}},
        document(None),
        document(DIGEST),
        document([DIGEST]),
        document({}),
        document({"outputsDigest": None}),
        document({"outputsDigest": 5}),
        document({"outputsDigest": [DIGEST]}),
        document({"outputsDigest": DIGEST.upper()}),
        document({"outputsDigest": DIGEST + "\n"}),
        document({"outputsDigest": DIGEST[1:]}),
        document({"outputsDigest": "٣" * 64}),
    ],
)
def test_what_other_documents_say_is_not(odd: dict[str, Any]) -> None:
    assert told(odd) == {}
