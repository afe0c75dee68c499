"""What an operator's own scripts ask: the header `Admin` must be one of the configured secrets."""

from __future__ import annotations

import hmac
from datetime import datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from argo.client.records import Workflow
from contract import names
from provider_api.endpoints.operator.calls import read_call, require, text_of
from provider_api.http.errors import Refused
from provider_api.http.responses import json_response
from provider_api.jobs.records import find_existing
from provider_api.services import Services

router = APIRouter()

_COMPONENTS = {
    "configure": names.CONFIGURATION,
    "algorithm": names.ALGORITHM,
    "filter": names.FILTERING,
    "publish": names.PUBLISHING,
}
_LOG_BYTES = 1024 * 1024  # of a log that is shown
_LABELLED = (names.ENVIRONMENT, names.OWNER, names.PROVIDER, names.CHAIN)


async def _admin(request: Request) -> Services:
    """Raises Refused, NotOffered."""
    services, _ = await read_call(request)
    given = request.headers.get("admin", "")
    if not given:
        raise Refused("The header Admin is missing.")
    secrets = (secret.get_secret_value() for secret in services.settings.operator.admins)
    if not any([hmac.compare_digest(given.encode(), secret.encode()) for secret in secrets]):
        raise Refused("The header Admin is wrong.", 401)
    return services


@router.post("/pgsqlinit")
async def pgsqlinit(request: Request) -> Response:
    """Deployment scripts call it. Tables are made when the service starts, so there is nothing to do."""
    await _admin(request)
    return Response(status_code=200)


@router.get("/runningjobs")
async def runningjobs(request: Request) -> Response:
    services = await _admin(request)
    jobs = await _unfinished(services)
    keys = ("agreementId", "jobId", "owner", "status", "statusText", "dateCreated", "algoDID", "inputDID", "chainId")
    shown = [
        {name: job[name] for name in keys} | {"namespace": job["environment"]}
        for job in await services.reader.objects(jobs)
    ]
    return json_response(shown, sort_keys=False)


@router.get("/list")
async def list_names(request: Request) -> Response:
    services = await _admin(request)
    found: dict[str, datetime] = {}
    async for page in services.argo.pages({names.ENVIRONMENT: names.ANY}):
        found |= {job.name: job.created_at for job in page}
    return json_response(sorted(found, key=lambda name: (found[name], name), reverse=True), sort_keys=False)


@router.get("/info")
async def info(request: Request) -> Response:
    """The workflow of a job, without its arguments: they are sealed anyhow."""
    services = await _admin(request)
    return json_response(_sanitised(await _job(request, services)), sort_keys=False)


@router.get("/logs")
async def logs(request: Request) -> Response:
    """What a step has printed so far, as text; after its pod is gone, what was published of it.

    Of an algorithm whose results pass a filter, only what was published.
    """
    services = await _admin(request)
    _, given = await read_call(request)
    require(given, ("component",))
    template = _COMPONENTS.get(text_of(given, "component"))
    if template is None:
        raise Refused(f"component must be one of {', '.join(_COMPONENTS)}.")
    job = await _job(request, services)
    text = await _printed(services, job, template)
    if text is None:
        raise Refused("There is no such pod.", 404)
    return Response(text, media_type="text/plain; charset=utf-8")


async def _printed(services: Services, job: Workflow, template: str) -> str | None:
    unjudged = template == names.ALGORITHM and job.annotations.get(names.FILTERED) == "true"
    if not job.finished and not unjudged:
        lines, size = list[str](), 0
        async for line in services.argo.follow_log(job.name, template, follow=False):
            lines.append(line)
            size += len(line)
            if size > _LOG_BYTES:
                break
        if lines:
            return "\n".join(lines) + "\n"
    return await services.results.log(job, template, _LOG_BYTES)


async def _job(request: Request, services: Services) -> Workflow:
    """Raises Refused."""
    _, given = await read_call(request)
    require(given, ("jobId",))
    found = await find_existing(services.argo, text_of(given, "jobId"))
    if found is None:
        raise Refused("There is no such job.", 404)
    return found


async def _unfinished(services: Services) -> list[Workflow]:
    """Of all environments, also those that are no longer there; newest first."""
    return await services.argo.list({names.ENVIRONMENT: names.ANY}, limit=None, unfinished_only=True)


def _sanitised(job: Workflow) -> dict[str, object]:
    return {
        "name": job.name,
        "labels": {name: job.labels[name] for name in _LABELLED if name in job.labels},
        "phase": job.phase,
        "message": job.message,
        "createdAt": job.created_at.isoformat(),
        "nodes": [
            {
                "name": node.display_name,
                "type": node.type,
                "phase": node.phase,
                "message": node.message,
                "exitCode": node.exit_code,
            }
            for node in job.nodes
        ],
    }
