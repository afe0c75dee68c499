"""Spans of a whole service at a real OTLP receiver: what they tell, and what they never do."""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.quiet_server import QuietServer
from tests.support.service import Service

pytestmark = pytest.mark.integration

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SECRET = "0x" + "5e" * 65


class Receiver:
    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                packed = self.headers.get("content-encoding") == "gzip"
                assert self.path == "/v1/traces"
                receiver.bodies.append(gzip.decompress(body) if packed else body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.server = QuietServer(("127.0.0.1", 0), Handler)

    def spans(self) -> list[Span]:
        found = []
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                found += [span for scope in resource.scope_spans for span in scope.spans]
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    received = Receiver()
    thread = threading.Thread(target=received.server.serve_forever)
    thread.start()
    yield received
    received.server.shutdown()
    received.server.server_close()
    thread.join()


def test_requests_and_calls_are_spans(tmp_path: Path, receiver: Receiver) -> None:
    endpoint = f"http://127.0.0.1:{receiver.server.server_port}"
    log = tmp_path / "data" / "logs" / "api.log"
    with Service(
        tmp_path / "data", settings={"C2D_TRACING__ENDPOINT": endpoint, "C2D_LOG__REQUESTS": "true"}
    ) as service:
        address, job = "0x" + "11" * 20, "00" + "ab" * 15
        query = {"consumerAddress": address, "jobId": job, "signature": SECRET, "userdata": "my-secret"}
        headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        httpx.get(f"{service.url}/api/services/compute", params=query, headers=headers, trust_env=False)
        httpx.get(f"{service.url}/no/such/path-{'cd' * 10}", trust_env=False)
        written = log.read_text()
    spans = receiver.spans()
    asked = next(span for span in spans if span.name == "GET /api/services/compute")
    assert (asked.trace_id.hex(), asked.kind) == (TRACE, Span.SPAN_KIND_SERVER)
    told = {each.key: each.value.int_value or each.value.string_value for each in asked.attributes}
    assert told["http.response.status_code"] == 200
    assert told["c2d.job_id"] == job
    called = [span for span in spans if span.parent_span_id == asked.span_id]
    assert [span.name for span in called] == ["argo: get"]
    assert "GET none" in {span.name for span in spans}
    assert "argo: templates" in {span.name for span in spans}
    everything = b"".join(receiver.bodies)
    for text in (SECRET, SECRET[2:], address, "my-secret", "consumerAddress", "cd" * 10):
        assert text.encode() not in everything
    assert f"trace_id={TRACE}" in written


def test_without_its_packages_the_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from provider_api.settings import TracingSettings
    from provider_api.telemetry.tracing import TracingMissing, open_tracer

    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(TracingMissing, match=r"compute-to-data\[tracing\]"):
        open_tracer(TracingSettings(endpoint="http://127.0.0.1:4318"))
