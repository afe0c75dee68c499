"""What a run of the doctor works with: settings, a way into the cluster if there is one, and where to look there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from provider_api.doctor.cluster import Cluster
from provider_api.settings import Settings

RUNNER: Final = "job-runner"  # of all pods of jobs, without any right
EXECUTOR: Final = "job-executor"  # of Argo's own containers in these pods
CONTROLLER: Final = "workflow-controller"  # its Deployment
CONTROLLER_CONFIG: Final = "workflow-controller-configmap"


@dataclass(frozen=True, slots=True)
class Options:
    """Names are those of this project's manifests unless said otherwise. Times in seconds."""

    service_namespace: str = "c2d"
    argo_namespace: str = "argo"
    service_account: str = "provider-api"
    limit_seconds: float = 20.0  # of each check
    head_age_seconds: float = 300.0  # how old the newest block of a chain may be
    clock_seconds: float = 10.0  # how far clocks may differ
    probe: bool = False
    probe_seconds: float = 180.0
    probe_target: str = "1.1.1.1:443"  # an address on the internet that takes TCP connections
    probe_image: str = ""  # "": that of the steps, as an environment names it


@dataclass(frozen=True, slots=True)
class Surroundings:
    settings: Settings
    options: Options
    cluster: Cluster | None
    no_cluster: str = ""  # why there is none

    @property
    def jobs(self) -> str:
        """Namespace of templates, workflows and pods of jobs."""
        return self.settings.argo.namespace

    @property
    def accounts(self) -> dict[str, str]:
        """Service account -> its namespace."""
        options = self.options
        return {options.service_account: options.service_namespace, RUNNER: self.jobs, EXECUTOR: self.jobs}

    def require_cluster(self) -> Cluster:
        """Raises NotCheckable."""
        if self.cluster is None:
            raise NotCheckable(self.no_cluster)
        return self.cluster


class NotCheckable(Exception):
    """A check cannot say anything here, and that is nobody's fault. The text is the reason."""
