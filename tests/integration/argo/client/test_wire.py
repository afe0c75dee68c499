"""The client on the wire: recorded answers of a real Argo Server, and the faults that a healthy one never shows."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from urllib3.exceptions import InsecureRequestWarning

from argo.client import (
    ArgoClient,
    ArgoRefused,
    ArgoUnavailable,
    SubmissionRefused,
    WorkflowExists,
    WorkflowFinished,
    WorkflowNotFound,
)
from argo.client.connection import Connection
from argo.client.logs import LogStream
from argo.client.records import NewWorkflow
from argo.client.streaming import Streams
from contract import names
from tests.support.replay import Answer, Replay, Request, recorded_answer, recorded_job, recorded_rest, replay_server

pytestmark = pytest.mark.integration

JOB = "j-success"
WORKFLOWS = "/api/v1/workflows/jobs"
ARGUMENTS = {
    names.ARG_JOB_SPEC: "QUJD",
    names.ARG_IMAGE: "busybox:1",
    names.ARG_SECONDS: "060",
    names.ARG_NETWORK: "none",
}
FULL = recorded_answer("get-exclude-fields")


@pytest.fixture
def argo() -> Iterator[Replay]:
    with replay_server() as server:
        yield server


@pytest.fixture
async def client(argo: Replay) -> AsyncIterator[ArgoClient]:
    async with ArgoClient(argo.url, "jobs", "secret-token", timeout_seconds=30.0) as client:
        yield client


async def submit(client: ArgoClient, name: str = JOB) -> Any:
    labels, annotations = {names.OWNER: "0xab"}, {names.OWNER_TEXT: "0xAB", names.INPUT_DIDS: '["did:op:1"]'}
    return await client.submit(NewWorkflow(name, "ocean-compute", ARGUMENTS, labels, annotations))


async def test_a_submission_is_a_name_a_reference_and_nothing_else(argo: Replay, client: ArgoClient) -> None:
    argo.on("POST", WORKFLOWS, Answer(200, recorded_job("success")["create"]["body"]))
    created = await submit(client)
    assert (created.name, created.phase, created.nodes) == (JOB, "", ())
    (request,) = argo.requests
    assert request.headers["authorization"] == "Bearer secret-token"
    workflow = request.body["workflow"]
    assert workflow["metadata"] == {
        "name": JOB,
        "namespace": "jobs",
        "labels": {names.OWNER: "0xab"},
        "annotations": {names.OWNER_TEXT: "0xAB", names.INPUT_DIDS: '["did:op:1"]'},
    }
    assert workflow["spec"] == {
        "workflowTemplateRef": {"name": "ocean-compute"},
        "arguments": {"parameters": [{"name": name, "value": value} for name, value in ARGUMENTS.items()]},
    }
    assert not {"serverDryRun", "createOptions"} & set(request.body)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("create-duplicate", WorkflowExists),
        ("create-bad-name", SubmissionRefused),
        ("create-template-unknown", SubmissionRefused),
    ],
)
async def test_definite_answers_to_a_submission(
    argo: Replay, client: ArgoClient, name: str, error: type[Exception]
) -> None:
    argo.on("POST", WORKFLOWS, recorded_answer(name))
    with pytest.raises(error):
        await submit(client)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, {"code": 13, "message": "etcd"}),
        Answer(502, "<html>bad gateway</html>", "text/html"),
        Answer(503, {}),
        Answer(500, {"code": 13}),
        Answer(hang_up=True),
        Answer(200, {}, wait_seconds=600),
    ],
    ids=["500", "502", "503", "no-message", "hang-up", "silence"],
)
async def test_uncertain_answers_to_a_submission_are_not_repeated(argo: Replay, answer: Answer) -> None:
    argo.on("POST", WORKFLOWS, answer)
    async with ArgoClient(argo.url, "jobs", "secret-token", timeout_seconds=3.0) as client:
        with pytest.raises(ArgoUnavailable) as failed:
            await submit(client)
    assert not failed.value.definite
    assert len(argo.requests) == 1
    assert "secret-token" not in str(failed.value)
    assert "QUJD" not in str(failed.value)


async def test_a_created_workflow_whose_answer_cannot_be_read_is_asked_for(argo: Replay, client: ArgoClient) -> None:
    argo.on("POST", WORKFLOWS, Answer(200, {"metadata": {"name": JOB}, "spec": 7}))
    argo.on("GET", f"{WORKFLOWS}/{JOB}", FULL)
    assert (await submit(client)).phase == "Succeeded"


async def test_nobody_there_is_definite() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        async with ArgoClient(f"http://127.0.0.1:{taken.getsockname()[1]}", "jobs", "t") as client:
            for call in (submit(client), client.get(JOB), client.list({"a": "b"}), client.stop(JOB), client.version()):
                with pytest.raises(ArgoUnavailable) as failed:
                    await call
                assert failed.value.definite


async def test_a_silent_server_costs_the_time_limit_and_no_more() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        async with ArgoClient(
            f"http://127.0.0.1:{silent.getsockname()[1]}", "jobs", "t", timeout_seconds=2.0
        ) as client:
            await client.warm_up()
            async with asyncio.timeout(15):  # it would be twenty by default
                with pytest.raises(ArgoUnavailable) as failed:
                    await submit(client)
                assert not failed.value.definite
                with pytest.raises(ArgoUnavailable):
                    await client.get(JOB)


async def test_get_asks_for_what_is_needed_and_no_more(argo: Replay, client: ArgoClient) -> None:
    argo.on("GET", f"{WORKFLOWS}/{JOB}", FULL)
    workflow = await client.get(JOB)
    assert (workflow.name, workflow.phase, len(workflow.nodes)) == (JOB, "Succeeded", 7)
    assert workflow.labels[names.OWNER] == "o1"
    assert workflow.started_at is not None
    fields = argo.requests[0].query["fields"].split(",")
    assert {"metadata.name", "status.phase", "status.nodes", "spec.shutdown"} <= set(fields)
    assert not any(field.startswith("-") or field in ("spec", "status", "spec.arguments") for field in fields)
    assert argo.requests[0].headers["authorization"] == "Bearer secret-token"
    await client.get(JOB, arguments=True)
    assert "spec.arguments" in argo.requests[1].query["fields"].split(",")


async def test_get_of_nothing(argo: Replay, client: ArgoClient) -> None:
    argo.on("GET", f"{WORKFLOWS}/none", recorded_answer("get-not-found"))
    with pytest.raises(WorkflowNotFound) as missing:
        await client.get("none")
    assert missing.value.name == "none"


async def test_null_times_are_read(argo: Replay, client: ArgoClient) -> None:
    argo.on("GET", f"{WORKFLOWS}/{JOB}", recorded_answer("get-fields"))
    workflow = await client.get(JOB)
    assert workflow.started_at is workflow.finished_at is None
    assert workflow.finished


async def test_a_read_survives_a_lost_connection_once(argo: Replay, client: ArgoClient) -> None:
    argo.on("GET", f"{WORKFLOWS}/{JOB}", Answer(hang_up=True), FULL)
    assert (await client.get(JOB)).name == JOB
    argo.on("PUT", f"{WORKFLOWS}/{JOB}/stop", Answer(hang_up=True))
    with pytest.raises(ArgoUnavailable) as failed:
        await client.stop(JOB)
    assert not failed.value.definite
    assert [request.method for request in argo.requests] == ["GET", "GET", "PUT"]


async def test_lists_are_paged_by_the_recipe_that_works(argo: Replay, client: ArgoClient) -> None:
    last: dict[str, Any] = {"metadata": {"resourceVersion": "7934"}, "items": None}
    argo.on("GET", WORKFLOWS, recorded_answer("list-by-label"), recorded_answer("list-second-page"), Answer(200, last))
    found = await client.list({"c2d.oceanprotocol.com/owner": "o1"}, limit=7)
    assert len(found) == 6
    assert [w.created_at for w in found] == sorted((w.created_at for w in found), reverse=True)
    assert any(workflow.nodes for workflow in found)
    assert [request.query.get("listOptions.continue") for request in argo.requests] == [None, "3", "6"]
    assert [request.query["listOptions.limit"] for request in argo.requests] == ["7", "4", "1"]
    for request in argo.requests:
        assert request.query["listOptions.labelSelector"] == "c2d.oceanprotocol.com/owner=o1"
        assert request.query["listOptions.fieldSelector"] == "ext.showRemainingItemCount=true"
        assert request.query["fields"].startswith("metadata,items.metadata.name,")


async def test_an_empty_list_is_null(argo: Replay, client: ArgoClient) -> None:
    argo.on("GET", WORKFLOWS, recorded_answer("list-empty"))
    assert await client.list({"a": "b"}) == []
    assert await client.count({"a": "b"}, unfinished_only=True) == 0
    assert argo.requests[1].query["listOptions.labelSelector"] == "a=b,workflows.argoproj.io/completed!=true"


async def test_a_count_needs_one_item(argo: Replay, client: ArgoClient) -> None:
    argo.on("GET", WORKFLOWS, recorded_answer("list-by-label"))
    body = recorded_rest()["list-by-label"]["body"]
    assert await client.count({"a": "b"}) == len(body["items"]) + body["metadata"]["remainingItemCount"] == 55
    assert argo.requests[0].query["listOptions.limit"] == "1"
    assert argo.requests[0].query["fields"] == "metadata,items.metadata.name"


async def test_a_list_whose_nodes_are_packed_reads_the_workflow_alone(argo: Replay, client: ArgoClient) -> None:
    packed = {"metadata": {"name": JOB, "uid": "u"}, "spec": {}, "status": {"phase": "Running", "compressedNodes": "H"}}
    gone = {"metadata": {"name": "gone", "uid": "v"}, "spec": {}, "status": {"compressedNodes": "H"}}
    argo.on("GET", WORKFLOWS, Answer(200, {"metadata": {}, "items": [packed, gone]}))
    argo.on("GET", f"{WORKFLOWS}/{JOB}", FULL)
    argo.on("GET", f"{WORKFLOWS}/gone", recorded_answer("get-not-found"))
    (workflow,) = await client.list({"a": "b"})
    assert len(workflow.nodes) == 7


async def test_a_list_has_no_nodes_of_what_is_archived(argo: Replay, client: ArgoClient) -> None:
    """Seen on a real Argo: labels, annotations, phase and times, but no node, and without them no job has a verdict."""
    uid = FULL.body["metadata"]["uid"]
    labels = {"workflows.argoproj.io/workflow-archiving-status": "Persisted"}
    listed = {"metadata": {"name": JOB, "uid": uid, "labels": labels}, "spec": {}, "status": {"phase": "Succeeded"}}
    argo.on("GET", WORKFLOWS, Answer(200, {"metadata": {}, "items": [listed]}))
    argo.on("GET", f"{WORKFLOWS}/{JOB}", FULL)
    for _ in range(2):
        (workflow,) = await client.list({"a": "b"})
        assert len(workflow.nodes) == 7
    assert [request.path for request in argo.requests] == [WORKFLOWS, f"{WORKFLOWS}/{JOB}", WORKFLOWS], "asked for once"
    assert [len(one.nodes) async for page in client.pages({"a": "b"}, nodes=False) for one in page] == [0]


async def test_a_wrong_selector_is_our_fault(argo: Replay, client: ArgoClient) -> None:
    argo.on("GET", WORKFLOWS, recorded_answer("list-bad-selector"))
    with pytest.raises(ArgoRefused, match="unable to parse"):
        await client.list({"a": "b"})


@pytest.mark.parametrize("verb", ["stop", "terminate"])
async def test_ending(argo: Replay, client: ArgoClient, verb: str) -> None:
    call = getattr(client, verb)
    argo.on("PUT", f"{WORKFLOWS}/{JOB}/{verb}", Answer(200, FULL.body))
    assert await call(JOB) is None
    assert argo.requests[-1].body == {"name": JOB, "namespace": "jobs"}

    argo.on("PUT", f"{WORKFLOWS}/{JOB}/{verb}", recorded_answer(f"{verb}-finished"))
    with pytest.raises(WorkflowFinished):
        await call(JOB)

    argo.on("PUT", f"{WORKFLOWS}/{JOB}/{verb}", recorded_answer("stop-not-found"))
    argo.on("GET", f"{WORKFLOWS}/{JOB}", recorded_answer("get-not-found"))
    with pytest.raises(WorkflowNotFound):
        await call(JOB)

    argo.on("GET", f"{WORKFLOWS}/{JOB}", FULL)  # only in the archive
    with pytest.raises(WorkflowFinished):
        await call(JOB)


async def test_deleting_a_live_workflow(argo: Replay, client: ArgoClient) -> None:
    argo.on("GET", f"{WORKFLOWS}/{JOB}", FULL)
    argo.on("DELETE", f"{WORKFLOWS}/{JOB}", Answer(200, {}))
    await client.delete(JOB)
    assert [request.method for request in argo.requests] == ["GET", "DELETE"]

    argo.on("GET", f"{WORKFLOWS}/none", recorded_answer("get-not-found"))
    with pytest.raises(WorkflowNotFound):
        await client.delete("none")


@pytest.mark.parametrize("live", [Answer(200, {}), recorded_answer("delete-not-found")], ids=["live", "archived-only"])
async def test_deleting_an_archived_workflow_removes_both_records(
    argo: Replay, client: ArgoClient, live: Answer
) -> None:
    body = recorded_rest()["get-exclude-fields"]["body"]
    body["metadata"]["labels"]["workflows.argoproj.io/workflow-archiving-status"] = "Persisted"
    uid = body["metadata"]["uid"]
    argo.on("GET", f"{WORKFLOWS}/{JOB}", Answer(200, body))
    argo.on("DELETE", f"{WORKFLOWS}/{JOB}", live)
    argo.on("DELETE", f"/api/v1/archived-workflows/{uid}", Answer(200, {}))
    await client.delete(JOB)
    assert argo.requests[-1].query == {"namespace": "jobs"}
    argo.on("DELETE", f"/api/v1/archived-workflows/{uid}", Answer(404, {"code": 5, "message": "not found"}))
    await client.delete(JOB)


async def test_templates_are_the_labelled_ones(argo: Replay, client: ArgoClient) -> None:
    argo.on("GET", "/api/v1/workflow-templates/jobs", recorded_answer("templates-by-label"))
    found = await client.templates()
    assert {"rec-plain", "rec-filter"} <= {template.name for template in found}
    assert argo.requests[0].query["listOptions.labelSelector"] == names.ENVIRONMENT
    argo.on("GET", "/api/v1/workflow-templates/jobs", recorded_answer("templates-empty"))
    assert await client.templates() == []


async def test_version(argo: Replay, client: ArgoClient) -> None:
    argo.on("GET", "/api/v1/version", recorded_answer("version"))
    assert await client.version() == "v4.1.2+unknown"


def running_job() -> Answer:
    (document, *_) = [
        s["workflow"]
        for s in recorded_job("success")["snapshots"]
        if any(n["displayName"] == "algorithm" for n in (s["workflow"]["status"].get("nodes") or {}).values())
    ]
    return Answer(200, document)


async def test_a_followed_log_has_the_programs_lines_only(argo: Replay, client: ArgoClient) -> None:
    text = "".join(line for _, line in recorded_rest()["log-follow"]["stream"])
    argo.on("GET", f"{WORKFLOWS}/{JOB}", running_job())
    argo.on("GET", f"{WORKFLOWS}/{JOB}/log", Answer(200, text))
    lines = [line async for line in client.follow_log(JOB)]
    assert lines == ["line 1", "err 1", "line 2", "err 2", "err 3", "line 3", "no newline"]
    request = argo.requests[-1]
    assert request.query == {
        "podName": "j-success-algorithm-2904501636",
        "logOptions.container": "main",
        "logOptions.follow": "true",
    }
    assert request.headers["authorization"] == "Bearer secret-token"


async def test_logs_that_are_not_there(argo: Replay, client: ArgoClient) -> None:
    argo.on("GET", f"{WORKFLOWS}/{JOB}", FULL)
    argo.on("GET", f"{WORKFLOWS}/{JOB}/log", recorded_answer("log-of-deleted-pods"))
    assert [line async for line in client.follow_log(JOB, follow=False)] == []
    assert argo.requests[-1].query["logOptions.follow"] == "false"
    assert [line async for line in client.follow_log(JOB, "filtering")] == []

    argo.on("GET", f"{WORKFLOWS}/{JOB}/log", recorded_answer("log-workflow-not-found"))
    with pytest.raises(WorkflowNotFound):
        [line async for line in client.follow_log(JOB)]


async def test_the_log_of_a_retried_step_is_its_newest_attempts(argo: Replay, client: ArgoClient) -> None:
    document = recorded_job("configuration-exit-75-retried")["snapshots"][-1]["workflow"]
    name = document["metadata"]["name"]
    argo.on("GET", f"{WORKFLOWS}/{name}", Answer(200, document))
    argo.on("GET", f"{WORKFLOWS}/{name}/log", Answer(200, b""))
    assert [line async for line in client.follow_log(name, "configuration")] == []
    assert argo.requests[-1].query["podName"] == f"{name}-configuration-984983023"


async def test_a_log_that_breaks_off_says_so(argo: Replay, client: ArgoClient) -> None:
    error = '{"error":{"grpc_code":8,"http_code":429,"message":"EOF","http_status":"Too Many Requests"}}\n'
    argo.on("GET", f"{WORKFLOWS}/{JOB}", running_job())
    argo.on("GET", f"{WORKFLOWS}/{JOB}/log", Answer(200, '{"result":{"content":"a"}}\n{"result":{}}\n' + error))
    lines = client.follow_log(JOB)
    assert [await anext(lines), await anext(lines)] == ["a", ""]
    with pytest.raises(ArgoUnavailable):
        await anext(lines)


@pytest.mark.parametrize("runs", [True, False])
async def test_silence_in_a_log_is_borne_while_the_program_runs(argo: Replay, runs: bool) -> None:
    record = b'{"result":{"content":"late"}}\n'
    said = threading.Event()
    argo.on("GET", f"{WORKFLOWS}/{JOB}/log", Answer(200, record, body_held=said))
    asked = 0

    async def still_runs() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:
            said.set()
        return runs

    streams = Streams(Connection(argo.url, "jobs"))
    stream = LogStream(streams)
    found = stream.lines(JOB, "pod", follow=True, still_runs=still_runs, silence_seconds=0.1)
    assert [line async for line in found] == (["late"] if runs else [])
    assert asked > 1 if runs else asked == 1
    await streams.close()


async def test_a_log_may_be_left_early(argo: Replay, client: ArgoClient) -> None:
    argo.on("GET", f"{WORKFLOWS}/{JOB}", running_job())
    argo.on("GET", f"{WORKFLOWS}/{JOB}/log", Answer(200, b'{"result":{"content":"a"}}\n' * 1000))
    lines = client.follow_log(JOB)
    assert await anext(lines) == "a"
    await lines.aclose()


async def test_a_token_file_that_changes_is_read_again(argo: Replay, tmp_path: Path) -> None:
    token = tmp_path / "token"
    argo.on("GET", f"{WORKFLOWS}/{JOB}", FULL)
    argo.on("POST", WORKFLOWS, Answer(200, FULL.body))
    async with ArgoClient(argo.url, "jobs", token) as client:
        with pytest.raises(ArgoUnavailable) as missing:
            await client.get(JOB)
        assert missing.value.definite
        for word in ("one", "two"):
            token.write_text(f"{word}\n")
            await client.get(JOB)
            await submit(client)
    assert [r.headers["authorization"] for r in argo.requests] == ["Bearer one"] * 2 + ["Bearer two"] * 2


async def test_a_path_before_the_api_is_kept(argo: Replay) -> None:
    argo.on("GET", f"/argo{WORKFLOWS}/{JOB}", running_job())
    argo.on("POST", f"/argo{WORKFLOWS}", Answer(200, FULL.body))
    argo.on("GET", f"/argo{WORKFLOWS}/{JOB}/log", Answer(200, b'{"result":{"content":"a"}}\n'))
    for url in (f"{argo.url}/argo", f"{argo.url}/argo/"):
        async with ArgoClient(url, "jobs") as client:
            await client.get(JOB)
            await submit(client)
            assert [line async for line in client.follow_log(JOB)] == ["a"]
    assert not any("authorization" in request.headers for request in argo.requests)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "argo")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(hours=1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "argo.pem"
    path.write_bytes(secret + made.public_bytes(Encoding.PEM))
    return path


@pytest.mark.parametrize("trusted", ["file", "nothing checked", "public authorities"])
async def test_trust(certificate: Path, trusted: str) -> None:
    verify: bool | Path = {"file": certificate, "nothing checked": False}.get(trusted, True)
    with replay_server(certificate) as argo, warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureRequestWarning)
        argo.on("GET", f"{WORKFLOWS}/{JOB}", running_job())
        argo.on("POST", WORKFLOWS, Answer(200, FULL.body))
        argo.on("GET", f"{WORKFLOWS}/{JOB}/log", Answer(200, b'{"result":{"content":"a"}}\n'))
        async with ArgoClient(argo.url, "jobs", "secret-token", verify=verify) as client:
            if verify is True:
                for call in (submit(client), client.get(JOB), client.stop(JOB)):
                    with pytest.raises(ArgoUnavailable) as failed:
                        await call
                    assert failed.value.definite
                assert argo.requests == []
            else:
                await submit(client)
                assert [line async for line in client.follow_log(JOB)] == ["a"]


async def test_neither_a_netrc_file_nor_a_proxy_changes_what_is_sent(
    argo: Replay, client: ArgoClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    argo.on("POST", WORKFLOWS, Answer(200, FULL.body))
    argo.on("GET", f"{WORKFLOWS}/{JOB}", running_job())
    argo.on("GET", f"{WORKFLOWS}/{JOB}/log", Answer(200, b""))
    await submit(client)
    _ = [line async for line in client.follow_log(JOB)]
    assert {request.headers["authorization"] for request in argo.requests} == {"Bearer secret-token"}


async def test_many_calls_at_once_share_a_few_connections(argo: Replay, client: ArgoClient) -> None:
    def echo(request: Request) -> Answer:
        body = recorded_rest()["get-exclude-fields"]["body"]
        body["metadata"]["name"] = request.body["workflow"]["metadata"]["name"]
        return Answer(200, body)

    argo.on("POST", WORKFLOWS, echo)
    names_ = [f"j-{number}" for number in range(40)]
    assert [w.name for w in await asyncio.gather(*(submit(client, name) for name in names_))] == names_


def test_the_heavy_libraries_are_loaded_when_they_are_needed() -> None:
    code = "import argo.client, sys; sys.exit(any(m.split('.')[0] in ('hera', 'argo_workflows') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- the time limit of a request --------------------------------------------------------------------------------------


async def test_waiting_for_a_thread_counts_against_the_time_limit(argo: Replay) -> None:
    """Six slow reads for each thread: a submission that has not begun in time is never sent, and that is certain."""
    argo.on("GET", f"{WORKFLOWS}/{JOB}", Answer(200, {}, wait_seconds=600))
    argo.on("POST", WORKFLOWS, Answer(200, recorded_job("success")["create"]["body"]))
    async with ArgoClient(argo.url, "jobs", None, timeout_seconds=2.0, calls_at_once=4) as client:
        await client.warm_up()
        reads = [asyncio.create_task(client.get(JOB)) for _ in range(24)]
        while len(argo.requests) < 4:
            await asyncio.sleep(0.01)
        with pytest.raises(ArgoUnavailable) as failed:
            await submit(client)
        outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert failed.value.definite
    assert all(isinstance(outcome, ArgoUnavailable) for outcome in outcomes)
    await asyncio.sleep(0.5)
    assert not [request for request in argo.requests if request.method == "POST"], "nor is it sent afterwards"


async def test_an_answer_that_drips_ends_in_time(argo: Replay) -> None:
    """Head and body wait less than the limit each, together longer."""
    created = recorded_job("success")["create"]["body"]
    argo.on("POST", WORKFLOWS, Answer(200, created, wait_seconds=1.6, stall_seconds=1.6))
    async with ArgoClient(argo.url, "jobs", None, timeout_seconds=2.0) as client:
        await client.warm_up()
        with pytest.raises(ArgoUnavailable) as failed:
            await submit(client)
    assert not failed.value.definite
