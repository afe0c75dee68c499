"""What is learnt of a node's limits: how long to wait, how many calls a request may hold, how many blocks a log query.

All three forget again: a limit may have been another's doing, or lifted. Plain values and a clock, without I/O.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

Clock = Callable[[], float]


class Pause:
    """A node that was asked too often is left alone for a while, by all who ask. Seconds of `clock`."""

    FIRST_SECONDS, LONGEST_SECONDS = 0.5, 30.0

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._until = 0.0
        self._refusals = 0

    def begin(self, told_seconds: float | None) -> None:
        """Wait as told; else longer with every refusal."""
        own = min(self.FIRST_SECONDS * 2**self._refusals, self.LONGEST_SECONDS)
        self._refusals = min(self._refusals + 1, 10)
        wait = own if told_seconds is None else min(told_seconds, self.LONGEST_SECONDS)
        self._until = max(self._until, self._clock() + wait)

    def end(self) -> None:
        """The node answers."""
        if self.left() <= 0:
            self._refusals = 0

    def left(self) -> float:
        return self._until - self._clock()

    def wait(self) -> float:
        """How long to wait now, 0 for not at all. Never the same twice, so that not all come back at once."""
        left = self.left()
        return 0.0 if left <= 0 else left + random.uniform(0, 0.25) * min(left, 4.0) + 0.005  # noqa: S311 - no secret


class BatchLimit:
    """How many calls one request may hold. A larger number is tried again later, rarely while that fails."""

    FIRST_SECONDS, LONGEST_SECONDS = 60.0, 3600.0

    def __init__(self, largest: int, clock: Clock = time.monotonic) -> None:
        self._largest, self._clock = largest, clock
        self._known = largest
        self._refused: int | None = None  # the smallest number that was
        self._wait, self._retry_at = self.FIRST_SECONDS, 0.0

    def size(self) -> int:
        if self._refused is not None and self._clock() >= self._retry_at:
            return min(self._known * 2, self._largest)
        return self._known

    def accepted(self, calls: int) -> None:
        if self._refused is None or calls <= self._known:
            return
        self._known, self._wait = calls, self.FIRST_SECONDS
        if calls >= self._refused:
            self._refused = None if calls >= self._largest else calls + 1
        self._retry_at = self._clock() + self._wait

    def refused(self, calls: int, limit: int | None) -> None:
        """`limit`: what the node says it takes."""
        if calls > self._known:
            self._wait = min(self._wait * 2, self.LONGEST_SECONDS)  # it was a try
        elif limit is not None:
            self._known = max(1, min(limit, calls - 1))
        else:
            self._known = max(1, calls // 2)
        self._refused = calls if self._refused is None else min(self._refused, calls)
        self._retry_at = self._clock() + self._wait


class RangeLimit:
    """How many blocks to ask for at once.

    Without a refusal it doubles. After one it looks for the ceiling between what was taken and what was refused, stays
    there, and tries above it after many answers, ever more rarely. Too many results are no ceiling: they say something
    of these blocks, so that a smaller number holds for some answers only.
    """

    LEAST_HINT = 10  # a smaller number in an error's text is not believed
    FIRST_PATIENCE, LONGEST_PATIENCE, HINT_PATIENCE = 100, 3200, 20

    def __init__(self, first: int, largest: int) -> None:
        self._largest = largest
        self._size = first
        self._good = 0  # the largest number taken, below a ceiling
        self._bad: int | None = None  # the smallest number refused
        self._dense: int | None = None
        self._answers, self._patience = 0, self.FIRST_PATIENCE
        self._dense_answers = 0
        self._sure = False

    @property
    def size(self) -> int:
        return self._size if self._dense is None else min(self._size, self._dense)

    @property
    def steady(self) -> bool:
        """The present size was taken before: several such ranges may be asked for at once."""
        return self._sure

    def accepted(self, blocks: int) -> None:
        """An answer for a range of the present size; shorter ones teach nothing."""
        if self._dense is not None and blocks >= self._dense:
            self._relax()
            return
        if blocks < self._size:
            return
        self._sure = True
        self._good = max(self._good, blocks)
        if self._bad is not None and blocks >= self._bad:
            self._bad, self._patience = None, self.FIRST_PATIENCE  # the ceiling was lifted
        if self._bad is None:
            self._resize(min(self._size * 2, self._largest))
        elif not self._settled:
            self._resize((self._good + self._bad) // 2)
        else:
            self._answers += 1
            if self._answers >= self._patience:
                self._answers, self._patience = 0, min(self._patience * 2, self.LONGEST_PATIENCE)
                self._resize(min(self._good * 2, self._largest))

    def refused(self, blocks: int, limit: int | None) -> None:
        """A range was too long; `limit` is what the node says it takes."""
        if blocks <= self._good:
            self._good = 0  # the ceiling has come down
        hint = limit if limit is not None and self.LEAST_HINT <= limit < blocks else None
        self._bad = blocks if self._bad is None else min(self._bad, blocks)
        if hint is not None and not self._good:
            self._good, self._bad, self._patience = hint, hint + 1, self.HINT_PATIENCE
            self._resize(hint)
        elif self._good:
            self._resize(self._good if self._settled else max(1, (self._good + self._bad) // 2))
        else:
            self._resize(max(1, self._bad // 2))
        self._answers = 0

    def too_much(self, blocks: int) -> None:
        """These blocks hold too much for one answer."""
        self._dense, self._dense_answers = max(1, blocks // 2), 0

    @property
    def _settled(self) -> bool:
        return self._bad is not None and self._bad - self._good <= max(1, self._good // 32)

    def _resize(self, size: int) -> None:
        self._sure = self._sure and size <= self._good
        self._size = size

    def _relax(self) -> None:
        self._dense_answers += 1
        if self._dense is not None and self._dense_answers >= 4:
            self._dense, self._dense_answers = self._dense * 2, 0
            if self._dense >= self._size:
                self._dense = None
