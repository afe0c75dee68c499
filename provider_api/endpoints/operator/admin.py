"""What an operator's own scripts ask: the header `Admin` must be one of the configured secrets."""

from __future__ import annotations

import hmac
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from argo.client.records import Workflow
from contract import names
from provider_api.calls.parameters import Call
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.operator.calls import read_call, require, text_of
from provider_api.endpoints.operator.descriptions import ADMIN, JOB_IN_QUERY, SIGNED, TAG
from provider_api.endpoints.request import ServicesDep
from provider_api.http.errors import Refused
from provider_api.http.paths import OPERATOR
from provider_api.http.responses import json_response
from provider_api.jobs.live.log_rule import log_rule
from provider_api.jobs.records import find_existing
from provider_api.openapi import samples
from provider_api.openapi.operation import ANY, TEXT, Answer, Operation, Parameter
from provider_api.services import Services

_COMPONENTS = {
    "configure": names.CONFIGURATION,
    "algorithm": names.ALGORITHM,
    "filter": names.FILTERING,
    "publish": names.PUBLISHING,
}
_LOG_BYTES = 1024 * 1024  # of a log that is shown
_LABELLED = (names.ENVIRONMENT, names.OWNER, names.PROVIDER, names.CHAIN)


async def _admin_call(request: Request, services: Services) -> Call:
    """Parameters of a call that an operator's own script makes. Raises Refused, NotOffered."""
    parameters = await read_call(request, services)
    secret = request.headers.get("admin", "")
    if not secret:
        raise Refused("The header Admin is missing.")
    known = (admin.get_secret_value() for admin in services.settings.operator.admins)
    if not any([hmac.compare_digest(secret.encode(), each.encode()) for each in known]):
        raise Refused("The header Admin is wrong.", 401)
    return parameters


@endpoint(
    Operation(
        "POST",
        OPERATOR + "/pgsqlinit",
        "operatorInit",
        TAG,
        "Nothing to do",
        {200: Answer("Tables are made when the service starts.")},
        SIGNED,
        request_headers=ADMIN,
    )
)
async def pgsqlinit(request: Request, services: ServicesDep) -> Response:
    """Deployment scripts call it. Tables are made when the service starts, so there is nothing to do."""
    await _admin_call(request, services)
    return Response(status_code=200)


@endpoint(
    Operation(
        "GET",
        OPERATOR + "/runningjobs",
        "operatorRunning",
        TAG,
        "Unfinished jobs of all providers",
        {200: Answer("What they are.", {"type": "array"}, {"none": []})},
        SIGNED,
        request_headers=ADMIN,
    ),
    head=False,
)
async def runningjobs(request: Request, services: ServicesDep) -> Response:
    await _admin_call(request, services)
    jobs = await _unfinished(services)
    keys = ("agreementId", "jobId", "owner", "status", "statusText", "dateCreated", "algoDID", "inputDID", "chainId")
    shown = [
        {name: job[name] for name in keys} | {"namespace": job["environment"]}
        for job in await services.reader.objects(jobs)
    ]
    return json_response(shown, sort_keys=False)


@endpoint(
    Operation(
        "GET",
        OPERATOR + "/list",
        "operatorList",
        TAG,
        "Names of all workflows",
        {200: Answer("Newest first.", {"type": "array", "items": {"type": "string"}}, {"one": [samples.JOB]})},
        SIGNED,
        request_headers=ADMIN,
    ),
    head=False,
)
async def list_names(request: Request, services: ServicesDep) -> Response:
    await _admin_call(request, services)
    found: dict[str, datetime] = {}
    async for page in services.argo.pages({names.ENVIRONMENT: names.ANY}):
        found |= {job.name: job.created_at for job in page}
    return json_response(sorted(found, key=lambda name: (found[name], name), reverse=True), sort_keys=False)


@endpoint(
    Operation(
        "GET",
        OPERATOR + "/info",
        "operatorInfo",
        TAG,
        "The workflow of a job",
        {200: Answer("Without its arguments.", {"type": "object"}, {"one": {"name": samples.JOB, "nodes": []}})},
        SIGNED,
        parameters=JOB_IN_QUERY,
        request_headers=ADMIN,
    ),
    head=False,
)
async def info(request: Request, services: ServicesDep) -> Response:
    """The workflow of a job, without its arguments: they are sealed anyhow."""
    call = await _admin_call(request, services)
    return json_response(_sanitised(await _job(services, call)), sort_keys=False)


@endpoint(
    Operation(
        "GET",
        OPERATOR + "/logs",
        "operatorLogs",
        TAG,
        "What a step has printed",
        {200: Answer("The log.", {"type": "string"}, {"log": "read 2 files\n"}, media=TEXT)},
        SIGNED,
        parameters={
            **JOB_IN_QUERY,
            "component": Parameter("configure, algorithm, filter or publish.", "algorithm", ANY),
        },
        request_headers=ADMIN,
    ),
    head=False,
)
async def logs(request: Request, services: ServicesDep) -> Response:
    """What a step has printed so far, as text; after its pod is gone, what was published of it.

    Of an algorithm whose results pass a filter, only what was published; of one with release rules no more than they
    let be shown at once.
    """
    call = await _admin_call(request, services)
    require(call, ("component",))
    template = _COMPONENTS.get(text_of(call, "component"))
    if template is None:
        raise Refused(f"component must be one of {', '.join(_COMPONENTS)}.")
    job = await _job(services, call)
    text = await _printed(services, job, template)
    if text is None:
        raise Refused("There is no such pod.", 404)
    return Response(text, media_type="text/plain; charset=utf-8")


async def _printed(services: Services, job: Workflow, template: str) -> str | None:
    most = log_rule(job, _LOG_BYTES).most if template == names.ALGORITHM else _LOG_BYTES
    if not job.finished and most > 0:
        printed = bytearray()
        async for line in services.argo.follow_log(job.name, template, follow=False):
            printed += line.encode() + b"\n"
            if len(printed) > most:
                break
        if printed:
            return printed[:most].decode(errors="ignore")
    return await services.results.log(job, template, _LOG_BYTES)


async def _job(services: Services, call: Call) -> Workflow:
    """Raises Refused."""
    require(call, ("jobId",))
    found = await find_existing(services.argo, text_of(call, "jobId"))
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
