"""How a command of an owner is carried out: the keystore is opened, the service asked, and trouble told."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import typer

from provider_api.cli.releases.keystore import Access, opened
from provider_api.cli.releases.service import SECONDS, Service, checked_url
from provider_api.cli.text import LONGEST_TEXT, Refused, Unusable, harmless


def carried_out(access: Access, work: Callable[[Service], None], job_id: str | None = None) -> int:
    """The exit code: 0; 1 where the service, or the state of things, says no; 2 where the command is unusable."""
    try:
        if job_id is not None:
            _require_job(job_id)
        url = checked_url(access.url)
        owner = opened(access)
        # Nothing is read from the environment, as in `ocean.client`: a .netrc would send its passwords along.
        with httpx.Client(timeout=SECONDS, trust_env=False, follow_redirects=False) as http:
            work(Service(url, owner, http))
    except (Refused, Unusable) as exc:
        return told(exc)
    return 0


def told(trouble: Refused | Unusable) -> int:
    """Print it. The exit code."""
    typer.echo(harmless(str(trouble), longest=2 * LONGEST_TEXT), err=True)
    return 1 if isinstance(trouble, Refused) else 2


def _require_job(job_id: str) -> None:
    """Raises Unusable."""
    if re.fullmatch(r"[0-9a-f]{32}", job_id, re.ASCII) is None:
        raise Unusable(f"{job_id} is no job's id: 32 hexadecimal digits in small letters are expected")


def require_yes(question: str, *, sure: bool) -> None:
    """Ask, unless it is `sure`. Where nobody is there who could answer, that is a no. Raises Refused."""
    if not sure and not _confirmed(question):
        raise Refused("nothing was sent: the question was not answered with yes (--yes answers it beforehand)")


def _confirmed(question: str) -> bool:
    try:
        return typer.confirm(question)
    except typer.Abort:
        typer.echo()
        return False
