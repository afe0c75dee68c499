"""Configuration as a whole: check, prepare, download, write the start script; the verdict is the exit code.

Nothing is downloaded before the job spec has been opened, has turned out to be made for this very workflow, and there
is paid time left. Lines of the log name sizes, counts, durations, DIDs and causes, nothing of a file's address.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping

from pydantic import ValidationError

from contract.exit_codes import ExitCode
from contract.job_spec import MAX_SEALED_BYTES, Binding, JobSpec, JobSpecRefused, open_sealed, require_binding
from contract.keys import KeyFileInvalid, read_ethereum_key, read_key_ring
from ocean.kit.compact_json import compact_utf8
from ocean.outgoing import OutgoingGuard
from pods.configuration.download import ByteBudget
from pods.configuration.downloads import (
    ALGORITHM_FILE,
    PlanImpossible,
    PlannedInput,
    folder_of,
    input_index,
    plan_algorithm,
    plan_inputs,
)
from pods.configuration.layout import PROGRAM_FILE, READABLE_FILE, make_folder, prepare_volume, write_file
from pods.configuration.measured import measured
from pods.configuration.provision import Provision, Provisioner, ProvisioningFailed
from pods.provisioned import write_provisioned
from pods.publication import write_wish
from pods.settings import ConfigurationSettings, SettingsInvalid, Volume, read_configuration_settings
from pods.start_script import INPUTS_INDEX, Start, start_script
from pods.step_log import StepLog

LOG_NAME = "configure.log"


def run(environ: Mapping[str, str]) -> ExitCode:
    try:
        settings = read_configuration_settings(environ)
    except SettingsInvalid as exc:
        print(f"configuration cannot start: {exc}", flush=True)
        return ExitCode.JOB_SPEC_REFUSED
    with StepLog(settings.volume.adminlogs / LOG_NAME) as log:
        began = time.monotonic()
        try:
            spec = read_job_spec(settings)
        except (JobSpecRefused, KeyFileInvalid) as exc:
            log.say(f"refused: {exc}")
            return ExitCode.JOB_SPEC_REFUSED
        code = asyncio.run(configure(settings, spec, log))
        log.say(f"configuration: {code.name.lower().replace('_', ' ')}, {time.monotonic() - began:.2f} s")
        return code


def read_job_spec(settings: ConfigurationSettings) -> JobSpec:
    """The job spec of this workflow. Raises JobSpecRefused, KeyFileInvalid."""
    try:
        with settings.job_spec.open("rb") as file:
            sealed = file.read(MAX_SEALED_BYTES + 16)
        text = sealed.decode("ascii")
    except (OSError, UnicodeDecodeError) as exc:
        raise JobSpecRefused(f"the job spec cannot be read: {type(exc).__name__}") from None
    keys = read_key_ring(settings.keys)
    spec = open_sealed(text, keys.environment_keys, keys.service_keys)
    try:
        actual = Binding.model_validate(
            {
                "job_id": settings.job_id,
                "environment": settings.environment,
                "image": settings.image,
                "seconds": settings.seconds,
                "network": settings.network,
            }
        )
    except ValidationError:
        raise JobSpecRefused("the workflow asks for a network access that does not exist") from None
    require_binding(spec, actual)
    return spec


async def configure(settings: ConfigurationSettings, spec: JobSpec, log: StepLog) -> ExitCode:
    """Fill the volume. Returns DONE, 31, 32, TRY_AGAIN or PAID_TIME_OVER."""
    if _seconds_left(spec) < 1:
        log.say("the paid time is over")
        return ExitCode.PAID_TIME_OVER
    volume = settings.volume
    prepare_volume(volume)
    try:
        inputs = plan_inputs(spec)
        ddos = {folder_of(asset.did): compact_utf8(asset.ddo) for asset in spec.inputs}
    except (PlanImpossible, UnicodeEncodeError) as exc:
        return _impossible(log, exc, ExitCode.INPUTS_NOT_PROVISIONED)
    try:
        provision = await _provision(settings, spec, inputs, log)
    except ProvisioningFailed as exc:
        return exc.code
    for name, ddo in ddos.items():
        write_file(volume.ddos / name, ddo)
    sizes = {target: file.size for target, file in provision.inputs.items()}
    write_file(volume.start / INPUTS_INDEX, compact_utf8(input_index(inputs, sizes)))
    try:
        own_document, custom_data = _finish_algorithm(volume, spec)
        seconds = _seconds_left(spec)
        if seconds < 1:
            log.say("the paid time was over before the downloads ended")
            return ExitCode.PAID_TIME_OVER
        _write_start(volume, spec, seconds)
    except (PlanImpossible, ValueError) as exc:
        return _impossible(log, exc, ExitCode.ALGORITHM_NOT_PROVISIONED)
    if spec.inputs and all(asset.salt for asset in spec.inputs):
        documents = {asset.did: ddos[folder_of(asset.did)] for asset in spec.inputs} | own_document
        write_provisioned(volume, measured(spec, inputs, provision, documents, custom_data))
    _tell_limits(settings, spec, seconds)
    if spec.publication is not None:
        write_wish(volume, spec, spec.publication)
    log.say(f"the algorithm may run for {seconds} s")
    return ExitCode.DONE


async def _provision(
    settings: ConfigurationSettings, spec: JobSpec, inputs: tuple[PlannedInput, ...], log: StepLog
) -> Provision:
    volume = settings.volume
    for asset in inputs:
        make_folder(volume.inputs / asset.folder)
    provisioner = Provisioner(
        OutgoingGuard(spec.allow_private, spec.forbid),
        ByteBudget(spec.max_input_bytes, volume.root),
        log,
        settings.parallel_downloads,
        settings.download_attempts,
        read_ethereum_key(settings.keys),
    )
    try:
        code, broken = plan_algorithm(spec.algorithm), None
    except PlanImpossible as exc:
        code, broken = (), exc  # judged after the inputs
    provision = await provisioner.provision(
        [(item, volume.inputs / item.target) for asset in inputs for item in asset.downloads],
        [(item, volume.transformations / item.target) for item in code],
    )
    if broken is not None:
        raise ProvisioningFailed(_impossible(log, broken, ExitCode.ALGORITHM_NOT_PROVISIONED))
    for asset in inputs:
        for item in asset.downloads:
            (volume.inputs / item.target).chmod(READABLE_FILE)
    for item in code:
        (volume.transformations / item.target).chmod(PROGRAM_FILE)
    return provision


def _finish_algorithm(volume: Volume, spec: JobSpec) -> tuple[dict[str, bytes], bytes]:
    """What belongs to the algorithm but is not downloaded: its document by its DID, if it has one, and its custom data,
    as they were written. Raises PlanImpossible, UnicodeEncodeError."""
    algorithm = spec.algorithm
    if algorithm.rawcode is not None:
        write_file(volume.transformations / ALGORITHM_FILE, algorithm.rawcode.encode(), PROGRAM_FILE)
    document: dict[str, bytes] = {}
    if algorithm.ddo is not None and algorithm.did:
        document[algorithm.did] = compact_utf8(algorithm.ddo)
        write_file(volume.ddos / folder_of(algorithm.did), document[algorithm.did])
    # Public libraries read it as an object and end with an error where it is null.
    custom_data = compact_utf8({} if algorithm.custom_data is None else algorithm.custom_data)
    write_file(volume.inputs / "algoCustomData.json", custom_data)
    return document, custom_data


def _write_start(volume: Volume, spec: JobSpec, seconds: int) -> None:
    text = start_script(
        Start(
            volume=os.fspath(volume.root),
            dids=tuple(asset.did for asset in spec.inputs),
            algorithm_did=spec.algorithm.did,
            secret=spec.secret,
            entrypoint=spec.algorithm.entrypoint,
            run_seconds=seconds,
            paid_until=spec.paid_until,
            log_bytes=spec.log_bytes,
        )
    )
    write_file(volume.start / "run.sh", text.encode())


def _tell_limits(settings: ConfigurationSettings, spec: JobSpec, seconds: int) -> None:
    """For Argo, which ends the algorithm's pod when the paid time is over, whatever became of the start script; and for
    whoever judges how the algorithm ended."""
    outer = settings.seconds
    if spec.paid_until is not None:
        outer = max(1, min(outer, spec.paid_until - int(time.time())))
    limits = compact_utf8({"run_seconds": seconds, "paid_until": spec.paid_until})
    for path, content in ((settings.outer_seconds, str(outer).encode()), (settings.limits, limits)):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _seconds_left(spec: JobSpec) -> int:
    """What the algorithm may run, at most; below 1: nothing."""
    if spec.paid_until is None:
        return spec.run_seconds
    return min(spec.run_seconds, spec.paid_until - int(time.time()))


def _impossible(log: StepLog, exc: Exception, code: ExitCode) -> ExitCode:
    """A document that cannot be provided. Only our own texts are shown; others may quote the document."""
    log.say(f"refused: {exc}" if isinstance(exc, PlanImpossible) else f"refused: {type(exc).__name__}")
    return code
