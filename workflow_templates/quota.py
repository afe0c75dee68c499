"""How much the jobs of all environments may take together: the ResourceQuota of their namespace.

For each environment: as many running jobs as it allows, as many that have left their place and are being published, and
the volumes of those that wait besides. So a quota never keeps a job from its place; it keeps everything else out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from workflow_templates.environment import Environment
from workflow_templates.quantities import mib, milli

# Argo's sidecar in each pod, as argo/gitops/components/argo-settings has it.
SIDECAR_REQUESTS: Final = {"cpu": 50, "memory": 64}
SIDECAR_LIMITS: Final = {"cpu": 500, "memory": 256}


def quota(environments: Iterable[Environment], results_gib: int) -> dict[str, Any]:
    """`results_gib`: the volume of results in the same namespace, 0 for none."""
    pods = claims = storage = cpu = memory = 0
    for environment in environments:
        at_once = environment.max_jobs
        pods += 2 * at_once
        claims += 2 * at_once + environment.max_queued_jobs
        storage += environment.disk_gb * (2 * at_once + environment.max_queued_jobs)
        cpu += at_once * (max(1000 * environment.cpu_number, milli(environment.steps.cpu)) + _last_cpu(environment))
        memory += at_once * (max(1024 * environment.ram_gb, mib(environment.steps.memory)) + _last_memory(environment))
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "c2d-jobs"},
        "spec": {
            "hard": {
                "pods": str(pods),
                "requests.cpu": f"{cpu + pods * SIDECAR_REQUESTS['cpu']}m",
                "limits.cpu": f"{cpu + pods * SIDECAR_LIMITS['cpu']}m",
                "requests.memory": f"{memory + pods * SIDECAR_REQUESTS['memory']}Mi",
                "limits.memory": f"{memory + pods * SIDECAR_LIMITS['memory']}Mi",
                "persistentvolumeclaims": str(claims + bool(results_gib)),
                "requests.storage": f"{storage + results_gib}Gi",
            }
        },
    }


def _last_cpu(environment: Environment) -> int:
    """Of filtering or publishing, whichever is larger."""
    filtering = 0 if environment.filter is None else milli(environment.filter.cpu)
    return max(filtering, milli(environment.steps.cpu))


def _last_memory(environment: Environment) -> int:
    filtering = 0 if environment.filter is None else mib(environment.filter.memory)
    return max(filtering, mib(environment.steps.memory))
