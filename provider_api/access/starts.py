"""Starts that this process is working on, so that many of one account do not all see the same number of jobs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from provider_api.access.request import ComputeRequest

_Place = tuple[str, str]  # (environment, consumer)


class StartsUnderWay:
    def __init__(self) -> None:
        self._requests: defaultdict[_Place, list[ComputeRequest]] = defaultdict(list)

    @contextmanager
    def one(self, request: ComputeRequest) -> Iterator[None]:
        """The start of exactly this object is under way."""
        place = (request.environment, request.consumer)
        self._requests[place].append(request)
        try:
            yield
        finally:
            kept = [other for other in self._requests.pop(place) if other is not request]
            if kept:
                self._requests[place] = kept

    def earlier(self, request: ComputeRequest) -> int:
        """How many starts of its account in its environment began before it and are not over: of a burst as many are
        let in as there is room for. 0 for a request that starts nothing."""
        requests = self._requests.get((request.environment, request.consumer), [])
        return next((place for place, other in enumerate(requests) if other is request), 0)
