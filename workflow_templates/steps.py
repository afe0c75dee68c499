"""The pods of a job, in Hera: configuration, the consumer's algorithm, the operator's filter, publishing.

What each may see is decided here and nowhere else. Only configuration mounts the environment's keys and is given the
sealed job spec; only publishing mounts the store's credentials; the algorithm has neither, sees its inputs read-only
and can write to nothing but `outputs`, `logs` and /tmp. A filter sees the same folders, of a copy that no algorithm
has ever had mounted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from hera.workflows import (
    Container,
    EmptyDirVolume,
    ExistingVolume,
    Parameter,
    RawArtifact,
    SecretVolume,
    UserContainer,
)
from hera.workflows import models as m

from contract import names
from contract.release import NO_RULES
from workflow_templates.environment import Environment
from workflow_templates.parts import Filter, StepPods
from workflow_templates.quantities import mib

DATA: Final = "/data"  # the job's volume, as the algorithm knows it
JOB_SPEC: Final = "/c2d/job-spec"
KEYS: Final = "/c2d/keys"  # a Secret
STORE: Final = "/c2d/store"  # a Secret
START: Final = "/c2d/start"  # where the algorithm finds the start script that configuration wrote
RESULTS: Final = "/results"  # where results on a shared volume lie
SECONDS: Final = "/tmp/seconds"  # noqa: S108  (in the pod) become output parameters, too
LIMITS: Final = "/tmp/limits.json"  # noqa: S108
OUTCOME: Final = "/tmp/results.json"  # noqa: S108  (in the pod) becomes the output parameter
CLAIM: Final = "data"

USER: Final = 1000  # of every pod: nobody's files but the job's

# What a pod of ours may take of its node's disk beside its `/tmp`: its log as the node keeps it, five files of 10 MiB,
# and Argo's own files in /var/run/argo, a volume without a size that every container may write to.
STEP_STORAGE: Final = "256Mi"

# Between SIGTERM and SIGKILL. Short, because a stopped job's publishing starts while its algorithm may still be ending.
GRACE_SECONDS: Final = 5

READ_ONLY: Final = ("inputs", "ddos", "transformations")
WRITABLE: Final = ("outputs", "logs")
RELEASED: Final = "released"  # of the volume: the copy of outputs and logs that a filter judges
COPIED: Final = (*WRITABLE, "adminlogs")

# Runs the filter ("$@"), keeps what it prints, and ends as it ended. Without an exit code of its own: 1.
_FILTER: Final = (
    'exec 4>&1; code=$({ { "$@" 3>&- 4>&-; echo $? >&3; } 2>&1 | tee -a "$C2D_FILTER_LOG" >&4; } 3>&1); '
    'exit "${code:-1}"'
)


def _argument(name: str) -> str:
    return "{{workflow.parameters." + name + "}}"


def _labels(environment: Environment, step: str, network: str) -> dict[str, str]:
    return {names.ENVIRONMENT: environment.id, names.STEP: step, names.NETWORK: network}


def _locked_down(*, scratch_root: bool = False) -> m.SecurityContext:
    """A container that cannot gain a right nor write outside its volumes; with `scratch_root` also to its own root."""
    return m.SecurityContext(
        allow_privilege_escalation=False,
        capabilities=m.Capabilities(drop=["ALL"]),
        read_only_root_filesystem=not scratch_root,
        run_as_non_root=True,
        seccomp_profile=m.SeccompProfile(type="RuntimeDefault"),
    )


def pod_context(*, image_user: bool = False) -> m.PodSecurityContext:
    """Whose a pod's processes are; with `image_user` the image says it, and may not say root. The group of the job's
    volume is everybody's."""
    user = None if image_user else USER
    return m.PodSecurityContext(
        run_as_non_root=True,
        run_as_user=user,
        run_as_group=user,
        fs_group=USER,
        seccomp_profile=m.SeccompProfile(type="RuntimeDefault"),
    )


def _pod_patch(runtime_class: str | None = None) -> str:
    """Fields of a pod that Argo's templates lack. Constant text: a value pasted in here could add any other."""
    fields = {"enableServiceLinks": False, "terminationGracePeriodSeconds": GRACE_SECONDS}
    return json.dumps(fields if runtime_class is None else {**fields, "runtimeClassName": runtime_class})


# Of a pod that was killed, not by us: evicted, its node drained or lost, its memory taken. Argo calls some of these
# Failed, with the code of the signal or none (-1), or with "Unknown (exit code 255)" where containerd does not know how
# a container ended. Whoever ran out of time would only do so again.
_KILLED = (
    "(asInt(lastRetry.exitCode) == 137 || asInt(lastRetry.exitCode) == 143 || asInt(lastRetry.exitCode) == -1"
    " || lastRetry.message contains 'Unknown (exit code')"
    " && !(lastRetry.message contains 'deadline') && lastRetry.message != 'timeout'"
)


