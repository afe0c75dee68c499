"""An amount that refills with time, for many names at once, in bounded memory. Plain values, the time is handed in."""

from __future__ import annotations

from dataclasses import dataclass

from cachetools import LRUCache

MOST_NAMES = 10_000  # that are remembered; whoever was longest away begins anew


@dataclass(slots=True)
class _Level:
    left: float
    at: float


class Allowance:
    """Per name: `most` saved up, `per_second` refilled. It may be overdrawn, and then has to refill above nothing."""

    def __init__(self, per_second: float, most: float) -> None:
        self._per_second, self._most = per_second, most
        self._levels = LRUCache[str, _Level](MOST_NAMES)

    def left(self, name: str, now: float) -> float:
        level = self._levels.get(name)
        return self._most if level is None else self._refilled(level, now)

    def spend(self, name: str, amount: float, now: float) -> float:
        """What is left then."""
        left = self.left(name, now) - amount
        self._levels[name] = _Level(left, now)
        return left

    def seconds_until_some(self, name: str, now: float) -> float:
        """How long until anything is left; 0 if something is."""
        return max(0.0, -self.left(name, now) / self._per_second)

    def _refilled(self, level: _Level, now: float) -> float:
        return min(self._most, level.left + (now - level.at) * self._per_second)
