"""Kills, each of one process at a random moment, while owners decide: nothing leaves early, nothing released is lost,
and nothing waits for ever.

One hundred in `make soak`, twenty otherwise. Each job has a fate: its owner releases it, refuses it, trusts its
algorithm, or says nothing. Whoever asks repeats the question until there is an answer.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import httpx
import pytest

from ocean.client import Consumer, ConsumerError
from ocean.ddo import DDO
from records.trust import Trust
from tests.support.chain import publisher as publisher_account
from tests.support.data_owner import DataOwner
from tests.support.killer import Killer
from tests.support.lanes import size
from tests.support.markers import marker
from tests.support.owners import Owner
from tests.support.service import Buyer, Service
from tests.support.stages import assert_nothing_left, at_last, request_for, start_at_last

pytestmark = pytest.mark.integration

ROUNDS: Final = size(test=20, soak=100)
PATIENCE_SECONDS: Final = 240
SILENT_SECONDS: Final = 60  # the shortest deadline that there is
TRUSTED: Final = marker("trusted")
Fate = Literal["released", "refused", "trusted", "silent"]
FATES: Final[tuple[Fate, ...]] = ("released", "refused", "trusted", "released", "refused", "silent")


def code_of(text: str) -> str:
    return f"import os, time; time.sleep(0.2); open(os.environ['OUTPUTS'] + '/answer', 'w').write({text!r}); print(1)"


@dataclass
class Life:
    """One job, what its output is, and what its owner does."""

    job: str
    text: str
    fate: Fate
    may_leave: bool = False
    end: tuple[int, str] = (0, "")
    problems: list[str] = field(default_factory=list)


class Lives:
    """Starts jobs one after the other and sees each of them through, while somebody kills."""

    def __init__(self, buyer: Buyer, holder: Owner, dataset: DDO, hasty: DDO, folder: Path) -> None:
        """`hasty`: the dataset whose owner says nothing until its short deadline; for the other one there is time."""
        self._buyer, self._holder, self._dataset, self._hasty, self._folder = buyer, holder, dataset, hasty, folder
        self._fetched = itertools.count()
        # Nonces of an account have to rise, so each account does one thing after the other, however often it asks.
        self._consumers_turn, self._owners_turn = asyncio.Lock(), asyncio.Lock()

    async def until(self, over: asyncio.Event) -> list[Life]:
        seen: list[Life] = []
        async with asyncio.TaskGroup() as group:
            for fate in itertools.cycle(FATES):
                if over.is_set() and len(seen) >= len(FATES):
                    break
                text = TRUSTED if fate == "trusted" else marker("answer")
                dataset = self._hasty if fate == "silent" else self._dataset
                async with self._consumers_turn:
                    request = await at_last(partial(request_for, self._buyer, dataset, code_of(text)))
                    job = (await start_at_last(self._buyer, request, PATIENCE_SECONDS))["jobId"]
                seen.append(Life(job, text, fate, may_leave=fate == "trusted"))
                group.create_task(self._see_through(seen[-1]))
        return seen

    async def trust(self) -> None:
        """A first job, on whose sight the owner trusts its algorithm."""
        request = await request_for(self._buyer, self._dataset, code_of(TRUSTED))
        job = (await self._buyer.consumer.start(request))["jobId"]
        await self._waits_or_ends(job)
        shown = (await self._holder.show(job)).json()
        now = int(time.time())
        trust = Trust(shown["program"], self._dataset.id, self._holder.account.address, now, now + 86_400, job)
        answer = await self._holder.put_trust(trust)
        assert answer.status_code == 200, answer.text

    async def _see_through(self, life: Life) -> None:
        job = await self._waits_or_ends(life.job)
        if "held" in job and life.fate in ("released", "refused"):
            await self._nothing_is_out(life, "while it waits")
            life.may_leave = life.fate == "released"
            await self._decided(life)
        elif "held" in job and life.fate == "silent":
            await self._nothing_is_out(life, "while nobody decides")
        job = await self._buyer.finished(life.job, PATIENCE_SECONDS + SILENT_SECONDS)
        life.end = job["status"], job["reason"]
        if life.end == (70, "completed"):
            async with self._consumers_turn:
                got = await at_last(lambda: self._answer(job))
            if not life.may_leave or got != life.text.encode():
                life.problems.append(f"{got!r} came out")
        else:
            await self._nothing_is_out(life, f"as it ended {life.end}")

    async def _waits_or_ends(self, job_id: str) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                job = await self._buyer.job(job_id)
                if job is not None and ("held" in job or job["dateFinished"] is not None):
                    return job
                await asyncio.sleep(0.05)

    async def _decided(self, life: Life) -> None:
        """Sent until it is answered, with the same decision; some answers are lost on their way."""
        async with self._owners_turn:
            shown = await at_last(lambda: self._asked(self._holder.show(life.job)))
        decision = self._holder.decision(shown, self._dataset.id, released=life.fate == "released")
        after = await at_last(lambda: self._asked(self._holder.put(life.job, decision)))
        if after["standing"] != life.fate:
            life.problems.append(f"decided {life.fate}, stands {after['standing']}")

    async def _asked(self, answer: Any) -> Any:
        found: httpx.Response = await answer
        if found.status_code != 200:
            raise ConsumerError(found.status_code, found.text, found.headers)
        return found.json()

    async def _answer(self, job: dict[str, Any]) -> bytes:
        return await self._buyer.result(job, "answer", self._folder)

    async def _nothing_is_out(self, life: Life, when: str) -> None:
        for index in range(6):
            target = self._folder / f"try{next(self._fetched)}"
            try:
                async with self._consumers_turn:
                    await self._buyer.consumer.result(life.job, index, target)
            except (ConsumerError, httpx.TransportError):
                continue
            if life.text.encode() in target.read_bytes():
                life.problems.append(f"result {index} came out {when}")


@pytest.fixture
async def lives(service: Service, buyer: Buyer, owner: DataOwner, tmp_path: Path) -> AsyncIterator[Lives]:
    dataset, hasty = [
        await buyer.publish(
            owner.serve("5,6\n").url,
            compute={"allowRawAlgorithm": True},
            release={"approval": "owner", "approvalSeconds": seconds},
        )
        for seconds in (3_600, SILENT_SECONDS)
    ]
    async with httpx.AsyncClient() as http, Consumer(service.url, publisher_account) as consumer:
        yield Lives(buyer, Owner(service.url, publisher_account, http, consumer), dataset, hasty, tmp_path)


@pytest.mark.timeout(1800)
async def test_kills_while_owners_decide(service: Service, lives: Lives) -> None:
    await lives.trust()
    killer, over = Killer(service, ROUNDS), asyncio.Event()
    living = asyncio.create_task(lives.until(over))
    await killer.run()
    over.set()
    seen = await living
    print(len(seen), "jobs;", killer.hits, Counter((life.fate, life.end) for life in seen))

    assert {life.job: life.problems for life in seen if life.problems} == {}
    rights: dict[Fate, tuple[int, str]] = {
        "released": (70, "completed"),
        "refused": (41, "refused"),
        "trusted": (70, "completed"),
        "silent": (41, "refused"),
    }
    killed = killer.jobs_hit  # its algorithm may have died with its pod
    wrong = {life.job: (life.fate, life.end) for life in seen if life.end != rights[life.fate]}
    assert {job: said for job, said in wrong.items() if job not in killed} == {}
    assert all(end[0] == 41 for _, end in wrong.values()), wrong
    await assert_nothing_left(service.folder)
