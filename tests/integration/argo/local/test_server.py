"""The single-machine server as its callers see it: what it does beyond the recorded scenarios."""

from __future__ import annotations

import asyncio
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.argo.local.conftest import WORKFLOWS, Argo, node, phase
from tests.support.argo_server import submission

pytestmark = pytest.mark.integration


def part(spec: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in spec["templates"] if item["name"] == name)
    return found


async def test_ten_creations_at_once_make_one_workflow(argo: Argo) -> None:
    body = submission("j-once", "rec-plain", {"job-spec": "QUJD"})
    answers = await asyncio.gather(*(argo.http.post(WORKFLOWS, json=body) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    assert (await argo.end("j-once"))["status"]["phase"] == "Succeeded"


@pytest.mark.parametrize("verb", ["stop", "terminate"])
async def test_stop_and_terminate_take_effect_at_once(argo: Argo, verb: str) -> None:
    """Long before the program's own end and its time limit."""
    await argo.create("j-quick", entrypoint="sleep 600", seconds="900")
    await argo.running("j-quick", "algorithm")
    await argo.http.put(f"{WORKFLOWS}/j-quick/{verb}", json={"name": "j-quick", "namespace": "jobs"})
    ended = await argo.end("j-quick")
    assert phase(ended, "publishing") == ("Succeeded" if verb == "stop" else "")


async def test_delete_leaves_nothing_and_frees_the_name(argo: Argo) -> None:
    await argo.create("j-gone", entrypoint="trap '' TERM; while :; do sleep 1; done", seconds="90")
    await argo.running("j-gone", "algorithm")
    answer = await argo.http.delete(f"{WORKFLOWS}/j-gone")
    assert (answer.status_code, answer.json()) == (200, {})
    assert (await argo.http.get(f"{WORKFLOWS}/j-gone")).status_code == 404
    left = [path for folder in ("pods", "files", "volumes") for path in (argo.data / folder).iterdir()]
    assert left == []
    again = await argo.create("j-gone")
    ended = await argo.end("j-gone")
    assert (ended["metadata"]["uid"], ended["status"]["phase"]) == (again["metadata"]["uid"], "Succeeded")


async def test_deleting_while_a_pod_starts_kills_it(argo: Argo) -> None:
    for number in range(5):
        await argo.create(f"j-{number}", entrypoint="sleep 60")
        await asyncio.sleep(0.03 * number)
        assert (await argo.http.delete(f"{WORKFLOWS}/j-{number}")).status_code == 200
    assert not list((argo.data / "pods").iterdir())
    assert not list((argo.data / "volumes").iterdir())


async def test_a_finished_workflow_keeps_no_volume_and_soon_no_pods(argo: Argo) -> None:
    await argo.create("j-clean")
    await argo.end("j-clean")
    limit = time.monotonic() + 60
    while any(list((argo.data / folder).iterdir()) for folder in ("volumes", "pods", "files")):
        assert time.monotonic() < limit
        await asyncio.sleep(0.1)


async def test_a_template_may_change_while_its_jobs_run(argo: Argo) -> None:
    def publish(text: str) -> Any:
        def change(spec: dict[str, Any]) -> None:
            part(spec, "publishing")["container"]["args"] = [f"echo {text} > /tmp/results.json"]

        return change

    argo.write_template("moving", publish("old"))
    await argo.create("j-old", "moving", entrypoint="sleep 1")
    await argo.running("j-old", "algorithm")
    argo.write_template("moving", publish("new"))
    await argo.create("j-new", "moving")
    await argo.restart()
    old, new = await argo.end("j-old"), await argo.end("j-new")
    assert node(old, "publishing")["outputs"]["parameters"][0]["value"] == "old"
    assert node(new, "publishing")["outputs"]["parameters"][0]["value"] == "new"
    (argo.templates / "moving.yaml").unlink()
    gone = await argo.http.get("/api/v1/workflow-templates/jobs/moving")
    assert gone.status_code == 404
    assert (await argo.get("j-old"))["status"]["storedWorkflowTemplateSpec"]["entrypoint"] == "compute"


async def test_a_missing_secret_is_waited_for(argo: Argo) -> None:
    def change(spec: dict[str, Any]) -> None:
        algorithm = part(spec, "algorithm")
        algorithm["volumes"] = [{"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o440}}]
        algorithm["container"]["volumeMounts"] = [{"name": "keys", "mountPath": "/keys"}]

    argo.write_template("secretive", change)
    await argo.create("j-secret", "secretive", entrypoint="cat /keys/a && ! touch /keys/b")
    waiting = await argo.until("j-secret", lambda found: bool(node(found, "algorithm").get("message")))
    assert node(waiting, "algorithm")["message"] == 'CreateContainerConfigError: secret "keys" not found'
    (argo.data / "secrets" / "keys").mkdir(parents=True)
    (argo.data / "secrets" / "keys" / "a").write_text("value")
    ended = await argo.end("j-secret")
    assert phase(ended, "algorithm") == "Succeeded"
    assert not list(argo.data.glob("files/*/secrets"))  # the copy went with its pod


async def test_values_are_text_whatever_they_say(argo: Argo) -> None:
    entry = "printf '%s\\n' '{{workflow.uid}} {{=1+1}} {{=sprig.upper(\"x\")}} {{nope}}' > /data/outputs/said"

    def change(spec: dict[str, Any]) -> None:
        part(spec, "publishing")["container"]["args"] = ["cp /data/outputs/said /tmp/results.json"]

    argo.write_template("echo", change)
    await argo.create("j-text", "echo", entrypoint=entry)
    ended = await argo.end("j-text")
    assert phase(ended, "algorithm") == "Succeeded"
    said = node(ended, "publishing")["outputs"]["parameters"][0]["value"]
    assert said == '{{workflow.uid}} {{=1+1}} {{=sprig.upper("x")}} {{nope}}'


async def test_a_finished_workflow_is_forgotten_after_its_time(argo: Argo) -> None:
    argo.write_template("brief", lambda spec: spec.update(ttlStrategy={"secondsAfterCompletion": 1}))
    await argo.create("j-brief", "brief")
    await argo.end("j-brief")
    limit = time.monotonic() + 60
    while (await argo.http.get(f"{WORKFLOWS}/j-brief")).status_code != 404:
        assert time.monotonic() < limit
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("GET", WORKFLOWS + "?listOptions.labelselector=a", None, 400, "listOptions.labelselector"),
        ("GET", WORKFLOWS + "?listOptions.limit=x", None, 400, "listOptions.limit"),
        ("GET", WORKFLOWS + "?listOptions.continue=x", None, 400, "listOptions.continue"),
        ("GET", WORKFLOWS + "/x?field=a", None, 400, "field"),
        ("GET", "/api/v1/workflows/other", None, 403, '"jobs" only'),
        ("POST", WORKFLOWS, [], 400, "JSON object"),
        ("POST", WORKFLOWS, {"workflow": {}, "x": 1}, 400, '"x"'),
        ("PUT", WORKFLOWS + "/x/stop", {"nodeFieldSelector": "a=b"}, 400, "nodeFieldSelector"),
        ("PUT", WORKFLOWS + "/x/suspend", {}, 501, "Not Implemented"),
        ("PATCH", WORKFLOWS + "/x", {}, 501, "Not Implemented"),
        ("POST", "/api/v1/workflow-templates/jobs", {}, 501, "Not Implemented"),
        ("GET", "/", None, 501, "Not Implemented"),
        ("DELETE", "/api/v1/archived-workflows/x?namespace=jobs", None, 404, "not found"),
    ],
)
async def test_refusals_say_what_is_wrong(
    argo: Argo, method: str, path: str, body: Any, status: int, text: str
) -> None:
    answer = await argo.http.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert text in answer.json()["message"]


async def test_the_token_and_the_data_folder_are_for_this_user_only(argo: Argo) -> None:
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert (mode(argo.data / "token"), mode(argo.data / "argo.db")) == (0o600, 0o600)
    assert len(argo.server.token) >= 32


async def test_tail_and_grep_of_a_log(argo: Argo) -> None:
    await argo.create("j-log", entrypoint="for i in 1 2 3 4; do echo line $i; done; sleep 600")
    found = await argo.running("j-log", "algorithm")
    pod = f"j-log-algorithm-{node(found, 'algorithm')['id'].rsplit('-', 1)[1]}"

    async def log(**options: str) -> list[str]:
        answer = await argo.http.get(f"{WORKFLOWS}/j-log/{pod}/log", params={"logOptions.container": "main", **options})
        return [line.split('"content": "')[1].split('"')[0] for line in answer.text.splitlines()]

    limit = time.monotonic() + 60
    while await log() != ["line 1", "line 2", "line 3", "line 4"]:
        assert time.monotonic() < limit
        await asyncio.sleep(0.05)
    assert await log(**{"logOptions.tailLines": "2"}) == ["line 3", "line 4"]
    assert await log(grep="[12]$") == ["line 1", "line 2"]
    sidecar = await argo.http.get(f"{WORKFLOWS}/j-log/log", params={"logOptions.container": "wait"})
    assert (sidecar.status_code, sidecar.content) == (200, b"")
