"""Template-level semaphores: who holds, who waits. Oldest first. Sizes come from a ConfigMap among the manifests.

Kept in memory only; after a restart it is made again from what the workflows themselves say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from argo.local.engine.state import Run


class Semaphores:
    """Keys are `namespace/ConfigMap/name/key`. `size` answers None for a semaphore that is not defined."""

    def __init__(self, size: Callable[[str, str], int | None]) -> None:
        self._size = size
        self._held: dict[str, dict[str, str]] = defaultdict(dict)  # key -> workflow -> holder
        self._waiting: dict[str, dict[str, float]] = defaultdict(dict)  # key -> workflow -> created

    def limit(self, key: str) -> int | None:
        _, _, name, item = key.split("/", 3)
        return self._size(name, item)

    def holders(self, key: str) -> list[str]:
        return list(self._held[key].values())

    def hold(self, key: str, run: Run) -> None:
        """Take it without asking: the workflow held it before the server was started again."""
        assert run.lock is not None  # noqa: S101  (who has none asks for none)
        self._held[key][run.name] = run.holder(run.lock)

    def wait(self, key: str, run: Run) -> None:
        self._waiting[key].setdefault(run.name, run.created_at)

    def acquire(self, key: str, run: Run) -> bool:
        """True when the workflow holds it now; else it waits, and is asked again when something was given back."""
        if run.name in self._held[key]:
            return True
        self.wait(key, run)
        free = (self.limit(key) or 0) - len(self._held[key])
        order = sorted(self._waiting[key], key=lambda name: (self._waiting[key][name], name))
        if run.name not in order[: max(0, free)]:
            return False
        del self._waiting[key][run.name]
        self.hold(key, run)
        return True

    def release(self, name: str) -> list[str]:
        """Give back whatever the workflow holds, and wait for nothing more. Answers who may go on now."""
        woken: list[str] = []
        for key in list(self._held):
            if self._held[key].pop(name, None) is not None:
                woken += self._waiting[key]
        for waiting in self._waiting.values():
            waiting.pop(name, None)
        return [each for each in woken if each != name]

    def waiting(self) -> list[str]:
        return [name for waiting in self._waiting.values() for name in waiting]
