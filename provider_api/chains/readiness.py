"""Whether the service can do its work: its neighbours answer, and what it knows of each chain is up to date.

Anybody may ask, so that an answer holds for some seconds, and all who ask meanwhile share one look.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog

from ocean.kit.single_flight import SingleFlight
from provider_api.chains.chains import Chain

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0  # a neighbour that takes longer is away
KEPT_SECONDS = 3.0

Question = Callable[[], Awaitable[object]]


class IndexBehind(RuntimeError):
    """The index of a chain has not caught up for some rounds; the message says why."""


class Readiness:
    """`questions` by neighbour: what raises is not ready."""

    def __init__(self, questions: Mapping[str, Question]) -> None:
        self._questions = dict(questions)
        self._known: dict[str, str] = {}
        self._known_at = float("-inf")
        self._look = SingleFlight[None, None]()

    async def checks(self) -> dict[str, str]:
        """By neighbour "ok", or what is wrong; as known some seconds ago."""
        if time.monotonic() - self._known_at >= KEPT_SECONDS:
            await self._look.run(None, self._ask_all)
        return dict(self._known)

    async def close(self) -> None:
        await self._look.close()

    async def _ask_all(self) -> None:
        asked = (asyncio.wait_for(question(), LOOK_SECONDS) for question in self._questions.values())
        answers = await asyncio.gather(*asked, return_exceptions=True)
        self._known = {name: _said(name, answer) for name, answer in zip(self._questions, answers, strict=True)}
        self._known_at = time.monotonic()


def chain_question(chain: Chain) -> Question:
    """Whether a chain's node answers, and whether its assets are known."""

    async def ask() -> None:
        await chain.head()
        if trouble := chain.index_health.trouble:
            raise IndexBehind(trouble)

    return ask


def _said(name: str, answer: object) -> str:
    if not isinstance(answer, BaseException):
        return "ok"
    log.warning("not_ready", neighbour=name, error=type(answer).__name__)
    return f"assets are not up to date: {answer}" if isinstance(answer, IndexBehind) else "unavailable"
