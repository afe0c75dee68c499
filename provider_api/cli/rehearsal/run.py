"""A rehearsal from the command line's values to its report."""

from __future__ import annotations

import secrets
import time
from typing import Final

from argo.client.records import Workflow
from client.exits import Unusable
from client.parameters import read_parameters
from client.text import harmless
from contract import names
from pods.publishing.told import Broken, Withheld
from provider_api.cli.rehearsal import results
from provider_api.cli.rehearsal.datasets import read_datasets, readable_file
from provider_api.cli.rehearsal.following import Ended, follow, submitted
from provider_api.cli.rehearsal.job import Job, reasons_against, workflow_of
from provider_api.cli.rehearsal.place import temporary_place
from provider_api.cli.rehearsal.program import problems_of, program_of
from provider_api.cli.rehearsal.report import BrokenRule, KeptBack, KeptFile, Limits, Log, Report, Seconds, Verdict
from provider_api.cli.rehearsal.sentences import hints, sentence_of, sentence_of_rule
from provider_api.cli.rehearsal.server import Argo, rendered, serving
from provider_api.cli.rehearsal.telling import Progress
from provider_api.cli.rehearsal.wanted import NotAccepted, Wanted
from provider_api.deploy.file_server import FileServer
from provider_api.deploy.folder import DataFolder
from provider_api.jobs.status import JobStatus, Reason
from provider_api.settings import Settings
from workflow_templates.environment import FOLDER, Environment, read_environments

# Reasons of failures that are not the algorithm's own.
_OURS: Final[frozenset[Reason]] = frozenset(
    {
        "data_unavailable",
        "algorithm_unavailable",
        "configuration_failed",
        "image_unavailable",
        "lost",
        "rejected_by_cluster",
        "upload_incomplete",
    }
)


async def rehearsed(wanted: Wanted, settings: Settings, progress: Progress) -> Report:
    """Raises Unusable, NotAccepted, MachineCannot, EnvironmentInvalid, OSError."""
    began = time.monotonic()
    readable_file(wanted.script)
    results.require_free(wanted.output)
    datasets, program = read_datasets(wanted), program_of(wanted)
    custom_data = read_parameters(wanted.parameters, wanted.custom_data)
    own = settings.machine.environments
    described = _chosen(read_environments(FOLDER if own is None else own), wanted.environment)
    if problems := problems_of(program.container):
        raise NotAccepted(problems)
    progress.say(f"an environment like {described.id}, in a folder of its own")
    with temporary_place() as folder:
        async with serving(folder, described, rendered(own), program.images, settings) as argo:
            seconds = wanted.seconds or argo.environment.max_job_duration
            job = Job(wanted.script, program.name, program.container, datasets, custom_data, argo.environment, seconds)
            if reasons := reasons_against(job):
                raise NotAccepted(reasons)
            ended = await _run(argo, job, settings, progress)
            return _report(wanted, job, described, ended, folder, time.monotonic() - began)


async def _run(argo: Argo, job: Job, settings: Settings, progress: Progress) -> Ended:
    with FileServer(job.files()) as server:
        new = workflow_of(job, secrets.token_hex(16), server.urls, server.address, settings, argo.keys)
        async with submitted(argo, new):
            return await follow(argo, new.name, progress.status)


def _chosen(environments: tuple[Environment, ...], name: str | None) -> Environment:
    """That one, or the free one that clients see first, or simply the first. Raises Unusable."""
    known = {environment.id: environment for environment in environments}
    if name is None:
        return min(environments, key=lambda each: (each.price != 0, each.position, each.id))
    if name not in known:
        raise Unusable(f"there is no environment {name}; there is: {', '.join(known)}")
    return known[name]


def _report(
    wanted: Wanted,
    job: Job,
    described: Environment,
    ended: Ended,
    folder: DataFolder,
    total: float,
) -> Report:
    status, workflow = ended.status, ended.workflow
    manifest = results.published(folder.results, workflow)
    files = () if manifest is None else manifest.files
    output = results.copy_out(folder.results, files, wanted.output, wanted.script) if files else None
    network = workflow.arguments.get(names.ARG_NETWORK) == "public"
    verdict = _verdict(status)
    log = None
    if ended.log is not None:
        log = Log(lines=tuple(ended.log), leaves=any(file.type == "algorithmLog" for file in files))
    outputs = None if manifest is None or verdict == "kept_back" else sum(file.type == "output" for file in files)
    return Report(
        verdict=verdict,
        sentence=sentence_of(status),
        hints=(
            *hints(status, ended.log or [], job.image, network=network, outputs=outputs),
            *(_messages(workflow) if status.reason in _OURS else ()),
        ),
        environment=job.environment.id,
        image=job.image,
        entrypoint=job.container.entrypoint,
        limits=Limits(
            seconds=job.seconds,
            cpu=described.cpu_number,
            ram_gb=described.ram_gb,
            disk_gb=described.disk_gb,
            network=network,
        ),
        status=status.number,
        status_text=status.text,
        reason=status.reason,
        exit_code=status.exit_code,
        results=tuple(map(results.shown, files)),
        not_published=() if manifest is None else tuple(map(results.not_published, manifest.left_out)),
        kept_back=_kept_back(ended) if verdict == "kept_back" else None,
        waits_for_owners=verdict == "would_finish" and job.release.approval == "owner",
        log=log,
        seconds=Seconds(algorithm=ended.seconds and round(ended.seconds, 3), total=round(total, 3)),
        output=None if output is None else harmless(str(output)),
    )


def _messages(workflow: Workflow) -> list[str]:
    """What the server says of steps that failed."""
    failed = [node for node in workflow.nodes if node.type == "Pod" and node.phase in ("Failed", "Error")]
    told = [f"{node.template}: {harmless(node.message)}" for node in failed if node.message]
    return told or ([harmless(workflow.message)] if workflow.message else [])


def _verdict(status: JobStatus) -> Verdict:
    if status.reason in ("withheld", "filtered"):
        return "kept_back"
    return "would_finish" if status.reason == "completed" else "would_fail"


def _kept_back(ended: Ended) -> KeptBack:
    rules = [
        BrokenRule(rule=each.rule, path=each.path, sentence=sentence_of_rule(each))
        for each in ended.told
        if isinstance(each, Broken)
    ]
    if ended.status.reason == "filtered":
        rules = [BrokenRule(rule="filter", path="", sentence="the environment's filter has not released them")]
    files = [KeptFile(path=each.path, size=each.size) for each in ended.told if isinstance(each, Withheld)]
    return KeptBack(rules=tuple(rules), files=tuple(files))
