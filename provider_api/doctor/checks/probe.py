"""Does anything enforce NetworkPolicies? Two small pods try to get out: one labelled as an algorithm, one that may.

Each is a Job of its own, deleted in every case; if this process is killed, Kubernetes removes it by itself.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from provider_api.doctor.checks.environments import templates_of
from provider_api.doctor.checks.threads import in_thread
from provider_api.doctor.cluster import Cluster
from provider_api.doctor.judging import networks
from provider_api.doctor.lines import Line
from provider_api.doctor.run import Check
from provider_api.doctor.surroundings import RUNNER, NotCheckable, Surroundings
from workflow_templates import names

_TRY_SECONDS: Final = 5  # for one connection
_POLL_SECONDS: Final = 1.0
_CLEAN_SECONDS: Final = 15.0

# Runs in the pod. Where the cluster's DNS is stands in its own resolv.conf; what it finds is its last message.
PROGRAM: Final = f"""
import json, socket, sys
def reached(host, port):
    try:
        socket.create_connection((host, port), {_TRY_SECONDS}).close()
    except OSError:
        return False
    return True
words = [line.split() for line in open("/etc/resolv.conf")]
servers = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
host, _, port = sys.argv[1].rpartition(":")
found = {{"outside": reached(host.strip("[]"), int(port))}}
found["dns"] = reached(servers[0], 53) if servers else None
open("/dev/termination-log", "w").write(json.dumps(found))
"""


async def _enforced(around: Surroundings) -> Sequence[Line]:
    if not around.options.probe:
        raise NotCheckable("only with --probe, which starts two small pods")
    cluster = around.require_cluster()
    image = around.options.probe_image or _step_image(await templates_of(around) or ())
    if not image:
        raise NotCheckable("there is no environment that names an image; give one with --probe-image")
    waits = around.options.probe_seconds
    algorithm, control = await asyncio.gather(
        *(_try(cluster, around, image, labels, waits) for labels in (networks.ALGORITHM, networks.CONTROL))
    )
    return [networks.judge_enforcement(algorithm, control)]


def _step_image(templates: Sequence[Mapping[str, Any]]) -> str:
    steps = (step for template in templates for step in template["spec"].get("templates") or ())
    images = (step["container"].get("image") for step in steps if step.get("name") == names.CONFIGURATION)
    return str(next((image for image in images if image), ""))


async def _try(
    cluster: Cluster, around: Surroundings, image: str, labels: Mapping[str, str], waits: float
) -> networks.Reached | None:
    name = f"c2d-doctor-{secrets.token_hex(4)}"
    try:
        await in_thread(cluster.create_job, around.jobs, _manifest(name, image, labels, around.options))
        deadline = asyncio.get_running_loop().time() + waits
        while asyncio.get_running_loop().time() < deadline:
            for pod in await in_thread(cluster.pods_of_job, around.jobs, name):
                if (told := _told(pod)) is not None:
                    return told
            await asyncio.sleep(_POLL_SECONDS)
        return None
    finally:
        await _delete(cluster, around.jobs, name)


async def _delete(cluster: Cluster, namespace: str, name: str) -> None:
    """Also when the doctor is being ended; then the end waits for it."""
    deleting = asyncio.ensure_future(in_thread(cluster.delete_job, namespace, name))
    try:
        await asyncio.shield(deleting)
    except asyncio.CancelledError:
        await asyncio.wait({deleting}, timeout=_CLEAN_SECONDS)
        raise


def _told(pod: Mapping[str, Any]) -> networks.Reached | None:
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        message = ((container.get("state") or {}).get("terminated") or {}).get("message")
        try:
            found = json.loads(message or "")
            return networks.Reached(found["outside"], found["dns"])
        except (ValueError, TypeError, KeyError):
            continue
    return None


def _manifest(name: str, image: str, labels: Mapping[str, str], options: Any) -> dict[str, Any]:
    """As hardened as a step of a job, without volumes; passes Pod Security `restricted` and quotas."""
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", PROGRAM, options.probe_target],
        "resources": {"requests": _SIZE, "limits": _SIZE},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    pod = {
        "restartPolicy": "Never",
        "serviceAccountName": RUNNER,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "c2d-doctor"}},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": int(options.probe_seconds),
            "ttlSecondsAfterFinished": 60,
            "template": {"metadata": {"labels": dict(labels)}, "spec": pod},
        },
    }


_SIZE: Final = {"cpu": "100m", "memory": "128Mi"}

CHECK = Check(
    (networks.ENFORCED,),
    _enforced,
    own_limit=lambda around: around.options.limit_seconds + around.options.probe_seconds,
)
