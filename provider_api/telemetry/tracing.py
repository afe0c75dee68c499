"""Spans of requests and of calls to Argo and chains, sent by OTLP over HTTP. Off without an endpoint.

Made by hand, not by instrumentation: addresses of requests carry signatures and user data, and none of it may leave. A
span has a method, a route's pattern, a status, a job's id; of a call its neighbour and operation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from typing import Any, Protocol

import structlog

from provider_api.settings import TracingSettings

Attributes = dict[str, Any]  # values: str, int, float, bool


class TracingMissing(RuntimeError):
    def __init__(self) -> None:
        super().__init__("C2D_TRACING__ENDPOINT is set, but its packages are not installed: compute-to-data[tracing]")


class Tracer(Protocol):
    def span(self, name: str, *, parent: Mapping[str, str] | None = None) -> Any:
        """A context manager; what it gives is a dictionary, and what is put into it becomes the span's attributes.

        `parent`: headers of a request, whose `traceparent` is honoured.
        """

    def close(self) -> None: ...


def open_tracer(settings: TracingSettings) -> Tracer:
    """Raises TracingMissing."""
    if settings.endpoint is None:
        return _Off()
    try:
        return _Otlp(settings.endpoint, settings.service_name)
    except ImportError as exc:
        raise TracingMissing from exc


class _Off:
    @contextmanager
    def span(self, name: str, *, parent: Mapping[str, str] | None = None) -> Iterator[Attributes]:
        yield {}

    def close(self) -> None:
        """Nothing is open."""


class _Otlp:
    def __init__(self, endpoint: str, service_name: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        about = {"service.name": service_name, "service.version": metadata.version("compute-to-data")}
        self._provider = TracerProvider(resource=Resource.create(about))
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("provider_api")
        self._parents = TraceContextTextMapPropagator()

    @contextmanager
    def span(self, name: str, *, parent: Mapping[str, str] | None = None) -> Iterator[Attributes]:
        from opentelemetry.trace import SpanKind, Status, StatusCode

        context = None if parent is None else self._parents.extract({"traceparent": parent.get("traceparent", "")})
        kind = SpanKind.CLIENT if parent is None else SpanKind.SERVER
        attributes: Attributes = {}
        with (
            self._tracer.start_as_current_span(
                name, context, kind, record_exception=False, set_status_on_exception=False
            ) as span,
            structlog.contextvars.bound_contextvars(trace_id=f"{span.get_span_context().trace_id:032x}"),
        ):
            try:
                yield attributes
            except BaseException as exc:  # its text may say what must not be told
                span.set_status(Status(StatusCode.ERROR, type(exc).__name__))
                raise
            finally:
                span.set_attributes(attributes)
                if "name" in attributes:
                    span.update_name(attributes["name"])

    def close(self) -> None:
        """Send what is left; blocks for some seconds at most."""
        self._provider.shutdown()
