"""Does anything enforce NetworkPolicies? Two small pods try to get out: one labelled as an algorithm, one that may.

Each is a Job of its own, deleted in every case; if this process is killed, Kubernetes removes it by itself.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from contract import names
from provider_api.doctor.checks.environments import templates_of
from provider_api.doctor.checks.threads import in_thread
from provider_api.doctor.cluster import Cluster
from provider_api.doctor.judging import networks
from provider_api.doctor.lines import Line, listed
from provider_api.doctor.refusals import Forbidden, Refused
from provider_api.doctor.run import Check
from provider_api.doctor.surroundings import RUNNER, NotCheckable, Options, Surroundings

_TRY_SECONDS: Final = 5  # for one connection
_POLL_SECONDS: Final = 1.0
_CLEAN_SECONDS: Final = 15.0
_ENDED: Final = ("Succeeded", "Failed")  # phases
_LABELS: Final = (networks.ALGORITHM, networks.CONTROL)

# Runs in the pod, with two words: what to reach, where to leave its message. Where the cluster's DNS is
# stands in its own resolv.conf; the message becomes its status.
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
open(sys.argv[2], "w").write(json.dumps(found))
"""


async def _enforced(around: Surroundings) -> Sequence[Line]:
    if not around.options.probe:
        raise NotCheckable("only with --probe, which starts two small pods")
    cluster = around.require_cluster()
    templates = await templates_of(around) or ()
    image = around.options.probe_image or _step_image(templates)
    if not image:
        raise NotCheckable("there is no environment that names an image; give one with --probe-image")
    place = _place(templates)
    pods = [_Probe(cluster, around.jobs, image, labels, around.options, place) for labels in _LABELS]
    outcomes = await asyncio.gather(*(pod.run() for pod in pods), return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if left := [pod.name for pod in pods if not pod.gone]:
        reason = f"could not be deleted: Jobs {listed(left)}"
        return [networks.ENFORCED.failure(reason, mend="delete them; Kubernetes does so itself a little later")]
    for failure in failures:
        raise failure
    algorithm, control = pods
    return [networks.judge_enforcement(algorithm.told, control.told, algorithm.seen)]


def _step_image(templates: Sequence[Mapping[str, Any]]) -> str:
    steps = (step for template in templates for step in template["spec"].get("templates") or ())
    images = (step["container"].get("image") for step in steps if step.get("name") == names.CONFIGURATION)
    return str(next((image for image in images if image), ""))


def _place(templates: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Where the first environment's pods run, and with which Secrets their images are pulled."""
    spec = templates[0]["spec"] if templates else {}
    return {key: spec[key] for key in ("nodeSelector", "tolerations", "imagePullSecrets") if spec.get(key)}


class _Probe:
    """One Job. `told`: what its pod could reach, None for nothing heard; `seen`: how it stood when last looked at."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        image: str,
        labels: Mapping[str, str],
        options: Options,
        place: Mapping[str, Any],
    ) -> None:
        self._cluster, self._namespace, self._options = cluster, namespace, options
        self.name = f"c2d-doctor-{secrets.token_hex(4)}"
        self._manifest = _manifest(self.name, image, labels, options, place)
        self.told: networks.Reached | None = None
        self.seen = "no pod was made"
        self.gone = True

    async def run(self) -> None:
        """Raises Forbidden, NoAnswer, Refused; `gone` is false when the Job could not be deleted."""
        self.gone = False
        creating = asyncio.ensure_future(in_thread(self._cluster.create_job, self._namespace, self._manifest))
        try:
            await asyncio.shield(creating)
            await self._watch()
        finally:
            cleaning = asyncio.ensure_future(self._clean(creating))
            try:
                await asyncio.shield(cleaning)
            except asyncio.CancelledError:  # once more, as when Ctrl-C follows a time limit: still clean up
                await asyncio.wait({cleaning}, timeout=_CLEAN_SECONDS)
                raise

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._options.probe_seconds
        while loop.time() < deadline:
            for pod in await in_thread(self._cluster.pods_of_job, self._namespace, self.name):
                self.told, self.seen = _told(pod), _state(pod)
            if self.seen in _ENDED:
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _clean(self, creating: asyncio.Future[None]) -> None:
        """A creation that is under way is waited for: otherwise it would come after the deletion."""
        await asyncio.wait({creating}, timeout=_CLEAN_SECONDS)
        if creating.done() and isinstance(creating.exception(), Forbidden | Refused):
            self.gone = True  # it never was
            return
        await in_thread(self._cluster.delete_job, self._namespace, self.name)
        self.gone = True


def _state(pod: Mapping[str, Any]) -> str:
    """Its phase, and what a container waits for."""
    status = pod.get("status") or {}
    waiting = [(each.get("state") or {}).get("waiting") or {} for each in status.get("containerStatuses") or ()]
    return " ".join([str(status.get("phase") or "Pending"), *(str(w["reason"]) for w in waiting if w.get("reason"))])


def _told(pod: Mapping[str, Any]) -> networks.Reached | None:
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        message = ((container.get("state") or {}).get("terminated") or {}).get("message")
        try:
            found = json.loads(message or "")
            return networks.Reached(found["outside"], found["dns"])
        except (ValueError, TypeError, KeyError):
            continue
    return None


def _manifest(
    name: str, image: str, labels: Mapping[str, str], options: Options, place: Mapping[str, Any]
) -> dict[str, Any]:
    """As hardened as a step of a job, without volumes; passes Pod Security `restricted` and quotas."""
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", PROGRAM, options.probe_target, "/dev/termination-log"],
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
        **place,
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


_SIZE: Final = {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "64Mi"}

CHECK = Check(
    (networks.ENFORCED,),
    _enforced,
    own_limit=lambda around: around.options.limit_seconds + around.options.probe_seconds,
)
