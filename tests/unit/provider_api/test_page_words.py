"""What pages say: every reason and status has its sentence, sizes and times are for people."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from argo.client.records import Node, Workflow
from contract import names
from provider_api.jobs.status import TEXTS, JobStatus, Reason
from provider_api.pages import words
from provider_api.pages.job_view import steps_of, tail

pytestmark = pytest.mark.unit
BEGAN = datetime(2026, 11, 30, 12, tzinfo=UTC)
NOW = BEGAN.timestamp() + 100


def test_every_reason_has_its_sentence() -> None:
    assert set(words.REASONS) == set(get_args(Reason))
    for number in TEXTS:
        kind, title, _ = words.verdict(JobStatus(number), held=False)
        assert kind
        assert title


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1 kB"), (1234, "1.23 kB"), (5_600_000, "5.6 MB"),
     (999_999, "1e+03 kB"), (12 * 10**9, "12 GB"), (3 * 10**15, "3e+03 TB")],
)  # fmt: skip
def test_sizes(count: int, text: str) -> None:
    assert words.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (0.4, "0 s"), (59, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (3660, "1 h 1 min"),
     (3601, "1 h"), (90_000, "1 d 1 h"), (86_400, "1 d")],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


def test_exit_codes() -> None:
    assert words.exit_sentence(0) == "Exit code 0: the program said that all went well."
    assert words.exit_sentence(137) == "Exit code 137: it was killed (signal 9)."
    assert words.exit_sentence(42) == "Exit code 42: what it means, the algorithm decides."


def test_the_end_of_a_log() -> None:
    assert tail("a\nb\n") == "a\nb"
    assert tail("\n".join(str(line) for line in range(1000))).splitlines()[0] == "800"


def node(name: str, phase: str, began: int, ended: int | None = None) -> Node:
    times = [None if at is None else BEGAN + timedelta(seconds=at) for at in (began, ended)]
    return Node(name, name, name, "Pod", name, phase, "", None, times[0], times[1], {})


def workflow(phase: str, *nodes: Node) -> Workflow:
    return Workflow("job", "uid", {}, {}, {}, BEGAN, phase, "", None, None, "", nodes=nodes)


def shown(job: Workflow, **options: bool) -> list[tuple[str, float | None]]:
    return [(step.state, step.seconds) for step in steps_of(job, NOW, **options)]


def test_the_steps_of_a_job() -> None:
    dag = node("job", "Running", 3)
    assert shown(workflow("")) == [("waiting", 100.0), *[("to come", None)] * 3]
    fetching = workflow("Running", dag, node(names.CONFIGURATION, "Running", 5))
    assert shown(fetching) == [("done", 5.0), ("running", 95.0), ("to come", None), ("to come", None)]
    over = workflow(
        "Failed",
        dag,
        node(names.CONFIGURATION, "Failed", 5, 8),
        node(names.ALGORITHM, "Omitted", 8, 8),
        node(names.PUBLISHING, "Succeeded", 9, 11),
    )
    assert shown(over) == [("done", 5.0), ("failed", 3.0), ("skipped", None), ("done", 2.0)]
    assert shown(workflow("Failed")) == [("skipped", None)] * 4
    filtered = replace(over, annotations={names.FILTERED: "true"})
    assert [step.label for step in steps_of(filtered, NOW, held=True)][3:] == [
        *("Check the results", "Publish the results", "Owners decide"),
    ]