def _tries() -> m.RetryStrategy:
    """Again after "worth another try" and after a lost pod (Argo's Error, or a killed program), after nothing else."""
    return m.RetryStrategy(
        limit="2",
        expression=f"lastRetry.status == 'Error' || asInt(lastRetry.exitCode) == 75 || ({_KILLED})",
        backoff=m.Backoff(duration="1s", factor="2"),
    )


def _resources(
    cpu: str, memory: str, storage: Iterable[str], extra: dict[str, str] | None = None
) -> m.ResourceRequirements:
    """Requests equal limits: a job gets what was announced, and no more.

    `storage`: of the node's disk, added up. A node counts a pod's `/tmp`, logs and written files together, against the
    limits of all its containers together, so what one may take stands in one sum.
    """
    amounts = {"cpu": cpu, "memory": memory, "ephemeral-storage": f"{sum(map(mib, storage))}Mi"} | (extra or {})
    return m.ResourceRequirements(requests=amounts, limits=amounts)


def _step_resources(steps: StepPods) -> m.ResourceRequirements:
    return _resources(steps.cpu, steps.memory, (steps.tmp, STEP_STORAGE))


def _environment_variables(environment: Environment, more: dict[str, str]) -> list[m.EnvVar]:
    """Step programs take every path from here: on a single machine without sandboxes they are other paths."""
    values = {
        "C2D_JOB_ID": "{{workflow.name}}",
        "C2D_ENVIRONMENT": environment.id,
        "C2D_DATA": DATA,
        "HOME": "/tmp",  # noqa: S108  (in the pod) the one place where a home may be
    } | more
    return [m.EnvVar(name=name, value=value) for name, value in values.items()]


def _limits(environment: Environment) -> dict[str, str]:
    """What filtering and publishing take of a job at most."""
    return {"C2D_MAX_OUTPUT_BYTES": str(environment.most_results_gb << 30)}


def _tmp(size: str) -> EmptyDirVolume:
    return EmptyDirVolume(name="tmp", mount_path="/tmp", size_limit=m.Quantity(root=size))  # noqa: S108  (in the pod)


def configuration(environment: Environment) -> Container:
    """Opens the job spec, downloads inputs and algorithm, writes the start script."""
    return Container(
        name=names.CONFIGURATION,
        image=names.STEP_IMAGE,
        image_pull_policy="IfNotPresent",
        command=["python", "-m", "pods.configuration"],
        inputs=[RawArtifact(name=names.ARG_JOB_SPEC, path=JOB_SPEC, data=_argument(names.ARG_JOB_SPEC))],
        outputs=[  # of a step that refused or failed, and of an older one that does not write them, the defaults
            Parameter(
                name=names.OUT_SECONDS,
                value_from=m.ValueFrom(path=SECONDS, default=_argument(names.ARG_SECONDS)),
            ),
            Parameter(name=names.OUT_LIMITS, value_from=m.ValueFrom(path=LIMITS, default="{}")),
        ],
        env=_environment_variables(
            environment,
            {
                "C2D_JOB_SPEC": JOB_SPEC,
                "C2D_KEYS": KEYS,
                "C2D_IMAGE": _argument(names.ARG_IMAGE),
                "C2D_SECONDS": _argument(names.ARG_SECONDS),
                "C2D_NETWORK": _argument(names.ARG_NETWORK),
                "C2D_OUTER_SECONDS": SECONDS,
                "C2D_LIMITS": LIMITS,
            },
        ),
        volumes=[
            SecretVolume(
                name="keys",
                secret_name=names.environment_secret(environment.id),
                mount_path=KEYS,
                read_only=True,
                default_mode=0o440,
            ),
            _tmp(environment.steps.tmp),
        ],
        volume_mounts=[m.VolumeMount(name=CLAIM, mount_path=DATA)],
        resources=_step_resources(environment.steps),
        security_context=_locked_down(),
        active_deadline_seconds=environment.steps.configuration_seconds,
        retry_strategy=_tries(),
        pod_spec_patch=_pod_patch(),
        labels=_labels(environment, names.CONFIGURATION, "outgoing"),
    )


def algorithm(environment: Environment) -> Container:
    """The consumer's image running the start script. Never tried again: a program that ran has used paid time.

    Its mounts are folders of the job's volume that configuration has made. No user text is in here: the entrypoint
    lies in the start script, because the controller evaluates every expression it finds in an argument.
    """
    more = {environment.gpu_resource: str(environment.gpu_number)} if environment.gpu_number else {}
    labels = _labels(environment, names.ALGORITHM, _argument(names.ARG_NETWORK))
    if environment.queue is not None:
        labels[names.QUEUE] = environment.queue
    storage = [environment.tmp, environment.ephemeral_storage]
    if environment.scratch_root is not None:
        storage.append(environment.scratch_root)
    inside = [m.VolumeMount(name=CLAIM, mount_path=f"{DATA}/{f}", sub_path=f, read_only=True) for f in READ_ONLY]
    inside += [m.VolumeMount(name=CLAIM, mount_path=f"{DATA}/{f}", sub_path=f) for f in WRITABLE]
    return Container(
        name=names.ALGORITHM,
        image=_argument(names.ARG_IMAGE),
        image_pull_policy="IfNotPresent",
        command=["sh", f"{START}/run.sh"],
        inputs=[Parameter(name=names.IN_SECONDS)],
        env=[m.EnvVar(name="HOME", value="/tmp")],  # noqa: S108  (in the pod)
        volumes=[_tmp(environment.tmp)],
        volume_mounts=[*inside, m.VolumeMount(name=CLAIM, mount_path=START, sub_path="start", read_only=True)],
        resources=_resources(str(environment.cpu_number), f"{environment.ram_gb}Gi", storage, more),
        security_context=_locked_down(scratch_root=environment.scratch_root is not None),
        pod_security_context=pod_context(image_user=True) if environment.image_user else None,
        active_deadline_seconds="{{inputs.parameters." + names.IN_SECONDS + "}}",
        pod_spec_patch=_pod_patch(environment.runtime_class),
        labels=labels,
    )


