"""One environment as a WorkflowTemplate, in Hera.

The entrypoint is the DAG `compute`: configuration, then the algorithm. A job that has to wait begins at the DAG
`queued` instead: `turn`, which is suspended until the service resumes it, then `compute`. The exit handler is the DAG
`release`: where the environment has a filter, filtering, and then publishing, which is told how filtering ended. Argo
runs an exit handler after success, failure, time limit and stop, so every way of ending a job passes the filter and
delivers its logs; it does not run it after terminate, so a deleted job publishes nothing.

`max_jobs` is a semaphore on the template `compute`, not on the workflow: measured on Argo 4.1, a waiting workflow could
otherwise not be stopped, and publishing would go on holding the place that the next job waits for. Waiting for it is
not free (docs/decisions/0043), waiting at `turn` is.
"""

from __future__ import annotations

import json
from typing import Any, Final

from hera.workflows import DAG, Parameter, Suspend, Task, WorkflowTemplate
from hera.workflows import models as m

from contract import names
from contract.argo_releases import NEWEST, ArgoRelease
from contract.release import NO_RULES, ReleaseRules
from workflow_templates import steps
from workflow_templates.environment import ANNOUNCED, Environment
from workflow_templates.publication import add_publication

RUNNER_ACCOUNT: Final = "job-runner"  # of the pods: no right at all, and its token is not mounted
EXECUTOR_ACCOUNT: Final = "job-executor"  # of Argo's sidecar only: may report a pod's outcome

# How long a finished pod stays, so that a consumer who follows its log reads it to the end. Deleting it is also what
# ends a program that ignores SIGTERM.
POD_KEPT_SECONDS: Final = 30


def workflow_template(environment: Environment, argo: ArgoRelease = NEWEST) -> dict[str, Any]:
    """The manifest, in Argo's JSON, for that release of it."""
    with WorkflowTemplate(
        name=environment.id,
        labels={names.ENVIRONMENT: environment.id},
        annotations=_announced(environment) | {names.HAS_QUEUE: "true", names.HAS_RECORD: "true"},
        entrypoint=names.COMPUTE,
        on_exit=names.RELEASE,
        arguments=[Parameter(name=name) for name in names.ARGUMENTS],  # no defaults: Argo refuses a job without one
        service_account_name=RUNNER_ACCOUNT,
        automount_service_account_token=False,
        executor=m.ExecutorConfig(service_account_name=EXECUTOR_ACCOUNT),
        security_context=steps.pod_context(),
        **_placement(environment),
        volume_claim_templates=[_volume(environment)],
        volume_claim_gc=m.VolumeClaimGC(strategy="OnWorkflowCompletion"),  # the default keeps failed jobs' volumes
        pod_gc=m.PodGC(strategy="OnPodCompletion", delete_delay_duration=f"{POD_KEPT_SECONDS}s"),
        ttl_strategy=m.TTLStrategy(seconds_after_completion=environment.record_seconds),
    ) as template:
        configuration = steps.configuration(environment)
        algorithm = steps.algorithm(environment)
        publishing = steps.publishing(environment)
        with DAG(name=names.COMPUTE, synchronization=_places(environment)) as compute:
            first = Task(name=names.CONFIGURATION, template=configuration)
            second = Task(name=names.ALGORITHM, template=algorithm)
            second.depends = f"{first.name}.Succeeded"
            # As configuration leaves it: the queue and the downloads have used up paid time by then.
            left = "{{tasks." + first.name + ".outputs.parameters." + names.OUT_SECONDS + "}}"
            second.arguments = [Parameter(name=names.IN_SECONDS, value=left)]
        turn = Suspend(name=names.TURN)
        with DAG(name=names.QUEUED):
            waiting = Task(name=names.TURN, template=turn)
            Task(name=names.COMPUTE, template=compute, depends=f"{waiting.name}.Succeeded")
        filtering = None if environment.filter is None else steps.filtering(environment, environment.filter)
        with DAG(name=names.RELEASE):
            last = Task(name=names.PUBLISHING, template=publishing)
            if filtering is not None:
                judge = Task(name=names.FILTERING, template=filtering)
                last.depends = f"{judge.name}.Succeeded || {judge.name}.Failed || {judge.name}.Errored"
                last.arguments = [Parameter(name=names.IN_RELEASE, value="{{tasks." + judge.name + ".status}}")]
    manifest: dict[str, Any] = template.to_dict()
    if argo.pending_timeout:
        _add_pending_timeout(manifest, environment.pending_timeout)
    if environment.publication is not None:
        add_publication(manifest, environment.publication)
    return manifest


def _placement(environment: Environment) -> dict[str, Any]:
    """Where all pods of a job run: together, because their volume may belong to one node."""
    given: dict[str, Any] = {
        "node_selector": environment.node_selector,
        "tolerations": [m.Toleration(**each.model_dump(exclude_defaults=True)) for each in environment.tolerations],
        "pod_priority_class_name": environment.priority_class,
        "image_pull_secrets": [m.LocalObjectReference(name=name) for name in environment.image_pull_secrets],
    }
    return {name: value for name, value in given.items() if value}


def _volume(environment: Environment) -> m.PersistentVolumeClaim:
    return m.PersistentVolumeClaim(
        metadata=m.ObjectMeta(name=steps.CLAIM),
        spec=m.PersistentVolumeClaimSpec(
            access_modes=["ReadWriteOnce"],
            storage_class_name=environment.storage_class,
            resources=m.VolumeResourceRequirements(requests={"storage": f"{environment.disk_gb}Gi"}),
        ),
    )


def _places(environment: Environment) -> m.Synchronization:
    where = m.ConfigMapKeySelector(name=names.LIMITS_CONFIG_MAP, key=environment.id)
    return m.Synchronization(semaphores=[m.SemaphoreRef(config_map_key_ref=where)])


def _announced(environment: Environment) -> dict[str, str]:
    """An annotation for each option that is announced and set. Numbers are decimal, lists are JSON."""
    found = {}
    for option in ANNOUNCED:
        value = getattr(environment, option.source)
        if value is not None and value is not False and value != NO_RULES:
            found[names.option(option.name)] = _text_of(value)
    return found


def _text_of(value: Any) -> str:
    if isinstance(value, ReleaseRules):
        return json.dumps(value.told())
    return "true" if value is True else json.dumps(value) if isinstance(value, tuple) else str(value)


def _add_pending_timeout(manifest: dict[str, Any], seconds: int) -> None:
    """The limit for a pod that never starts. Hera's models are of 4.0 and would drop it, so it comes last."""
    for template in manifest["spec"]["templates"]:
        if "container" in template:
            template["pendingTimeout"] = f"{seconds}s"
