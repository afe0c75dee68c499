"""Starts that this process is working on, so that many at once do not all see the same number of jobs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from provider_api.access.request import ComputeRequest


class StartsUnderWay:
    def __init__(self) -> None:
        self._requests: defaultdict[str, list[ComputeRequest]] = defaultdict(list)  # by environment

    @contextmanager
    def one(self, request: ComputeRequest) -> Iterator[None]:
        """The start of exactly this object is under way."""
        self._requests[request.environment].append(request)
        try:
            yield
        finally:
            kept = [other for other in self._requests.pop(request.environment) if other is not request]
            if kept:
                self._requests[request.environment] = kept

    def earlier(self, request: ComputeRequest) -> int:
        """How many starts in its environment began before it and are not over. 0 for a request that starts nothing."""
        return len(self._before(request))

    def earlier_of_account(self, request: ComputeRequest) -> int:
        """How many of them are of its account: of a burst as many are let in as there is room for."""
        return sum(other.consumer == request.consumer for other in self._before(request))

    def _before(self, request: ComputeRequest) -> list[ComputeRequest]:
        requests = self._requests.get(request.environment, [])
        place = next((place for place, other in enumerate(requests) if other is request), 0)
        return requests[:place]