def filtering(environment: Environment, described: Filter) -> Container:
    """Copies outputs and logs, then lets the operator's program judge and rewrite the copy.

    Its verdict is its exit code: 0 releases, everything else withholds, an end without a verdict included.
    """
    collect = UserContainer(
        name="collect",
        image=names.STEP_IMAGE,
        image_pull_policy="IfNotPresent",
        command=["python", "-m", "pods.filtering"],
        env=[*_environment_variables(environment, _limits(environment))],
        volume_mounts=[m.VolumeMount(name=CLAIM, mount_path=DATA)],
        resources=_step_resources(environment.steps),
        security_context=_locked_down(),
    )
    inside = [m.VolumeMount(name=CLAIM, mount_path=f"{DATA}/{f}", sub_path=f, read_only=True) for f in READ_ONLY]
    inside += [m.VolumeMount(name=CLAIM, mount_path=f"{DATA}/{f}", sub_path=f"{RELEASED}/{f}") for f in COPIED]
    variables = {"VOLUME": DATA, "INPUTS": f"{DATA}/inputs", "OUTPUTS": f"{DATA}/outputs", "LOGS": f"{DATA}/logs"}
    variables["C2D_FILTER_LOG"] = f"{DATA}/adminlogs/filter.log"
    return Container(
        name=names.FILTERING,
        image=described.image,
        image_pull_policy="IfNotPresent",
        init_containers=[collect],
        command=["sh", "-c", _FILTER, "filter", *described.command],
        env=_environment_variables(environment, variables),
        volumes=[_tmp(described.tmp)],
        volume_mounts=inside,
        resources=_resources(described.cpu, described.memory, (described.tmp, STEP_STORAGE)),
        security_context=_locked_down(),
        active_deadline_seconds=described.seconds,
        retry_strategy=_tries(),
        pod_spec_patch=_pod_patch(),
        labels=_labels(environment, names.FILTERING, "none"),
    )


def publishing(environment: Environment) -> Container:
    """Uploads outputs and logs, of the copy where there is a filter. Also runs for a job that was stopped before it had
    either."""
    volumes = [
        SecretVolume(
            name="store",
            secret_name=names.RESULT_STORE_SECRET,
            mount_path=STORE,
            read_only=True,
            default_mode=0o440,
        ),
        _tmp(environment.steps.tmp),
    ]
    if environment.results == "shared-volume":
        # The job's own folder of it alone: what publishing reads was written by an algorithm.
        own = "{{workflow.name}}"
        claim, folder = names.RESULTS_CLAIM, f"{RESULTS}/{own}"
        volumes.append(ExistingVolume(name=names.RESULTS_VOLUME, claim_name=claim, mount_path=folder, sub_path=own))
    variables, inputs = {"C2D_STORE": STORE, "C2D_RESULTS": OUTCOME}, list[Parameter]()
    variables |= _limits(environment)
    variables["C2D_STORE_RESERVE_BYTES"] = str(environment.results_reserve_gb << 30)
    if environment.release.for_pods != NO_RULES:
        variables["C2D_RELEASE_RULES"] = json.dumps(environment.release.for_pods.told())
    if environment.filter is not None:
        variables["C2D_RELEASE"] = "{{inputs.parameters." + names.IN_RELEASE + "}}"
        inputs = [Parameter(name=names.IN_RELEASE)]
    return Container(
        name=names.PUBLISHING,
        image=names.STEP_IMAGE,
        image_pull_policy="IfNotPresent",
        command=["python", "-m", "pods.publishing"],
        inputs=inputs or None,
        outputs=[Parameter(name=names.OUT_RESULTS, value_from=m.ValueFrom(path=OUTCOME, default="{}"))],
        env=_environment_variables(environment, variables),
        volumes=volumes,
        volume_mounts=[m.VolumeMount(name=CLAIM, mount_path=DATA)],
        resources=_step_resources(environment.steps),
        security_context=_locked_down(),
        active_deadline_seconds=environment.steps.publishing_seconds,
        retry_strategy=_tries(),
        pod_spec_patch=_pod_patch(),
        labels=_labels(environment, names.PUBLISHING, "store"),
    )
