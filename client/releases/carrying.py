"""How a command of an owner is carried out: the keystore is opened, the service asked, and trouble told."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import typer

from client.exits import Refused, Trouble, Unusable
from client.printing import Printer, confirmed
from client.releases.access import Access
from client.releases.service import SECONDS, Service, checked_url
from client.text import LONGEST_TEXT, harmless


def carried_out(
    access: Access, work: Callable[[Service], None], job_id: str | None = None, *, as_document: bool = False
) -> int:
    """The exit code, as `client.exits` has them. `as_document`: trouble is told as JSON, too."""
    try:
        if job_id is not None:
            _require_job(job_id)
        given, owner = access.found()
        url = checked_url(given)
        # Nothing is read from the environment, as in `ocean.client`: a .netrc would send its passwords along.
        with httpx.Client(timeout=SECONDS, trust_env=False, follow_redirects=False) as http:
            work(Service(url, owner, http))
    except Trouble as exc:
        if as_document:
            Printer(as_json=True).trouble(str(exc), exc.code, exc.reasons)
            return exc.code
        return told(exc)
    return 0


def told(trouble: Trouble) -> int:
    """Print it. The exit code."""
    typer.echo(harmless(str(trouble), longest=2 * LONGEST_TEXT), err=True)
    return trouble.code


def _require_job(job_id: str) -> None:
    """Raises Unusable."""
    if re.fullmatch(r"[0-9a-f]{32}", job_id, re.ASCII) is None:
        raise Unusable(f"{job_id} is no job's id: 32 hexadecimal digits in small letters are expected")


def require_yes(question: str, *, sure: bool) -> None:
    """Ask, unless it is `sure`. Where nobody is there who could answer, that is a no. Raises Refused."""
    if not sure and not confirmed(question):
        raise Refused("nothing was sent: the question was not answered with yes (--yes answers it beforehand)")
