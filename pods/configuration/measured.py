"""The digests of what was put on a job's volume, for its passport: a pure function of what was planned and copied."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from contract.job_spec import InputAsset, JobSpec
from contract.provenance import InputDigest, Provisioned, file_salt, program_digest, salted_digest
from contract.release import NO_RULES
from ocean.kit.digits import is_sha256
from pods.configuration.downloads import PlannedInput
from pods.configuration.provision import Provision


def measured(
    spec: JobSpec,
    planned: tuple[PlannedInput, ...],
    provision: Provision,
    documents: Mapping[str, bytes],
    custom_data: bytes,
) -> Provisioned:
    """`documents`: by DID, as they were written; the same for `custom_data`."""
    code = spec.algorithm.rawcode
    sent_along = () if code is None else (hashlib.sha256(code.encode()).hexdigest(),)
    algorithm = sent_along or tuple(file.sha256.hex() for file in provision.algorithm)
    return Provisioned(
        inputs=tuple(
            digest
            for asset, plan in zip(spec.inputs, planned, strict=True)
            for digest in _inputs(asset, plan, provision)
        ),
        algorithm=algorithm,
        documents={did: hashlib.sha256(document).hexdigest() for did, document in documents.items()},
        input_bytes=sum(file.size for file in provision.inputs.values()),
        release=spec.release or NO_RULES,
        custom_data=hashlib.sha256(custom_data).hexdigest(),
        program=program_digest(spec.binding.image, spec.algorithm.entrypoint, algorithm),
        made_of={asset.did: digest for asset in spec.inputs if (digest := _outputs_of(asset.ddo))},
    )


def _outputs_of(document: dict[str, Any]) -> str:
    """The digest of the results that an asset was made of, as `pods.publishing.asset` writes it; "" for other assets.
    A document is whatever its publisher has written."""
    found: Any = document
    for name in ("metadata", "additionalInformation", "computeToData", "outputsDigest"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) and is_sha256(found) else ""


def _inputs(asset: InputAsset, plan: PlannedInput, provision: Provision) -> list[InputDigest]:
    salt = bytes.fromhex(asset.salt)
    return [
        InputDigest(
            did=asset.did,
            service_id=asset.service_id,
            index=index,
            salted=salted_digest(file_salt(salt, index), provision.inputs[item.target].sha256),
        )
        for index, item in enumerate(plan.downloads)
    ]
