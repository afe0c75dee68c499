"""The job: the sealed spec for the pods, and the workflow that is submitted, as the service makes them of an order."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from argo.client.records import NewWorkflow
from contract import job_spec, names
from contract.release import ReleaseRules, strictest
from ocean.kit.compact_json import compact_json
from provider_api.access.image import AlgorithmContainer
from provider_api.cli.rehearsal.datasets import Dataset, algorithm_document
from provider_api.cli.rehearsal.wanted import NotAccepted, Reason
from provider_api.environments.environment import Environment
from provider_api.keys import ProviderKeys
from provider_api.settings import Settings

_GB: Final = 10**9
_CONSUMER: Final = "0x" + "0" * 40


@dataclass(frozen=True, slots=True)
class Job:
    """What is rehearsed. `seconds`: the most that the algorithm may run."""

    script: Path
    image: str
    container: AlgorithmContainer
    datasets: tuple[Dataset, ...]
    custom_data: Mapping[str, Any]
    environment: Environment
    seconds: int

    @property
    def release(self) -> ReleaseRules:
        """What may leave, by environment and datasets together."""
        return strictest([*(dataset.release for dataset in self.datasets), self.environment.release])

    def files(self) -> dict[str, Path]:
        """All that the pods fetch, by a name that leads to it."""
        found = {"algorithm": self.script.absolute()}
        for place, dataset in enumerate(self.datasets):
            found |= {f"{place}-{index}": path for index, path in enumerate(dataset.files)}
        return found


def reasons_against(job: Job) -> list[Reason]:
    """Why the service would not accept it, or its pods could not be provided with what they need: all of it."""
    environment, found = job.environment, []
    if environment.images is not None and job.container.reference() not in environment.images:
        known = ", ".join(environment.images.names)
        sentence = f"there is nothing to run the image {job.image} with; there is: {known}"
        found.append(Reason("algorithm.container", "image_unavailable", sentence))
    size, most = sum(path.stat().st_size for path in job.files().values()), _room(environment)
    if size > most:
        sentence = f"dataset and algorithm have {size:,} bytes; {environment.id} has room for {most:,} (disk_gb)"
        found.append(Reason("dataset", "too_large", sentence))
    if job.seconds > environment.max_job_duration:
        longest = f"{environment.max_job_duration} (max_job_duration)"
        sentence = f"{job.seconds} seconds are more than {environment.id} gives an algorithm, {longest}"
        found.append(Reason("seconds", "too_long", sentence))
    if job.release.filtered and not environment.filtered:
        sentence = f"a dataset asks for an environment with a filter, and {environment.id} has none"
        found.append(Reason("dataset", "release_filter_not_offered", sentence))
    return found


def workflow_of(
    job: Job, job_id: str, urls: Mapping[str, str], address: str, settings: Settings, keys: ProviderKeys
) -> NewWorkflow:
    """`urls`: where the pods fetch each of `job.files()`, all from `address` (host:port). Raises NotAccepted."""
    spec = _spec(job, job_id, urls, address, settings)
    try:
        sealed = job_spec.seal(spec, keys.box, job.environment.box_key)
    except job_spec.JobSpecTooLarge as exc:
        sentence = f"parameters and documents are too large: {exc.size} bytes, at most {job_spec.MAX_SEALED_BYTES}"
        raise NotAccepted([Reason("algorithm", "job_too_large", sentence)]) from None
    return NewWorkflow(
        name=job_id,
        template=job.environment.id,
        arguments={
            names.ARG_JOB_SPEC: sealed,
            names.ARG_IMAGE: spec.binding.image,
            names.ARG_SECONDS: str(spec.binding.seconds),
            names.ARG_NETWORK: spec.binding.network,
        },
        labels={names.ENVIRONMENT: job.environment.id, names.OWNER: _CONSUMER},
        annotations={
            names.OWNER_TEXT: _CONSUMER,
            names.ALGORITHM_DID: spec.algorithm.did,
            names.INPUT_DIDS: compact_json([dataset.did for dataset in job.datasets]),
            names.VALID_UNTIL: "0",
            names.IMAGE: spec.binding.image,
            **({names.FILTERED: "true"} if job.environment.filtered else {}),
        },
    )


def document_of(new: NewWorkflow, namespace: str) -> dict[str, Any]:
    """The body of the request that creates it: what Hera makes of the same values, without its second of imports."""
    arguments = [{"name": name, "value": value} for name, value in new.arguments.items()]
    metadata = {
        "name": new.name,
        "namespace": namespace,
        "labels": dict(new.labels),
        "annotations": dict(new.annotations),
    }
    spec = {"arguments": {"parameters": arguments}, "workflowTemplateRef": {"name": new.template}}
    workflow = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": metadata, "spec": spec}
    return {"workflow": workflow}


def _spec(job: Job, job_id: str, urls: Mapping[str, str], address: str, settings: Settings) -> job_spec.JobSpec:
    environment, document = job.environment, algorithm_document(job.script, job.container)
    open_to_all = settings.policy.allow_network and all(dataset.allows_network for dataset in job.datasets)
    network: Literal["none", "public"] = "public" if open_to_all else "none"
    return job_spec.JobSpec(
        binding=job_spec.Binding(
            job_id=job_id,
            environment=environment.id,
            image=job.container.reference(),
            seconds=job.seconds + environment.pending_timeout + settings.limits.outer_margin_seconds,
            network=network,
        ),
        owner=_CONSUMER,
        secret=secrets.token_hex(16),
        run_seconds=job.seconds,
        inputs=tuple(_input(place, dataset, urls) for place, dataset in enumerate(job.datasets)),
        algorithm=job_spec.Algorithm(
            did=document["id"],
            ddo=document,
            files=_sources([urls["algorithm"]]),
            custom_data=dict(job.custom_data),
            entrypoint=job.container.entrypoint,
        ),
        allow_private=(address,),
        max_input_bytes=_room(environment),
        release=job.release,
    )


def _input(place: int, dataset: Dataset, urls: Mapping[str, str]) -> job_spec.InputAsset:
    return job_spec.InputAsset(
        did=dataset.did,
        service_id=dataset.service.id,
        files=_sources([urls[f"{place}-{index}"] for index in range(len(dataset.files))]),
        ddo=dataset.document,
        salt=secrets.token_hex(32),
    )


def _sources(urls: Sequence[str]) -> tuple[job_spec.Source, ...]:
    return tuple(job_spec.UrlSource(url=url) for url in urls)


def _room(environment: Environment) -> int:
    return max(1, int(environment.disk_gb * _GB))
