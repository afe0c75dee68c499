"""The sentences of the pages: what a status, a reason, an exit code means to the person who waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from provider_api.jobs.status import JobStatus, Reason

Kind = Literal["waiting", "running", "held", "good", "bad", "stopped"]

REASONS: Final[Mapping[Reason, tuple[Kind, str, str]]] = {
    "": ("running", "Running", ""),
    "completed": ("good", "Finished", "The algorithm ended by itself, and its results are here."),
    "asset_not_published": (
        "good",
        "Finished, not published",
        "The results are here, but no asset could be made of them.",
    ),
    "algorithm_failed": (
        "bad",
        "Algorithm failed",
        "The algorithm ended with an error. The end of its log usually says which.",
    ),
    "data_unavailable": (
        "bad",
        "Data not available",
        "A dataset could not be fetched from its owner's server. The log of the step says why; try again later.",
    ),
    "algorithm_unavailable": (
        "bad",
        "Algorithm not available",
        "The algorithm could not be fetched, or is no longer the one that was published.",
    ),
    "configuration_failed": (
        "bad",
        "Preparation failed",
        "The job could not be prepared, through no fault of yours. Tell the operator the job's id.",
    ),
    "filtered": (
        "bad",
        "Held back by the filter",
        "The operator's filter did not let the results leave. Outputs and the algorithm's log stay inside.",
    ),
    "withheld": (
        "bad",
        "Held back by release rules",
        "The results did not meet the release rules of the data. The log of publishing says which rule.",
    ),
    "refused": (
        "bad",
        "Not released",
        "An owner of the data refused to release the results, or nobody decided in time.",
    ),
    "image_unavailable": ("bad", "Image did not start", "The container image of the algorithm could not be started."),
    "out_of_memory": ("bad", "Out of memory", "The algorithm needed more memory than the environment has."),
    "out_of_disk": ("bad", "Out of disk", "The algorithm wrote more than the environment has room for."),
    "paid_time_over": ("stopped", "Paid time was over", "The time that was paid for ended before the algorithm did."),
    "lost": (
        "bad",
        "Lost",
        "The machine that ran the algorithm went away. It was no fault of yours: run it again.",
    ),
    "rejected_by_cluster": ("bad", "Not started", "The cluster did not take the job. Tell the operator the job's id."),
    "stopped": ("stopped", "Stopped", "Somebody with your account stopped it. What was there by then is here."),
    "revoked": ("stopped", "Deleted", "The job was ended and publishes nothing."),
    "time_limit": ("stopped", "Time limit", "The algorithm ran as long as it may. What was there by then is here."),
    "upload_incomplete": (
        "bad",
        "Results incomplete",
        "Not every result reached the result store. What is listed is whole.",
    ),
}

_PROGRESS: Final[Mapping[int, tuple[str, str]]] = {
    1: ("Waiting for a place", "The job has not started yet. It needs nothing from you."),
    10: ("Starting", "The job has its place and begins now."),
    20: ("Fetching data", "Data and algorithm are being fetched."),
    30: ("Preparing the algorithm", "Data and algorithm are in place; the container is being started."),
    31: ("Data not available", "A dataset could not be fetched. Logs are being published."),
    32: ("Algorithm not available", "The algorithm could not be fetched. Logs are being published."),
    40: ("Running", "The algorithm is running."),
    50: ("Checking results", "The operator's filter looks at the results."),
    60: ("Publishing results", "Results are on their way to the result store."),
}
_CODES: Final = {
    137: "it was killed (signal 9)",
    139: "it crashed (signal 11)",
    143: "it was told to end (signal 15)",
    1: "an error that the program reported",
    2: "wrong arguments, or a misuse of the shell",
    124: "the time limit",
    126: "a program that may not be executed",
    127: "a program that was not found in the image",
}
HELD: Final = (
    "held",
    "Waiting for the data's owners",
    "The algorithm has ended. Owners of the data decide whether its results may leave.",
)


def verdict(status: JobStatus, *, held: bool) -> tuple[Kind, str, str]:
    """Kind, title and sentence of a status."""
    if held:
        return "held", HELD[1], HELD[2]
    if status.finished:
        return REASONS[status.reason]
    if status.stop_requested and status.number not in (50, 60):
        return "stopped", "Stopping", "The job was asked to stop; what is there by now will be published."
    title, sentence = _PROGRESS.get(status.number, (status.text, ""))
    failing = status.number in (31, 32)
    return "bad" if failing else "waiting" if status.waiting else "running", title, sentence


def exit_sentence(code: int) -> str:
    if code == 0:
        return "Exit code 0: the program said that all went well."
    meaning = _CODES.get(code)
    return f"Exit code {code}: {meaning}." if meaning else f"Exit code {code}: what it means, the algorithm decides."


def size(count: int) -> str:
    """Bytes for people."""
    if count < 1000:
        return f"{count} bytes" if count != 1 else "1 byte"
    power = min(4, (len(str(count)) - 1) // 3)
    return f"{count / 1000**power:.3g} {('kB', 'MB', 'GB', 'TB')[power - 1]}"


def duration(seconds: float) -> str:
    """A time span for people: its two largest units."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for name, length in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        number, left = divmod(left, length)
        if number or (parts and len(parts) < 2) or name == "s":
            parts.append(f"{number} {name}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 ") or len(parts) == 1)


def short(text: str) -> str:
    """An address, DID or id, cut in the middle so that both ends can be compared."""
    return text if len(text) <= 20 else f"{text[:12]}…{text[-6:]}"
