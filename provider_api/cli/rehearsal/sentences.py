"""What the words of a job mean, in one plain sentence each, and what usually is behind it."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from typing import Final

from pods.publishing.told import Broken, Rule
from provider_api.jobs.status import JobStatus, Reason

_REASONS: Final[dict[Reason, str]] = {
    "completed": "The algorithm ended by itself, and its results are published.",
    "asset_not_published": "The results are there, but no asset was made of them.",
    "algorithm_failed": "The algorithm ended with an error.",
    "data_unavailable": "A dataset could not be provided.",
    "algorithm_unavailable": "The algorithm could not be provided.",
    "configuration_failed": "The job's files could not be laid out.",
    "filtered": "The environment's filter holds the results back: a consumer gets our own logs only.",
    "withheld": "The results meet not all release rules: a consumer gets our own logs only.",
    "refused": "An owner of a dataset has refused the results.",
    "image_unavailable": "The algorithm's image could not be started.",
    "out_of_memory": "The algorithm needed more memory than the environment has (ram_gb), and was ended.",
    "out_of_disk": "The algorithm wrote more than a limit of the environment, and was ended.",
    "paid_time_over": "The paid time was over.",
    "lost": "The algorithm's process was lost, which is no fault of its own.",
    "rejected_by_cluster": "The job could not be started.",
    "stopped": "The job was stopped.",
    "revoked": "The job was ended; nothing is published.",
    "time_limit": "The algorithm ran longer than it may, and was ended; what it had written until then is published.",
    "upload_incomplete": "Not all results could be stored.",
}
_EXIT_CODES: Final = {
    1: "a program's usual word for an error",
    2: "an error, often of the command line: of a shell or of Python, that a file could not be opened",
    126: "the command was found, but cannot be executed",
    127: "the command was not found in the image",
    137: "killed by SIGKILL: by the system, mostly for its memory",
}
LEFT_OUT: Final = {
    "link": "a link: what it leads to is not the algorithm's to give",
    "special_file": "neither a file nor a folder",
    "unreadable": "closed to the step that publishes",
    "hard_link": "a second name of a file that lies elsewhere",
    "too_deep": "too many folders within each other",
    "too_large": "with it there would be more bytes than the environment publishes of a job (max_results_gb)",
    "too_many": "more files than the environment publishes of a job",
    "changed": "changed while it was published",
    "upload_failed": "could not be stored",
    "store_full": "the store had no room for it",
    "log_cut": "only its beginning is published",
    "withheld": "held back by the release rules, or by the filter",
}
_RULES: Final[dict[Rule, str]] = {
    "max_bytes": "{found} bytes would leave; at most {allowed} may (max_bytes)",
    "max_files": "{found} files would leave; at most {allowed} may (max_files)",
    "share_of_inputs": "{found} bytes would leave; {allowed} may, by the size of what went in (share_of_inputs)",
    "types": "{path} is of the type {found}; only {allowed} may leave (types)",
    "log_bytes": "the log has {found} bytes; at most {allowed} may leave (log_bytes)",
}
_MODULE: Final = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '([^']{1,100})'")
_PACKAGE: Final = re.compile(r"there is no package called .([^’']{1,100})")
_NETWORK: Final = re.compile(
    r"[Nn]ame resolution|Name or service not known|[Nn]etwork is unreachable|[Cc]ould not resolve host"
    r"|EAI_AGAIN|ENETUNREACH"
)
_READ_ONLY: Final = re.compile(r"Read-only file system(?:: '([^']{1,200})')?")


def sentence_of(status: JobStatus) -> str:
    text = _REASONS.get(status.reason, "") if status.reason else ""
    if status.reason == "algorithm_failed" and status.exit_code is not None:
        text = f"The algorithm ended with exit code {status.exit_code}{_meaning(status.exit_code)}."
    return f"{text} ({status.detail})" if status.detail else text


def sentence_of_rule(broken: Broken) -> str:
    numbers = {
        "found": f"{broken.found:,}" if isinstance(broken.found, int) else broken.found,
        "allowed": f"{broken.allowed:,}" if isinstance(broken.allowed, int) else broken.allowed or "none",
    }
    return _RULES[broken.rule].format(path=broken.path, **numbers)


def hints(status: JobStatus, log: Sequence[str], image: str, *, network: bool, outputs: int | None) -> list[str]:
    """What the end of the log tells somebody who has seen it often. `outputs`: files published, None: not known."""
    text, found = "\n".join(log), []
    if status.exit_code:
        if (missing := _MODULE.search(text) or _PACKAGE.search(text)) is not None:
            found.append(f"The image {image} has no {missing[1]}: use an image that has it (--image, --images).")
        if not network and _NETWORK.search(text):
            found.append("Jobs have no network here: bring along what the algorithm needs, or put it into the image.")
        if _READ_ONLY.search(text):
            found.append("Only /data/outputs, /data/logs and /tmp can be written to ($OUTPUTS, $LOGS).")
        if status.exit_code == 127:
            found.append(f"The image {image} lacks a program that the entrypoint names (--entrypoint, --image).")
    if outputs == 0 and status.reason in ("completed", "algorithm_failed", "time_limit"):
        found.append("Nothing was written to /data/outputs ($OUTPUTS): a consumer would get logs only.")
    return found


def _meaning(code: int) -> str:
    if code in _EXIT_CODES:
        return f" ({_EXIT_CODES[code]})"
    number = code - 128
    if 0 < number < signal.NSIG and number in {each.value for each in signal.Signals}:
        return f" (ended by {signal.Signals(number).name})"
    return ""
