"""The recorded requests to a real Argo Server, sent again to the server under test, and compared."""

from __future__ import annotations

import asyncio
import copy
import json
import time
from typing import Any

import httpx
import pytest

from tests.contract.conftest import Target
from tests.contract.test_recorded_jobs import END, WORKFLOWS, _fresh
from tests.support.argo_recordings import differences
from tests.support.argo_server import RECORDINGS, submission

# On a real cluster the jobs take minutes, one after the other, and the first test waits for all of them.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(3600)]

REST: dict[str, Any] = json.loads((RECORDINGS / "rest.json").read_text())
VERSION = "Grpc-Metadata-Argo-Version"

# Answers that must be equal to the last letter.
EXACT = [
    "list-bad-selector",
    "list-bad-field-selector",
    "get-not-found",
    "create-duplicate",
    "create-bad-name",
    "create-template-unknown",
    "stop-not-found",
    "stop-finished",
    "terminate-finished",
    "delete-not-found",
    "template-not-found",
    "unknown-path",
    "log-of-deleted-pods",
    "log-workflow-not-found",
]
# Answers of which the shape must be equal: the names of the fields, not the values.
SHAPE = ["list-by-label", "list-second-page", "list-empty", "templates-empty", "get-fields", "get-exclude-fields"]
OWN_TESTS = {
    "list-unfinished-count",
    "create-server-dry-run",
    "templates-by-label",
    "template-get",
    "version",
    "info",
    "log-follow",
    "watch-sse",
}


@pytest.fixture(scope="session")
def prepared(request: pytest.FixtureRequest) -> Any:
    """A server on which `j-success` has succeeded, its pods are gone, and seven more jobs of owner o1 have ended."""
    target = request.getfixturevalue("target")

    async def prepare() -> None:
        async with target.client() as http:
            names = ["j-success", *(f"j-more-{number}" for number in range(7))]
            for name in names:
                await _fresh(http, name)
                answer = await http.post(WORKFLOWS, json=submission(name, "rec-plain", {"job-spec": "QUJD"}))
                assert answer.status_code == 200, answer.text
            for name in names:
                await _end(http, name)
            limit = time.monotonic() + 30
            while (await http.get(f"{WORKFLOWS}/j-success/log?logOptions.container=main")).content:
                assert time.monotonic() < limit
                await asyncio.sleep(0.2)

    asyncio.run(prepare())
    return target


async def _end(http: httpx.AsyncClient, name: str) -> dict[str, Any]:
    limit = time.monotonic() + 600  # a real cluster runs them one after the other
    while time.monotonic() < limit:
        found: dict[str, Any] = (await http.get(f"{WORKFLOWS}/{name}")).json()
        if found["status"].get("phase") in END:
            return found
        await asyncio.sleep(0.05)
    raise TimeoutError(name)


def send(target: Any, name: str) -> httpx.Response:
    asked = REST[name]["request"]
    with target.waiting_client() as http:
        return http.request(asked["method"], asked["path"], json=asked["body"])


def shape(value: Any, depth: int = 0) -> Any:
    """Names of fields; of lists the first item; nodes, labels and annotations as what they are."""
    if isinstance(value, list):
        return [shape(value[0], depth)] if value else []
    if not isinstance(value, dict):
        return None
    # Programs of an older Kubernetes library say that there is no time of creation.
    absent = {"creationTimestamp"} if value.get("creationTimestamp", "") is None else set()
    keys = value.keys() - {"estimatedDuration"} - absent
    open_maps = {"labels", "annotations", "nodes"} & keys
    return {key: "…" if key in open_maps else shape(value[key], depth + 1) for key in sorted(keys)}


@pytest.mark.parametrize("name", EXACT)
def test_answers_exactly(prepared: Any, name: str) -> None:
    answer, old = send(prepared, name), REST[name]
    assert (answer.status_code, answer.headers["content-type"]) == (old["status"], old["headers"]["Content-Type"])
    assert (answer.json() if answer.content else "") == old["body"]
    assert (VERSION in answer.headers) == (VERSION in old["headers"])


@pytest.mark.parametrize("name", SHAPE)
def test_answers_in_the_same_shape(prepared: Any, name: str) -> None:
    answer, old = send(prepared, name), REST[name]
    assert (answer.status_code, answer.headers["content-type"]) == (old["status"], old["headers"]["Content-Type"])
    assert VERSION in answer.headers
    mine, recorded = answer.json(), old["body"]
    for body in (mine, recorded):  # the first listed item has to be one that ran; which one it is differs
        body["items"] = [item for item in body.get("items") or [] if "nodes" in item["status"]] or body.get("items")
    assert shape(mine) == shape(recorded)


def test_one_workflow_reads_as_recorded(prepared: Any) -> None:
    mine, old = send(prepared, "get-exclude-fields").json(), REST["get-exclude-fields"]["body"]
    assert differences(old, mine, prepared.argo) == []


def test_a_label_that_is_not_true_selects_the_unfinished(prepared: Any) -> None:
    assert send(prepared, "list-unfinished-count").json()["items"] is None


