"""What the service counts and times, for Prometheus. One set for each application; labels come from small fixed sets.

No label holds an address, a DID, a job's id or a text of somebody else's: values would be without number, and secrets.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from importlib import metadata
from typing import Any, Final, TypeVar, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from argo.client.seen import SeenWorkflows
from ocean.chain.index_health import IndexHealth
from ocean.outgoing import OutgoingClient
from provider_api.environments.catalogue import Environments
from provider_api.telemetry.tracing import Tracer

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
T = TypeVar("T")


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=self.registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(name, text, labels, buckets=_SECONDS, registry=self.registry)

        self.requests = counter("c2d_requests", "Answered requests", "method", "route", "status")
        self.request_seconds = histogram("c2d_request_seconds", "Until the last byte of an answer", "method", "route")
        self.response_bytes = counter("c2d_response_bytes", "Bytes of answers' bodies", "route")
        self.starts = counter(
            "c2d_starts", "Asked starts of jobs: started, repeated, refused, failed", "outcome", "rule"
        )
        self.calls = histogram("c2d_neighbour_call_seconds", "Calls to Argo and to chains", "neighbour", "operation")
        self.call_failures = counter(
            "c2d_neighbour_call_failures", "Those that failed", "neighbour", "operation", "error"
        )
        self.expired = counter("c2d_expired_results", "Jobs whose results were removed because their time was over")
        self.unarchived = Gauge(
            "c2d_unarchived_jobs",
            "Jobs that ended long ago and that Argo has not written into its archive, by the last sweep",
            registry=self.registry,
        )
        self.stranger_refusals = counter(
            "c2d_stranger_refusals", "Unsigned requests beyond the budget, by what was used up", "what"
        )
        self.stranger_bytes = counter("c2d_stranger_bytes", "Bytes fetched from files' sources for unsigned requests")
        self.loops = Gauge(
            "c2d_loop_last_success_timestamp_seconds",
            "When a background loop had its last good round, Unix seconds",
            ["loop"],
            registry=self.registry,
        )
        self._index_health: Callable[[], Mapping[int, IndexHealth]] = dict
        self.index_failures = Gauge(
            "c2d_chain_index_failed_rounds",
            "Looks at a chain that failed since the last good one",
            ["chain"],
            registry=self.registry,
        )
        self.index_success = Gauge(
            "c2d_chain_index_last_success_timestamp_seconds",
            "When a chain's assets were last up to date, Unix seconds, 0 for never",
            ["chain"],
            registry=self.registry,
        )
        build = Gauge("c2d_build_info", "Always 1", ["version"], registry=self.registry)
        build.labels(metadata.version("compute-to-data")).set(1)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        for chain_id, health in self._index_health().items():
            self.index_failures.labels(str(chain_id)).set(health.failures)
            self.index_success.labels(str(chain_id)).set(health.caught_up_at)
        return generate_latest(self.registry)

    def watch(self, environments: Environments, suspended: Callable[[], Mapping[str, int]]) -> None:
        """Export the counts that the catalogue of environments already holds, and how many jobs of each environment
        wait suspended; never queries Argo."""
        self.registry.register(_Jobs(environments, suspended))

    def watch_indexes(self, health: Callable[[], Mapping[int, IndexHealth]]) -> None:
        """Export whether the assets of each chain, by its id, are up to date; never asks a chain's node."""
        self._index_health = health

    def watch_sources(self, clients: Mapping[str, OutgoingClient]) -> None:
        """Show how many connections to files' sources are in use, by what they are for."""
        self.registry.register(_Sources(clients))

    def watch_argo(self, watched: Mapping[str, SeenWorkflows]) -> None:
        """Show of each Argo Server, by its number, whether a watch tells what changes, and what it has saved."""
        self.registry.register(_Watches(watched))

    def watch_live(self, looking: Callable[[], Mapping[str, int]]) -> None:
        """Show how many viewers look at jobs as they run, and at how many jobs."""
        self.registry.register(_Live(looking))

    def request(self, method: str, route: str, status: int, seconds: float, size: int) -> None:
        self.requests.labels(method, route, str(status)).inc()
        self.request_seconds.labels(method, route).observe(seconds)
        self.response_bytes.labels(route).inc(size)

    def start(self, outcome: str, rule: str = "") -> None:
        self.starts.labels(outcome, rule).inc()

    def round(self, loop: str) -> None:
        self.loops.labels(loop).set_to_current_time()

    def timed(self, inner: T, neighbour: str, tracer: Tracer) -> T:
        """The same object, with each of its coroutine methods timed and traced."""
        return cast("T", _Timed(inner, neighbour, self, tracer))


