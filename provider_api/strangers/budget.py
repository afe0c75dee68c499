"""How much of the service strangers have used, and what is left for them."""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import Final, Literal

from prometheus_client import Counter as Counted

from provider_api.http.errors import TooMuchAsked
from provider_api.settings import Settings
from provider_api.strangers.allowance import Allowance
from provider_api.strangers.places import NoPlace, Places
from provider_api.telemetry.metrics import Metrics

What = Literal["units", "bytes", "places", "bodies"]

_EVERYBODY: Final = ""
_BODY_UNIT_BYTES: Final = 4096
_TEXTS: Final[dict[What, str]] = {
    "units": "Too many requests without a good signature came from your address.",
    "bytes": "The files that requests from your address made this service fetch are too many, or too large.",
    "places": "Too many unsigned requests are being answered at the moment.",
    "bodies": "Too many large requests without a good signature are arriving at the moment.",
}


class Budget:
    """One for the service. All methods raise TooMuchAsked."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        given = settings.strangers
        units, data = given.units_per_minute / 60, given.bytes_per_minute / 60
        self._units = Allowance(units, given.units_per_minute / 4)
        self._all_units = Allowance(8 * units, 2 * given.units_per_minute)
        self._bytes = Allowance(data, 2 * given.bytes_per_minute)
        self._all_bytes = Allowance(4 * data, 8 * given.bytes_per_minute)
        self._overdraft = max(2 * given.bytes_per_minute, settings.outgoing.max_algorithm_bytes)
        self.places = Places(given.at_once, given.at_once_each, given.waiting_each, given.waiting_seconds)
        self._most_bodies = given.body_bytes
        self._bodies: Counter[str] = Counter()
        self._refusals: Counted = metrics.stranger_refusals
        self._fetched: Counted = metrics.stranger_bytes

    def require_units(self, name: str) -> None:
        self._require("units", name, self._units, self._all_units)

    def has_units(self, name: str) -> bool:
        return self._units.left(name, time.monotonic()) > 0

    def spend_units(self, name: str, units: float) -> None:
        """Never raises: what has been done cannot be refused."""
        now = time.monotonic()
        self._units.spend(name, units, now)
        self._all_units.spend(_EVERYBODY, units, now)

    def require_bytes(self, name: str) -> None:
        """Before a file is fetched."""
        self._require("bytes", name, self._bytes, self._all_bytes)

    def spend_bytes(self, name: str, count: int) -> None:
        """While it comes. One that was begun may overdraw, but not without end."""
        now = time.monotonic()
        self._fetched.inc(count)
        left, of_all = self._bytes.spend(name, count, now), self._all_bytes.spend(_EVERYBODY, count, now)
        if left < -self._overdraft or of_all < -4 * self._overdraft:
            raise self._refused("bytes", self._bytes.seconds_until_some(name, now))

    async def enter(self, name: str) -> None:
        try:
            await self.places.enter(name)
        except NoPlace:
            raise self._refused("places", 1) from None

    def hold_body(self, name: str, count: int) -> None:
        """A part of a body is kept in memory, until `drop_body`. One client has a quarter of the room."""
        if self._bodies.total() + count > self._most_bodies or self._bodies[name] + count > self._most_bodies // 4:
            raise self._refused("bodies", 1)
        self._bodies[name] += count

    def drop_body(self, name: str, count: int) -> None:
        self._bodies = self._bodies - Counter({name: count})
        self.spend_units(name, count / _BODY_UNIT_BYTES)

    def _require(self, what: What, name: str, each: Allowance, everybody: Allowance) -> None:
        now = time.monotonic()
        wait = max(each.seconds_until_some(name, now), everybody.seconds_until_some(_EVERYBODY, now))
        if wait > 0:
            raise self._refused(what, wait)

    def _refused(self, what: What, seconds: float) -> TooMuchAsked:
        self._refusals.labels(what).inc()
        return TooMuchAsked(_TEXTS[what], max(1, math.ceil(seconds)))
