"""Namespaces, their Pod Security, the service accounts and the executor's token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from provider_api.doctor.lines import Item, Line, listed

Json = Mapping[str, Any]

NAMESPACES: Final = Item(
    "namespaces", "a namespace", "there", "create it: apply the manifests under argo/gitops, or name yours"
)
POD_SECURITY: Final = Item(
    "pod-security",
    "Pod Security of the jobs' namespace",
    "pod-security.kubernetes.io/enforce: restricted",
    "label the namespace; whoever can write templates there could otherwise start privileged pods",
)
ACCOUNTS: Final = Item(
    "service-accounts", "a service account", "there", "apply the manifests under argo/gitops, or install the chart"
)
EXECUTOR_TOKEN: Final = Item(
    "executor-token",
    "the token Secret of Argo's containers",
    "type kubernetes.io/service-account-token, of job-executor, filled in",
    "create the Secret job-executor.service-account-token with that type and the annotation "
    "kubernetes.io/service-account.name: job-executor; Kubernetes makes none by itself",
)

_ENFORCE = "pod-security.kubernetes.io/enforce"
_TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105  (a type)
_TOKEN_NAME = "workflows.argoproj.io/service-account-token.name"  # noqa: S105  (an annotation)
_TOKEN_OF = "kubernetes.io/service-account.name"  # noqa: S105  (an annotation)


def judge_namespaces(found: Mapping[str, Json | None]) -> list[Line]:
    return [
        NAMESPACES.failure("missing", name) if namespace is None else NAMESPACES.ok("there", name)
        for name, namespace in found.items()
    ]


def judge_pod_security(namespace: Json | None) -> Line:
    if namespace is None:
        return POD_SECURITY.failure("there is no such namespace")
    level = (namespace["metadata"].get("labels") or {}).get(_ENFORCE, "")
    match level:
        case "restricted":
            return POD_SECURITY.ok("restricted")
        case "baseline":
            return POD_SECURITY.warning("baseline")
        case _:
            return POD_SECURITY.failure(level or "no such label")


def judge_accounts(found: Mapping[str, Json | None], *, runner: str) -> list[Line]:
    """`runner`: the account of the pods, which must not bring a token along by itself."""
    lines = []
    for name, account in found.items():
        if account is None:
            lines.append(ACCOUNTS.failure("missing", name))
        elif name == runner and account.get("automountServiceAccountToken") is not False:
            lines.append(
                ACCOUNTS.warning(
                    "there, but brings its token into pods",
                    name,
                    expected="there, automountServiceAccountToken: false",
                    mend="set automountServiceAccountToken: false; the templates say so too, a second net is better",
                )
            )
        else:
            lines.append(ACCOUNTS.ok("there", name))
    return lines


def executor_token_name(account: Json) -> str:
    """The Secret that the controller mounts for an executor's account (Argo 4.1: it looks in this order)."""
    listed_secrets = account.get("secrets") or ()
    if listed_secrets:
        return str(listed_secrets[0].get("name") or "")
    metadata = account["metadata"]
    named = (metadata.get("annotations") or {}).get(_TOKEN_NAME)
    return str(named or f"{metadata['name']}.service-account-token")


def judge_executor_token(name: str, secret: Json | None, *, account: str) -> Line:
    if secret is None:
        return EXECUTOR_TOKEN.failure("missing", name)
    wrong = []
    if secret.get("type") != _TOKEN_TYPE:
        wrong.append(f"type {secret.get('type')}")
    owner = (secret["metadata"].get("annotations") or {}).get(_TOKEN_OF, "")
    if owner != account:
        wrong.append(f"of {owner or 'no account'}")
    if not (secret.get("data") or {}).get("token"):
        wrong.append("without a token")
    return EXECUTOR_TOKEN.failure(listed(wrong), name) if wrong else EXECUTOR_TOKEN.ok("as it should be", name)
