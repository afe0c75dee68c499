"""Notes of what was signed, which last as long as the test."""

from __future__ import annotations

from ocean.chain.resumable import Signed


class Memory:
    def __init__(self) -> None:
        self.steps: dict[str, tuple[Signed, ...]] = {}

    def find(self, step: str) -> tuple[Signed, ...]:
        return self.steps.get(step, ())

    def write(self, step: str, transactions: tuple[Signed, ...]) -> None:
        self.steps[step] = transactions
