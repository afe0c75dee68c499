"""The pages of somebody's jobs: the list, one job, its files, and what may be done with it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from argo.client.records import Workflow
from contract import names
from ocean.addresses import canonical
from ocean.kit.digits import is_digits
from provider_api.calls.sign_ins import Session
from provider_api.endpoints.jobs.result_file import answer_with
from provider_api.endpoints.pages.addresses import address_of_service, argo_page
from provider_api.endpoints.pages.page import PRIVATE, page, see_other, shown, sign_in_page
from provider_api.endpoints.pages.session import require_session, session_of
from provider_api.http.errors import Refused
from provider_api.jobs.delete import delete_jobs
from provider_api.jobs.live.waiting import place_of
from provider_api.jobs.places import Line
from provider_api.jobs.printed import printed
from provider_api.jobs.status import status_of
from provider_api.jobs.stop import stop_jobs
from provider_api.pages.job_view import JobView, job_view, run_again, tail, verify
from provider_api.pages.rendering import render
from provider_api.services import Services

T = TypeVar("T")

EACH = 25  # jobs on a page
JOB = "/jobs/{job_id}"


@page("GET", "/jobs/")
async def jobs(request: Request, services: Services) -> Response:
    session = await session_of(request, services)
    if session is None:
        return sign_in_page(request, "jobs/")
    found = await services.reader.of_owner(canonical(session.address))
    part, number, pages = one_page(request, found, EACH)
    now = time.time()
    views = [_view(job, told, now) for job, told in zip(part, await services.reader.objects(part), strict=True)]
    return shown(request, "jobs.html", session=session, jobs=views, number=number, pages=pages)


@page("POST", "/jobs/token")
async def token(request: Request, services: Services) -> Response:
    """A token of the account for the command line, which is shown this once. Signing out here leaves it alone."""
    session = await require_session(request, services)
    made = await services.sign_ins.exchange(session.token)
    return shown(request, "token.html", session=session, token=made.token, expires=made.expires_at)


@page("GET", JOB)
async def job(request: Request, services: Services) -> Response:
    """`part=live`: only what changes while the job runs, for the page's script."""
    session = await require_session(request, services)
    workflow = await _mine(request, services, session)
    told, line = await services.reader.shown(workflow)
    view = _view(workflow, told, time.time())
    step = names.ALGORITHM if view.began is not None or view.finished else names.CONFIGURATION
    log = await printed(services.argo, services.results, workflow, step)
    if log is None and step == names.ALGORITHM:
        step = names.CONFIGURATION
        log = await printed(services.argo, services.results, workflow, step)
    url = address_of_service(request, services)
    values: dict[str, Any] = {
        "session": session,
        "job": view,
        "log": None if log is None else tail(log),
        "log_of": "algorithm" if step == names.ALGORITHM else "preparation",
        "digests": await services.results.digests(workflow, await services.results.approval(workflow)),
        "ends": _ends(view, services),
        "longest_wait": None if line is None else _longest_wait(line, view, services),
        "argo_page": argo_page(services, workflow.name),
        "again": run_again(view),
        "verify": verify(url),
    }
    if request.query_params.get("part") == "live":
        return HTMLResponse(render("live.html", request.url.path, **values), headers=PRIVATE)
    return shown(request, "job.html", **values)


@page("GET", JOB + "/files/{index}")
async def file(request: Request, services: Services) -> Response:
    workflow = await _mine(request, services, await require_session(request, services))
    index = request.path_params["index"]
    if not is_digits(index) or len(index) > 9:
        raise Refused("There is no such file.", 404)
    answer = await answer_with(request, services.results, await services.results.file(workflow, int(index)))
    answer.headers.update(PRIVATE)
    return answer


@page("POST", JOB + "/stop")
async def stop(request: Request, services: Services) -> Response:
    workflow = await _mine_to_change(request, services)
    await stop_jobs(services.argo, [workflow])
    return see_other(f"../{workflow.name}")


@page("POST", JOB + "/delete")
async def delete(request: Request, services: Services) -> Response:
    workflow = await _mine_to_change(request, services)
    await delete_jobs(services.argo, services.results, services.claims, [workflow])
    return see_other("../")


async def _mine(request: Request, services: Services, session: Session) -> Workflow:
    """Raises Refused (404), also for a job of somebody else: nobody learns that there is one."""
    workflow = await services.reader.find(canonical(session.address), request.path_params["job_id"], may_lag=True)
    if workflow is None:
        raise Refused("Your account has no such job. It may have been deleted, or belong to another account.", 404)
    return workflow


async def _mine_to_change(request: Request, services: Services) -> Workflow:
    """Raises SignInNeeded, Refused (404, and where the operator's access control says no)."""
    session = await require_session(request, services)
    await services.control.require("compute", canonical(session.address))
    return await _mine(request, services, session)


def one_page(request: Request, found: Sequence[T], each: int) -> tuple[Sequence[T], int, int]:
    """The part of a list that a request's `page` asks for, the number of that page, and how many pages there are."""
    asked = request.query_params.get("page", "1")
    number = max(1, int(asked)) if is_digits(asked) and len(asked) < 6 else 1
    return found[each * (number - 1) : each * number], number, max(1, -(-len(found) // each))


def _view(workflow: Workflow, told: dict[str, Any], now: float) -> JobView:
    return job_view(workflow, status_of(workflow, now=datetime.now(UTC)), told, now)


def _longest_wait(line: Line, view: JobView, services: Services) -> float | None:
    """Seconds; None where nothing is known."""
    snapshot = services.environments.last
    environment = None if snapshot is None else snapshot.environments.get(view.environment)
    most = place_of(line, environment, time.time())["highSeconds"]
    return None if most is None else float(most)


def _ends(view: JobView, services: Services) -> float | None:
    """When the algorithm must have ended at the latest, Unix seconds; None: it has ended, or no end is known."""
    if view.finished or view.held_until is not None:
        return None
    snapshot = services.environments.last
    environment = None if snapshot is None else snapshot.environments.get(view.environment)
    known = [] if view.paid_until is None else [view.paid_until]
    if environment is not None and view.began is not None:
        known.append(view.began + environment.max_job_duration)
    return min(known, default=None)
