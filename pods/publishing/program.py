"""Publishing as a whole: collect, upload, manifest, summary; the verdict is the exit code.

It runs after every way a job can end, so nothing it looks for needs to be there: not the outputs, not one log, not even
a folder on the volume. It may run twice: the same keys are written again, and the manifest last.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from obstore.exceptions import BaseError

from contract.exit_codes import ExitCode
from contract.manifest import MANIFEST_NAME, OWN_LOGS, Manifest, summary_of
from contract.provenance import Provisioned
from ocean.kit.atomic import replace_file
from pods.program import described
from pods.provisioned import read_provisioned
from pods.publication import Outcome, read_wish
from pods.publishing.judging import Judged, Verdict, judge_results
from pods.publishing.names import shown
from pods.publishing.sources import PUBLISH_LOG, read_ending, read_run_note, step_log
from pods.publishing.upload import Failed, Uploaded, Uploader, result_files
from pods.settings import PublishingSettings, SettingsInvalid, read_publishing_settings
from pods.step_log import StepLog, size_text
from results.store import Store, StoreInvalid, cause_of, is_transient, put_object, read_store_config

_SAID: dict[Verdict, str] = {
    "filtered": "the filter has not released the results",
    "withheld": "the results meet not all release rules",
}
SPARE_SECONDS = 60  # of the pod's time that an asset leaves for its start, and for manifest and log
COMPUTED = "Succeeded"  # how configuration and algorithm ended, in Argo's words, for an asset to be made


def run(environ: Mapping[str, str]) -> ExitCode:
    try:
        settings = read_publishing_settings(environ)
    except SettingsInvalid as exc:
        print(f"publishing cannot start: {exc}", flush=True)
        return ExitCode.UPLOAD_INCOMPLETE
    with StepLog(settings.volume.adminlogs / PUBLISH_LOG.decode()) as log:
        try:
            store = read_store_config(settings.store).open()
        except StoreInvalid as exc:
            log.say(f"publishing cannot start: {exc}")
            return ExitCode.UPLOAD_INCOMPLETE
        return publish(settings, store, log)


def publish(settings: PublishingSettings, store: Store, log: StepLog) -> ExitCode:
    """Returns DONE, UPLOAD_INCOMPLETE (something did not arrive, and will not) or TRY_AGAIN (the store was away)."""
    began = time.monotonic()
    provisioned, readable = _provisioned(settings, log)
    judged = judge_results(settings, provisioned, readable=readable)
    sources = judged.sources
    if judged.verdict in _SAID:
        log.say(f"{_SAID[judged.verdict]}: only the logs of our own steps are published")
    log.say(f"publishing {len(sources.files)} files, {size_text(sum(s.file.size for s in sources.files))}")
    for entry in sources.left_out[:20]:
        log.say(f"left out {entry.path or 'further files'}: {entry.reason}")
    uploader = Uploader(
        store, settings.job_id, parallel=settings.parallel_uploads, reserve_bytes=settings.reserve_bytes
    )
    results = uploader.upload_all(sources.files, lambda result: _say(log, result))
    verdict = _verdict(results)
    size = size_text(sum(result.size for result in results if isinstance(result, Uploaded)))
    log.say(f"uploaded {size} in {time.monotonic() - began:.1f} s: {verdict.name.lower().replace('_', ' ')}")
    whole = verdict is ExitCode.DONE and judged.verdict not in _SAID and not judged.held
    outcome = _asset(settings, store, log, results, whole, began)

    # The last words of publish.log are above: what is said from here on is in the pod's log only.
    last = [uploader.upload(source) for source in step_log(settings.volume.adminlogs, PUBLISH_LOG, "publishLog")]
    results += last
    verdict = max(verdict, _verdict(last))
    if uploader.store_is_away:
        return verdict  # a manifest would not arrive either
    return max(verdict, _write_manifest(settings, store, log, results, judged, provisioned, outcome))


def _asset(
    settings: PublishingSettings,
    store: Store,
    log: StepLog,
    results: Sequence[Uploaded | Failed],
    whole: bool,
    began: float,
) -> Outcome | None:
    """What became of the wish for an asset; None where there is none, or where nothing good came out of the job.

    The results are never lost because of an asset: whatever fails here is told, and they are published all the same.
    """
    publication = settings.publication
    if publication is None:
        return None
    try:
        wish = read_wish(settings.volume)
        if wish is None:
            return None
        if publication.compute_ended != COMPUTED:
            log.say("no asset is made: the algorithm did not succeed")
            return None
        if not whole:
            log.say("no asset is made: not all results are published")
            return None
        from pods.publishing.asset import make_asset  # with web3, which takes its time and which few jobs need

        end = began + publication.seconds - SPARE_SECONDS
        return make_asset(settings, publication, store, wish, results, log, end)
    except Exception as exc:  # noqa: BLE001  see above
        log.say(f"the results are published, but making an asset of them failed unexpectedly: {described(exc)}")
        return Outcome(problem="failed")


def _write_manifest(
    settings: PublishingSettings,
    store: Store,
    log: StepLog,
    results: Sequence[Uploaded | Failed],
    judged: Judged,
    provisioned: Provisioned | None,
    outcome: Outcome | None,
) -> ExitCode:
    if judged.held:  # so that the indices of what is shown at once stay as they are
        results = sorted(results, key=lambda result: result.source.type not in OWN_LOGS)
    files, failed = result_files(results)
    manifest = Manifest(
        job_id=settings.job_id,
        created=int(time.time()),
        complete=_verdict(results) is ExitCode.DONE,
        files=files,
        left_out=judged.sources.left_out + failed,
        run=read_run_note(settings) if judged.verdict == "unjudged" else None,
        provisioned=provisioned,
    )
    encoded = manifest.encoded()
    try:
        put_object(store, f"{settings.job_id}/{MANIFEST_NAME}", [encoded], most=len(encoded))
    except (BaseError, OSError, ValueError) as exc:
        log.say(f"the manifest did not reach the result store: {cause_of(exc)}")
        return ExitCode.TRY_AGAIN if is_transient(store, exc) else ExitCode.UPLOAD_INCOMPLETE
    made = summary_of(
        manifest,
        encoded,
        did=outcome.did if outcome is not None else None,
        not_published=outcome.problem if outcome is not None else None,
        run=read_ending(settings),
        withheld=judged.verdict == "withheld",
    )
    _write_summary(settings.results, made.encoded())
    log.say(f"manifest written: {len(files)} files")
    return ExitCode.DONE


def _provisioned(settings: PublishingSettings, log: StepLog) -> tuple[Provisioned | None, bool]:
    """What configuration left, and whether that could be read. It has the release rules, so without it nothing goes."""
    try:
        return read_provisioned(settings.volume), True
    except (OSError, ValueError) as exc:
        log.say(f"what configuration left for the passport cannot be read: {type(exc).__name__}")
        return None, False


def _write_summary(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text)


def _verdict(results: Sequence[Uploaded | Failed]) -> ExitCode:
    """A file that the algorithm made unreadable is no fault of the upload. What may pass is worth another try."""
    transient = [result.transient for result in results if isinstance(result, Failed) and result.transient is not None]
    if any(transient):
        return ExitCode.TRY_AGAIN
    return ExitCode.UPLOAD_INCOMPLETE if transient else ExitCode.DONE


def _say(log: StepLog, result: Uploaded | Failed) -> None:
    if isinstance(result, Failed):
        log.say(f"{shown(result.source.path)}: {result.reason} ({result.cause})")
