"""WorkflowTemplate, closed to what this server does; a field that is not here is refused by its name.

Fields that are accepted without an action of their own, because the way pods run here already implies them, or because
they have no meaning on one machine, stand in `IMPLIED`; those that one machine cannot keep, in `ELSEWHERE`, both with
the reason.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from contract.names import QUEUE

IMPLIED: Final = {
    "serviceAccountName": "pods here have no Kubernetes identity",
    "automountServiceAccountToken": "there is no token to mount; only false is accepted",
    "executor": "no executor container exists",
    "securityContext": "every pod runs unprivileged, without capabilities, with no-new-privileges and a seccomp filter;"
    " a context that asks for more is refused",
    "imagePullPolicy": "images are not pulled",
    "resources.requests": "one machine schedules nothing; used for resourcesDuration only",
    "resources.limits.cpu": "pods share this machine's processors",
    "resources.limits.ephemeral-storage": "less the sizes of emptyDirs, which have their own limits here: the size of a"
    " root that may be written; else the sandbox has its own limits",
    "volumeClaimTemplates[].spec": "a claim is a folder in the data folder",
    "podSpecPatch.enableServiceLinks": "there are no services",
    "secret.defaultMode": "a secret is a folder that the pod may only read",
}

# By the last part of their path.
ELSEWHERE: Final = {
    "nodeSelector": "this machine is the only node",
    "tolerations": "this machine is the only node, and has no taints",
    "affinity": "this machine is the only node",
    "podPriorityClassName": "pods on one machine have no priorities",
    "priorityClassName": "pods on one machine have no priorities",
    "imagePullSecrets": "images are not pulled on one machine",
    "runtimeClassName": "one machine has no RuntimeClasses; its pods all run in the same kind of sandbox",
    "securityContext": "the image would say whose its processes are; one machine has a user for each volume",
    QUEUE: "one machine has no Kueue; pods wait for nobody",
}


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


class Parameter(Part):
    name: str
    value: str | int | float | bool | None = None
    description: str | None = None
    enum: tuple[str, ...] = ()

    def text(self) -> str | None:
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        return None if self.value is None else str(self.value)


class Raw(Part):
    data: str


class Artifact(Part):
    name: str
    path: str
    raw: Raw
    mode: int | None = None


class Arguments(Part):
    parameters: tuple[Parameter, ...] = ()


class Inputs(Part):
    parameters: tuple[Parameter, ...] = ()
    artifacts: tuple[Artifact, ...] = ()


class ValueFrom(Part):
    path: str
    default: str | None = None


class OutputParameter(Part):
    name: str
    value_from: ValueFrom
    description: str | None = None


class Outputs(Part):
    parameters: tuple[OutputParameter, ...] = ()


class Capabilities(Part):
    drop: tuple[str, ...] = ()


class SeccompProfile(Part):
    type: Literal["RuntimeDefault"]


class SecurityContext(Part):
    run_as_non_root: bool | None = None
    run_as_user: int | None = Field(default=None, gt=0)
    run_as_group: int | None = Field(default=None, gt=0)
    fs_group: int | None = Field(default=None, gt=0)
    fs_group_change_policy: str | None = None
    supplemental_groups: tuple[int, ...] = ()
    seccomp_profile: SeccompProfile | None = None
    allow_privilege_escalation: Literal[False] | None = None
    privileged: Literal[False] | None = None
    read_only_root_filesystem: bool | None = None
    capabilities: Capabilities | None = None


class EnvVar(Part):
    name: str
    value: str = ""


class VolumeMount(Part):
    name: str
    mount_path: str
    sub_path: str = ""
    read_only: bool = False


class Resources(Part):
    requests: dict[str, str | int] = Field(default_factory=dict)
    limits: dict[str, str | int] = Field(default_factory=dict)


class Container(Part):
    name: str = ""
    image: str
    command: tuple[str, ...] = Field(min_length=1)  # Argo would ask a registry for a missing one
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    working_dir: str = "/"
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    resources: Resources = Resources()
    security_context: SecurityContext | None = None
    volume_mounts: tuple[VolumeMount, ...] = ()


class InitContainer(Container):
    mirror_volume_mounts: bool = False


class DagTask(Part):
    name: str
    template: str
    arguments: Arguments = Arguments()
    depends: str = ""
    when: str = ""


class Dag(Part):
    tasks: tuple[DagTask, ...] = Field(min_length=1)


class Backoff(Part):
    duration: str
    factor: str | int = 1
    max_duration: str | None = None


class RetryStrategy(Part):
    limit: str | int | None = None
    expression: str = ""
    retry_policy: Literal["Always", "OnFailure", "OnError"] | None = None
    backoff: Backoff | None = None


class KeySelector(Part):
    name: str
    key: str


class Semaphore(Part):
    config_map_key_ref: KeySelector


class Synchronization(Part):
    semaphores: tuple[Semaphore, ...] = Field(min_length=1, max_length=1)


class PodMetadata(Part):
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class SecretVolume(Part):
    secret_name: str
    default_mode: int | None = None
    optional: bool = False


class ClaimVolume(Part):
    claim_name: str
    read_only: bool = False


class EmptyDir(Part):
    medium: str = ""
    size_limit: str | int | None = None


class Volume(Part):
    """Exactly one of the sources."""

    name: str
    secret: SecretVolume | None = None
    persistent_volume_claim: ClaimVolume | None = None
    empty_dir: EmptyDir | None = None


class Suspend(Part):
    """Wait until somebody resumes the workflow."""


class Template(Part):
    """Exactly one of `dag`, `container` and `suspend`."""

    name: str
    inputs: Inputs = Inputs()
    outputs: Outputs = Outputs()
    metadata: PodMetadata = PodMetadata()
    dag: Dag | None = None
    container: Container | None = None
    suspend: Suspend | None = None
    init_containers: tuple[InitContainer, ...] = ()
    volumes: tuple[Volume, ...] = ()
    synchronization: Synchronization | None = None
    active_deadline_seconds: int | str | None = None
    pending_timeout: str | None = None
    retry_strategy: RetryStrategy | None = None
    pod_spec_patch: str | None = None
    security_context: SecurityContext | None = None
    automount_service_account_token: Literal[False] | None = None
    service_account_name: str | None = None


class ClaimTemplate(Part):
    metadata: dict[Literal["name"], str]
    spec: dict[str, Any] = Field(default_factory=dict)
    status: dict[str, Any] = Field(default_factory=dict, max_length=0)


class PodGC(Part):
    strategy: Literal["OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"]
    delete_delay_duration: str = "5s"


class TtlStrategy(Part):
    seconds_after_completion: int | None = None
    seconds_after_success: int | None = None
    seconds_after_failure: int | None = None


class VolumeClaimGC(Part):
    strategy: Literal["OnWorkflowCompletion", "OnWorkflowSuccess"] = "OnWorkflowSuccess"


class Executor(Part):
    service_account_name: str


class WorkflowMetadata(Part):
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class Spec(Part):
    """The `spec` of a WorkflowTemplate."""

    entrypoint: str
    on_exit: str | None = None
    arguments: Arguments = Arguments()
    templates: tuple[Template, ...] = Field(min_length=1)
    volume_claim_templates: tuple[ClaimTemplate, ...] = Field(default=(), alias="volumeClaimTemplates")
    volumes: tuple[Volume, ...] = ()
    service_account_name: str | None = None
    automount_service_account_token: Literal[False] | None = None
    executor: Executor | None = None
    security_context: SecurityContext | None = None
    pod_metadata: PodMetadata = PodMetadata()
    workflow_metadata: WorkflowMetadata = WorkflowMetadata()
    pod_spec_patch: str | None = None
    pod_gc: PodGC | None = Field(default=None, alias="podGC")
    ttl_strategy: TtlStrategy = TtlStrategy()
    volume_claim_gc: VolumeClaimGC = Field(default=VolumeClaimGC(), alias="volumeClaimGC")

    def template(self, name: str) -> Template:
        return next(template for template in self.templates if template.name == name)