def test_server_dry_run_answers_and_stores_nothing(prepared: Any) -> None:
    answer, old = send(prepared, "create-server-dry-run"), REST["create-server-dry-run"]
    assert answer.status_code == 200
    mine = answer.json()
    for body in (mine, old["body"]):
        body["status"].pop("storedTemplates", None)  # the single-machine server writes no trace of its validation
        for field in ("resourceVersion", "managedFields"):
            body["metadata"].pop(field, None)
    assert shape(mine) == shape(old["body"])
    with prepared.waiting_client() as http:
        assert http.get(f"{WORKFLOWS}/j-dry").status_code == 404


def test_templates_are_shown_as_recorded(prepared: Any) -> None:
    mine, old = send(prepared, "template-get").json(), REST["template-get"]["body"]
    assert _as_applied(mine["spec"], prepared) == _as_applied(old["spec"], prepared)
    # Recordings leave this field out everywhere (their README); a real API server always writes it.
    assert mine["metadata"].keys() - {"managedFields"} == old["metadata"].keys()
    assert mine["metadata"]["annotations"] == old["metadata"]["annotations"]
    listed = {item["metadata"]["name"]: item for item in send(prepared, "templates-by-label").json()["items"]}
    assert listed["rec-plain"] == mine


def _as_applied(spec: dict[str, Any], target: Target) -> dict[str, Any]:
    """On a real cluster volumes are of its default class, and an older library writes empty fields of a claim."""
    if target.embedded:
        return spec
    made = copy.deepcopy(spec)
    for claim in made["volumeClaimTemplates"]:
        claim["spec"].pop("storageClassName", None)
        claim["metadata"].pop("creationTimestamp", None)
        claim.pop("status", None)
    return made


@pytest.mark.parametrize("name", ["version", "info"])
def test_says_what_it_is(prepared: Any, name: str) -> None:
    answer = send(prepared, name)
    assert answer.status_code == 200
    scope = {"managedNamespace"}  # only of an Argo that is installed for one namespace
    assert answer.json().keys() - scope == REST[name]["body"].keys() - scope


async def test_a_log_is_followed_while_it_is_written(prepared: Any) -> None:
    entry = 'for i in 1 2 3; do echo line $i; echo err $i >&2; echo; sleep 1; done; printf "no newline"; exit 4'
    arguments = {"job-spec": "QUJD", "entrypoint": entry, "seconds": "60"}
    async with prepared.client() as http:
        await _fresh(http, "j-live")
        await http.post(WORKFLOWS, json=submission("j-live", "rec-plain", arguments))
        options = {"podName": _pod("j-live"), "logOptions.container": "main", "logOptions.follow": "true"}
        limit = time.monotonic() + 60
        while not (await http.get(f"{WORKFLOWS}/j-live/log", params={**options, "logOptions.follow": "false"})).content:
            assert time.monotonic() < limit
            await asyncio.sleep(0.02)
        arrivals, lines = [], []
        async with http.stream("GET", f"{WORKFLOWS}/j-live/log", params=options) as stream:
            assert stream.headers["content-type"] == "application/json"
            async for text in stream.aiter_lines():
                record = json.loads(text)["result"]
                assert record["podName"] == options["podName"]
                line = record.get("content", "")
                if "argo=true" not in line and line != "Error: exit status 4":
                    lines.append(line)
                    arrivals.append(time.monotonic())
        assert sorted(filter(None, lines)) == sorted(
            [*(f"line {n}" for n in (1, 2, 3)), *(f"err {n}" for n in (1, 2, 3)), "no newline"]
        )
        assert lines.count("") == 3
        assert arrivals[-1] - arrivals[0] > 0.5
        await _end(http, "j-live")


async def test_changes_are_watched_as_server_sent_events(prepared: Any) -> None:
    async with prepared.client() as http:
        await _fresh(http, "j-watched")
        listed = (await http.get(WORKFLOWS, params={"listOptions.limit": "1"})).json()
        params = {
            "listOptions.labelSelector": "c2d.oceanprotocol.com/owner=o1",
            "listOptions.resourceVersion": listed["metadata"]["resourceVersion"],
            "fields": "-result.object.status.storedWorkflowTemplateSpec",
        }
        events = []
        headers = {"Accept": "text/event-stream"}
        url = "/api/v1/workflow-events/jobs"
        async with http.stream("GET", url, params=params, headers=headers) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            await http.post(WORKFLOWS, json=submission("j-watched", "rec-plain", {"job-spec": "QUJD"}))
            async for text in stream.aiter_lines():
                if text.startswith("data: "):
                    event = json.loads(text.removeprefix("data: "))["result"]
                    if event["object"]["metadata"]["name"] == "j-watched":
                        events.append(event)
                if events and events[-1]["object"]["status"].get("phase") in END:
                    break
        assert events[0]["type"] == "ADDED"
        assert {event["type"] for event in events[1:]} == {"MODIFIED"}
        versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
        assert versions == sorted(versions)


def test_without_the_token_nothing_is_answered(prepared: Any) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "nothing"}):
        answer = httpx.get(f"{prepared.url}{WORKFLOWS}", params={"listOptions.limit": "1"}, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["code"] == 16


def test_every_recorded_request_is_compared() -> None:
    assert {*EXACT, *SHAPE, *OWN_TESTS} == REST.keys()


def _pod(workflow: str) -> str:
    value = 2166136261
    for byte in f"{workflow}.algorithm".encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return f"{workflow}-algorithm-{value}"
