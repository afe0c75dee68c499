"""What the service itself leans on: its key, database, result store, and Argo Server."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from argo.client.errors import ArgoError, ArgoRefused
from provider_api.doctor.lines import Item, Line
from provider_api.settings import PolicySettings

KEY: Final = Item(
    "provider-key",
    "the provider's key",
    "there, 0x and 64 hexadecimal digits",
    "set C2D_PROVIDER__KEY_FILE to the file with it; keep it, everything else is derived from it",
)
DATABASE: Final = Item(
    "database",
    "the database",
    "answers",
    "see to it that C2D_STORAGE__URL is right, and that the database runs and can be reached from here",
)
MIGRATIONS: Final = Item(
    "migrations",
    "the database's tables",
    "at the newest revision of this release",
    "`c2d admin migrate`, which the chart runs before each release; a service alone does it when it starts",
)
STORE: Final = Item(
    "result-store",
    "the result store",
    "a small object written, read again, deleted",
    "correct C2D_RESULTS__URL and C2D_RESULTS__OPTIONS; the account needs to list, read, write and delete",
)
TRUST: Final = Item(
    "trusted-lists",
    "what two empty lists of trusted algorithms mean",
    "what the operator has decided",
    "set C2D_POLICY__TRUSTED_LISTS_EMPTY to allow or deny",
)
ARGO_SERVER: Final = Item(
    "argo-server",
    "Argo Server with the service's token",
    "lists templates and workflows",
    "correct C2D_ARGO__URL, __TOKEN_FILE, __VERIFY; for 403 apply the Role and RoleBinding under argo/gitops; where"
    " Argo has an archive, see whether its database answers: without it there are no lists",
)
ARCHIVE: Final = Item(
    "archive",
    "jobs that Argo has not written into its archive",
    "none that ended more than ten minutes ago",
    "see to the archive's database, then restart Argo's controller and server, which may not connect again themselves",
)


def judge_migrations(current: str | None, head: str, known: Collection[str]) -> Line:
    """Revisions: the database's (None: empty), the newest of this release, all that it knows."""
    expected = f"revision {head}"
    if current == head:
        return MIGRATIONS.ok(f"revision {current}", expected=expected)
    if current is None:
        return MIGRATIONS.failure("no tables of this service", expected=expected)
    if current not in known:
        mend = "a later release has been here; this one may work on its tables, but update it"
        return MIGRATIONS.warning(f"revision {current}, unknown to this release", expected=expected, mend=mend)
    return MIGRATIONS.failure(f"revision {current}", expected=expected)


def tell_trust(policy: PolicySettings) -> Line:
    """Nothing to be wrong about, but to be known: publishers take an empty list for a closed door."""
    who = "every" if policy.trusted_lists_empty == "allow" else "no"
    setting = f"C2D_POLICY__TRUSTED_LISTS_EMPTY={policy.trusted_lists_empty}"
    return TRUST.ok(f"{who} published algorithm may run on such a dataset ({setting})")


def judge_archive(unarchived: int, subject: str) -> Line:
    return ARCHIVE.failure(f"{unarchived} or more", subject) if unarchived else ARCHIVE.ok("none", subject)


def judge_argo_error(subject: str, problem: ArgoError) -> Line:
    """Argo's own words are left out where they may repeat what was sent; of a refusal the status says enough."""
    if isinstance(problem, ArgoRefused):
        reason = {401: "its token is not accepted", 403: "its token lacks a right"}.get(problem.status, "refused")
        return ARGO_SERVER.failure(f"{reason} ({problem.status})", subject)
    return ARGO_SERVER.failure(str(problem), subject)
