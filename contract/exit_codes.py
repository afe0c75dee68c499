"""The one table of exit codes: a pod program's verdict, and what it means to a consumer."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit code of a step. Argo retries a step on TRY_AGAIN and when its pod is lost, on nothing else.

    That results could not become an asset is none of these: they are published, and the summary says it.
    """

    DONE = 0
    INPUTS_NOT_PROVISIONED = 31  # status 31: a dataset could not be downloaded or written
    ALGORITHM_NOT_PROVISIONED = (
        32  # status 32: the algorithm could not be downloaded, or its bytes are not the expected
    )
    NOT_COLLECTED = 50  # outputs could not be copied for the filter: withheld, status 41, "filtered"
    UPLOAD_INCOMPLETE = 62  # status 62: not every result reached the store
    TRY_AGAIN = 75  # a passing fault; as a last word of configuration it means 31, of publishing 62
    JOB_SPEC_REFUSED = 78  # the job spec was not made for this job by this service: status 41, "rejected_by_cluster"
    PAID_TIME_OVER = 79  # no paid time left before the algorithm started: status 70, stopreq 2, "paid_time_over"
    TIME_LIMIT = 124  # the algorithm's inner time limit: status 70, stopreq 2, "time_limit"
