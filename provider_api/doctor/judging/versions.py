"""Versions of Kubernetes and Argo, and Argo's kinds of objects."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from contract.argo_releases import NEWEST, RELEASES, release_of
from provider_api.doctor.lines import Item, Line, listed

KUBERNETES: Final = Item(
    "kubernetes-version",
    "version of Kubernetes",
    "1.34 to 1.36",
    "upgrade the cluster; below 1.30 the ValidatingAdmissionPolicy is missing that guards what may be submitted",
)
ARGO: Final = Item(
    "argo-version",
    "version of Argo Server",
    NEWEST.name,
    f"install Argo Workflows {NEWEST.name}: older releases refuse or ignore fields of the templates",
)
CONTROLLER: Final = Item(
    "controller-version",
    "version of Argo's controller, by its image",
    NEWEST.name,
    f"install Argo Workflows {NEWEST.name}, controller, server and CRDs of one release",
)
CRDS: Final = Item(
    "argo-crds",
    "Argo's kinds of objects",
    "workflows, workflowtemplates, workflowtaskresults and the rest of argoproj.io/v1alpha1",
    "install Argo's CRDs with server-side apply (the full ones are too large for client-side apply)",
)

_OLDEST_KUBERNETES, _TRIED_KUBERNETES = (1, 30), ((1, 34), (1, 36))
KINDS: Final = frozenset(
    {
        "clusterworkflowtemplates",
        "cronworkflows",
        "workflowartifactgctasks",
        "workfloweventbindings",
        "workflows",
        "workflowtaskresults",
        "workflowtasksets",
        "workflowtemplates",
    }
)
_USED = frozenset({"workflows", "workflowtemplates", "workflowtaskresults", "workflowtasksets"})


def judge_kubernetes(version: str) -> Line:
    """`version`: as the API server says it, v1.34.2+k3s1."""
    found = _numbers(version)
    if found is None:
        return KUBERNETES.warning(f"{version or 'nothing'}: not a version")
    if found < _OLDEST_KUBERNETES:
        return KUBERNETES.failure(version)
    first, last = _TRIED_KUBERNETES
    return KUBERNETES.ok(version) if first <= found <= last else KUBERNETES.warning(version)


def judge_argo(version: str, subject: str = "") -> Line:
    """`version`: as Argo Server says it, v4.1.2."""
    if _numbers(version) is None:
        return ARGO.warning(f"{version or 'nothing'}: not a version", subject)
    return _judge_release(ARGO, version, subject)


def judge_controller(image: str | None) -> Line:
    """`image`: the controller's, whose tag is its version; None: there is no controller."""
    if image is None:
        return CONTROLLER.failure(
            "there is no such Deployment", mend="install Argo's controller, or name its namespace"
        )
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    if _numbers(tag) is None:
        return CONTROLLER.not_checked("its image's name tells no version")
    return _judge_release(CONTROLLER, tag, "")


def _judge_release(item: Item, version: str, subject: str) -> Line:
    release = release_of(version)
    if release is None and (_numbers(version) or (0, 0)) < (_numbers(RELEASES[0].name) or (0, 0)):
        return item.failure(version, subject)
    if release is None:
        return item.warning(version, subject, mend="not tried with this release; run the contract tests against it")
    if release.differences:
        return item.warning(f"{version}: {'; '.join(release.differences)}", subject)
    return item.ok(version, subject)


def judge_kinds(resources: Collection[str] | None) -> Line:
    """`resources`: names of the API group, subresources among them; None: there is no such group."""
    if resources is None:
        return CRDS.failure("the API group argoproj.io/v1alpha1 does not exist")
    missing = KINDS - set(resources)
    if missing & _USED:
        return CRDS.failure(f"missing: {listed(missing, most=8)}")
    if missing:
        return CRDS.warning(f"missing: {listed(missing, most=8)}", mend="install all of Argo's CRDs of one release")
    return CRDS.ok(f"all {len(KINDS)}")


def _numbers(version: str) -> tuple[int, int] | None:
    match = re.match(r"v?([0-9]+)\.([0-9]+)", version)
    return (int(match[1]), int(match[2])) if match else None
