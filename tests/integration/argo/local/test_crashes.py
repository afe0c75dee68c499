"""kill -9 of the server at any point: after a restart every workflow ends as it would have ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.argo.local.conftest import END, WORKFLOWS, Argo, node, phase
from tests.support.argo_server import queued_template, submission

pytestmark = pytest.mark.integration

SLOW = "echo run >> /data/outputs/runs; sleep 1.2; echo done >> /data/outputs/runs"


def slow_steps(spec: dict[str, Any]) -> None:
    """Every step leaves a mark, lasts a moment, and publishing returns what was marked."""
    for template in spec["templates"]:
        container = template.get("container")
        if template["name"] == "configuration":
            container["args"] = [
                "mkdir -p /data/outputs /data/inputs /data/logs; echo c >> /data/outputs/marks; sleep 0.8"
            ]
        elif template["name"] == "publishing":
            container["args"] = [
                "echo p >> /data/outputs/marks; sleep 0.8; tr '\\n' , < /data/outputs/marks > /tmp/results.json"
            ]


@pytest.mark.parametrize("step", ["configuration(0)", "algorithm", "publishing(0)"])
async def test_a_killed_server_goes_on_with_the_same_pods(argo: Argo, step: str) -> None:
    argo.write_template("slow", slow_steps)
    await argo.create("j-crash", "slow", entrypoint="echo a >> /data/outputs/marks; sleep 0.8")
    await argo.running("j-crash", step)
    await argo.restart()
    ended = await argo.end("j-crash")
    assert ended["status"]["phase"] == "Succeeded"
    parameters = node(ended, "publishing")["outputs"]["parameters"]
    assert parameters[0]["value"] == "c,a,p,"  # each step ran once


async def test_jobs_that_end_while_the_server_is_away_are_taken_up(argo: Argo) -> None:
    entrypoint = "while ! [ -e /data/outputs/go ]; do sleep 0.02; done; exit 3"
    await argo.create("j-away", entrypoint=entrypoint)
    await argo.running("j-away", "algorithm")
    argo.server.kill()
    (watcher,) = _watchers(argo.data, "algorithm")
    (outputs,) = (argo.data / "volumes").glob("*/outputs")
    (outputs / "go").touch()
    async with asyncio.timeout(60):
        while _lives(watcher):  # it notes the end, and ends
            await asyncio.sleep(0.02)
    argo.server.start()
    ended = await argo.end("j-away")
    assert (ended["status"]["phase"], node(ended, "algorithm")["message"]) == ("Failed", "main: Error (exit code 3)")


async def test_killed_at_random_moments_nothing_is_lost_or_run_twice(argo: Argo) -> None:
    argo.write_template("slow", slow_steps)
    names = [f"j-random-{number}" for number in range(4)]
    for name in names:
        await argo.create(name, "slow", entrypoint="echo a >> /data/outputs/marks; sleep 0.3")
    for pause in (0.05, 0.4, 0.13, 0.7, 0.31):
        await asyncio.sleep(pause)
        await argo.restart()
    ends = [await argo.end(name) for name in names]
    marks = [node(end, "publishing")["outputs"]["parameters"][0]["value"] for end in ends]
    assert Counter(end["status"]["phase"] for end in ends) == {"Succeeded": len(names)}, ends
    assert set(marks) == {"c,a,p,"}


async def test_a_stop_given_before_the_crash_is_obeyed_after_it(argo: Argo) -> None:
    await argo.create("j-stop", entrypoint="trap '' TERM; sleep 600", seconds="900")
    await argo.running("j-stop", "algorithm")
    await argo.http.put("/api/v1/workflows/jobs/j-stop/stop", json={})
    await argo.restart()
    ended = await argo.end("j-stop")
    assert (ended["status"]["phase"], ended["status"]["message"]) == ("Failed", "Stopped with strategy 'Stop'")
    assert phase(ended, "publishing") == "Succeeded"


async def test_the_queue_keeps_its_order_over_a_crash(argo: Argo) -> None:
    (argo.templates / "limits.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c2d-limits}\ndata: {small: '1'}\n"
    )
    for name in ("j-first", "j-second", "j-third"):
        await argo.create(name, entrypoint="sleep 0.6")
    await argo.running("j-first", "algorithm")
    assert phase(await argo.get("j-third"), "j-third") == "Pending"
    await argo.restart()
    ends = [await argo.end(name) for name in ("j-first", "j-second", "j-third")]
    assert {end["status"]["phase"] for end in ends} == {"Succeeded"}
    starts = [node(end, "configuration")["startedAt"] for end in ends]
    assert starts == sorted(starts)


async def test_a_lost_pod_is_an_error_and_tried_again_where_the_template_says_so(argo: Argo) -> None:
    argo.write_template("slow", slow_steps)
    await argo.create("j-lost", "slow", entrypoint="sleep 0.1")
    await argo.running("j-lost", "configuration(0)")
    _kill_pod(argo.data, "configuration")
    ended = await argo.end("j-lost")
    first = node(ended, "configuration(0)")
    assert (first["phase"], first["message"]) == ("Error", "pod deleted")
    assert phase(ended, "configuration(1)") == "Succeeded"
    assert ended["status"]["phase"] == "Succeeded"


async def test_a_lost_algorithm_is_not_tried_again(argo: Argo) -> None:
    await argo.create("j-lost", entrypoint="sleep 30")
    await argo.running("j-lost", "algorithm")
    argo.server.kill()
    _kill_pod(argo.data, "algorithm")
    argo.server.start()
    ended = await argo.end("j-lost")
    lost = node(ended, "algorithm")
    assert (lost["phase"], lost["message"], "exitCode" in lost.get("outputs", {})) == ("Error", "pod deleted", False)
    assert (ended["status"]["phase"], phase(ended, "publishing")) == ("Error", "Succeeded")


async def test_leftovers_of_unknown_workflows_are_removed_at_start(argo: Argo) -> None:
    await argo.create("j-done")
    await argo.end("j-done")
    argo.server.kill()
    for folder in ("pods/stray-1", "files/stray-1", "volumes/j-gone-data"):
        (argo.data / folder).mkdir(parents=True)
    argo.server.start()
    left = [path.name for folder in ("pods", "files", "volumes") for path in (argo.data / folder).iterdir()]
    assert left == []
    assert (await argo.get("j-done"))["status"]["phase"] in END


def _kill_pod(data: Path, step: str) -> None:
    """Kill everything of a pod, as the loss of its machine would: first the process that watches it."""
    (watcher,) = _watchers(data, step)
    os.kill(watcher, signal.SIGKILL)


@pytest.mark.parametrize("verb", ["", "stop"])
async def test_a_workflow_awaits_its_turn_after_a_crash(argo: Argo, verb: str) -> None:
    (argo.templates / "queued.yaml").write_text(yaml.safe_dump(queued_template()))
    body = submission("j-later", "rec-queued", {"job-spec": "QUJD"}, entrypoint="queued")
    assert (await argo.http.post(WORKFLOWS, json=body)).status_code == 200
    await argo.until("j-later", lambda found: phase(found, "turn") == "Running")
    await argo.restart()
    await argo.create("j-other")
    assert (await argo.end("j-other"))["status"]["phase"] == "Succeeded"
    found = await argo.get("j-later")
    assert (found["status"]["phase"], len(found["status"]["nodes"])) == ("Running", 2)
    assert (await argo.http.put(f"{WORKFLOWS}/j-later/{verb or 'resume'}", json={})).status_code == 200
    await argo.restart()
    assert (await argo.end("j-later"))["status"]["phase"] == ("Failed" if verb else "Succeeded")


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _watchers(data: Path, step: str) -> list[int]:
    folders = (path for path in (data / "pods").iterdir() if f"-{step}-" in path.name)
    return [json.loads((folder / "watcher.json").read_text())["pid"] for folder in folders]
