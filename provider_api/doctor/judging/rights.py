"""What each service account must be able to do, and what it must not: the table, and the verdict on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from provider_api.doctor.cluster import Right
from provider_api.doctor.lines import Item, Line, listed
from provider_api.doctor.surroundings import EXECUTOR, RUNNER

NEEDED: Final = Item(
    "rights-needed",
    "what a service account needs",
    "all allowed",
    "apply the Roles and RoleBindings under argo/gitops",
)
FORBIDDEN: Final = Item(
    "rights-forbidden",
    "what a service account must not be able to do",
    "nothing of it allowed",
    "find the binding that gives it (kubectl auth can-i --list --as=system:serviceaccount:…), and remove it",
)

_ARGO = "argoproj.io"
Answers = Mapping[Right, bool | None]


def _rights(namespace: str, group: str, **verbs: str) -> tuple[Right, ...]:
    return tuple(
        Right(verb, resource.replace("__", "/"), namespace, group)
        for resource, words in verbs.items()
        for verb in words.split()
    )


def needed(jobs: str, service_account: str) -> dict[str, tuple[Right, ...]]:
    """By account. That of the service: what its calls to Argo Server make of its token (client mode)."""
    return {
        service_account: (
            *_rights(jobs, _ARGO, workflows="create get list watch update patch delete", workflowtemplates="list"),
            *_rights(jobs, "", pods="list watch", pods__log="get"),
        ),
        RUNNER: (),
        EXECUTOR: _rights(jobs, _ARGO, workflowtaskresults="create patch"),
    }


def forbidden(jobs: str, service_account: str, service: str, argo: str) -> dict[str, tuple[Right, ...]]:
    """By account; `jobs`, `service`, `argo` are namespaces. Each way that leads to data, keys, or more rights."""
    everywhere = (
        *_rights(jobs, "", secrets="get list create", pods="create patch delete", pods__exec="create"),
        *_rights(jobs, "", serviceaccounts="impersonate", configmaps="update patch"),
        Right("create", "serviceaccounts/token", jobs),
        *_rights(jobs, _ARGO, workflowtemplates="create update patch delete"),
        *_rights(jobs, "rbac.authorization.k8s.io", rolebindings="create", roles="update"),
        *_rights(jobs, "networking.k8s.io", networkpolicies="create update delete"),
        *_rights(service, "", secrets="get list", pods__exec="create"),
        *_rights(argo, "", secrets="get", configmaps="update"),
        *_rights("", "", nodes__proxy="get", namespaces="patch"),
    )
    of_pods = (
        *_rights(jobs, "", pods="get list", pods__log="get", configmaps="get list", persistentvolumeclaims="get"),
        *_rights(jobs, _ARGO, workflows="get list create update patch delete", workflowtemplates="get list"),
        *_rights(jobs, _ARGO, workflowtaskresults="get list update delete"),
    )
    results = _rights(jobs, _ARGO, workflowtaskresults="create patch")
    elsewhere = tuple(Right("create", "workflows", each, _ARGO) for each in (service, argo))
    return {
        service_account: (*everywhere, *results, *elsewhere),
        RUNNER: (*everywhere, *of_pods, *results),
        EXECUTOR: (*everywhere, *of_pods),
    }


def judge_needed(account: str, answers: Answers) -> Line:
    """`answers`: None for a question that could not be asked."""
    if not answers:
        return NEEDED.ok("it needs nothing", account)
    if unknown := [right for right, allowed in answers.items() if allowed is None]:
        reason = f"this identity may not ask about {len(unknown)} of {len(answers)}"
        return NEEDED.not_checked(reason, account, mend=_ASK)
    missing = [str(right) for right, allowed in answers.items() if not allowed]
    return NEEDED.failure(f"not allowed: {listed(missing)}", account) if missing else NEEDED.ok("all allowed", account)


def judge_forbidden(account: str, answers: Answers) -> Line:
    """What is certainly allowed counts, even where other questions could not be asked."""
    if allowed := [str(right) for right, answer in answers.items() if answer]:
        return FORBIDDEN.failure(f"allowed: {listed(allowed)}", account)
    if unknown := [right for right, answer in answers.items() if answer is None]:
        reason = f"this identity may not ask about {len(unknown)} of {len(answers)}"
        return FORBIDDEN.not_checked(reason, account, mend=_ASK)
    return FORBIDDEN.ok(f"none of {len(answers)} allowed", account)


_ASK = "run the doctor with an identity that may create subjectaccessreviews, or impersonate"