class _Jobs(Collector):
    """Unfinished jobs by environment, from the last look at Argo."""

    def __init__(self, environments: Environments, suspended: Callable[[], Mapping[str, int]]) -> None:
        self._environments, self._suspended = environments, suspended

    def collect(self) -> Iterator[Metric]:
        unfinished = GaugeMetricFamily("c2d_unfinished_jobs", "Jobs that run or wait", labels=["environment"])
        waiting = GaugeMetricFamily(
            "c2d_suspended_jobs", "Jobs that wait until they are left to Argo's queue", labels=["environment"]
        )
        places = GaugeMetricFamily("c2d_places", "Jobs that may run at once", labels=["environment"])
        snapshot = self._environments.last
        if snapshot is not None:
            for name, environment in snapshot.environments.items():
                unfinished.add_metric([name], snapshot.jobs[name])
                places.add_metric([name], environment.max_jobs)
                waiting.add_metric([name], self._suspended().get(name, 0))
            age = GaugeMetricFamily("c2d_environments_age_seconds", "How old what is known of environments is")
            age.add_metric([], snapshot.age_seconds())
            yield age
        yield unfinished
        yield waiting
        yield places


class _Sources(Collector):
    """Calls to files' sources, by what they are for."""

    def __init__(self, clients: Mapping[str, OutgoingClient]) -> None:
        self._clients = clients

    def collect(self) -> Iterator[Metric]:
        under_way = GaugeMetricFamily("c2d_source_calls", "Calls to files' sources under way", labels=["pool"])
        refused = CounterMetricFamily(
            "c2d_source_calls_refused", "Those refused because too many were under way", labels=["pool"]
        )
        for pool, client in self._clients.items():
            under_way.add_metric([pool], client.calls_under_way)
            refused.add_metric([pool], client.calls_refused)
        yield under_way
        yield refused


class _Live(Collector):
    """Who looks at jobs as they run."""

    def __init__(self, looking: Callable[[], Mapping[str, int]]) -> None:
        self._looking = looking

    def collect(self) -> Iterator[Metric]:
        live = GaugeMetricFamily("c2d_live", "Viewers of jobs, and jobs that are looked at", labels=["what"])
        for what, count in self._looking().items():
            live.add_metric([what], count)
        yield live


class _Watches(Collector):
    """Statuses of single jobs, with and without a call to Argo."""

    def __init__(self, watched: Mapping[str, SeenWorkflows]) -> None:
        self._watched = watched

    def collect(self) -> Iterator[Metric]:
        alive = GaugeMetricFamily(
            "c2d_argo_watch_alive", "1 while a watch tells which jobs have changed, else 0", labels=["server"]
        )
        statuses = CounterMetricFamily(
            "c2d_argo_statuses",
            "Statuses of single jobs: known by the watch, or asked of Argo",
            labels=["server", "answer"],
        )
        for server, seen in self._watched.items():
            alive.add_metric([server], int(seen.alive))
            statuses.add_metric([server, "known"], seen.hits)
            statuses.add_metric([server, "asked"], seen.misses)
        yield alive
        yield statuses


class _Timed:
    def __init__(self, inner: Any, neighbour: str, metrics: Metrics, tracer: Tracer) -> None:
        self._inner, self._neighbour, self._metrics, self._tracer = inner, neighbour, metrics, tracer

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(found):
            return found
        return self._around(found, name)

    def _around(self, call: Callable[..., Awaitable[Any]], name: str) -> Callable[..., Awaitable[Any]]:
        seconds = self._metrics.calls.labels(self._neighbour, name)

        async def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                with self._tracer.span(f"{self._neighbour}: {name}"):
                    return await call(*args, **kwargs)
            except Exception as exc:
                self._metrics.call_failures.labels(self._neighbour, name, type(exc).__name__).inc()
                raise
            finally:
                seconds.observe(time.perf_counter() - began)

        return timed
