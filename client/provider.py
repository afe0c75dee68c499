"""The provider as commands call it: no answer is believed to have the right shape before it was looked at, and a call
whose nonce another command has used meanwhile is signed once more."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from client.answers import Environment, Job, Quotes, Root, required
from client.text import said_in
from ocean.client import Consumer, ConsumerError

NONCE_TRIES: Final = 12

T = TypeVar("T")


class Provider(Consumer):
    """As its parent; each call also raises Unreachable for an answer of another shape."""

    async def root(self) -> dict[str, Any]:
        return required(Root, await super().root(), self.url)

    async def environments(self, chain_id: int) -> list[dict[str, Any]]:
        answer = await self.call("computeEnvironments", query={"chainId": chain_id})
        # Ocean Provider answers a list where it serves one chain.
        listed = answer.get(str(chain_id), []) if isinstance(answer, dict) else answer
        return required(list[Environment], listed, self.url)

    async def initialize_compute(
        self, datasets: Sequence[Mapping[str, Any]], algorithm: Mapping[str, Any], environment: str, valid_until: int
    ) -> dict[str, Any]:
        answer = await super().initialize_compute(datasets, algorithm, environment, valid_until)
        return required(Quotes, answer, self.url)

    async def status(self, job_id: str | None = None) -> list[dict[str, Any]]:
        return required(list[Job], await super().status(job_id), self.url)

    async def results_from(self, job_id: str, index: int) -> dict[str, Any]:
        """The job again, with a long list of results from there."""
        query = {"consumerAddress": self.address, "jobId": job_id, "resultsFrom": index}
        (job,) = required(tuple[Job], await self.call("computeStatus", query=query), self.url)
        found: dict[str, Any] = job
        return found

    async def start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self.started(request)
        return required(list[Job], answer, self.url)[0] if answer else required(Job, {}, self.url)

    async def stop(self, job_id: str, document_id: str = "") -> list[dict[str, Any]]:
        stop = super().stop
        return required(list[Job], await signed_anew(lambda: stop(job_id, document_id)), self.url)

    async def delete(self, job_id: str, document_id: str = "") -> Any:
        delete = super().delete
        return await signed_anew(lambda: delete(job_id, document_id))

    async def create_token(self, expires: int) -> str:
        create = super().create_token
        return await signed_anew(lambda: create(expires))

    async def delete_token(self, token: str) -> None:
        delete = super().delete_token
        await signed_anew(lambda: delete(token))


async def signed_anew(call: Callable[[], Awaitable[T]]) -> T:
    """Make a signed call, again while its nonce turns out to be used. Raises as the call does."""
    for attempt in range(NONCE_TRIES - 1):
        try:
            return await call()
        except ConsumerError as exc:
            if not is_nonce_used(exc):
                raise
        await after_a_rival(attempt)
    return await call()


async def after_a_rival(attempt: int) -> None:
    """Wait, each command another while, so that several do not meet again."""
    await asyncio.sleep(random.uniform(0, 0.1 * 2 ** min(attempt, 5)))  # noqa: S311  (nothing secret)


def is_nonce_used(error: ConsumerError) -> bool:
    """Whether another request of the account came first, which every version says in these words."""
    return error.status in (400, 401) and "expected nonce" in said_in(error.body)
