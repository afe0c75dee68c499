"""Nothing that was started together is left running, and failures come as they are."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import pytest

from ocean.kit.together import each_to_its_end, together

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[4]
PACKAGES = ("ocean", "contract", "results", "pods", "argo", "provider_api", "workflow_templates")


class Refused(Exception):
    pass


class Worker:
    """`ended`: how each piece of work has ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def fails(self, cause: Exception | None = None) -> int:
        await asyncio.sleep(0)
        raise Refused("no") from cause

    async def waits(self, turns: int = 3) -> str:
        try:
            for _ in range(turns):
                await asyncio.sleep(0)
            if turns > 100:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)  # an end may take its time
            self.ended.append("cancelled")
            raise
        self.ended.append("done")
        return "done"


async def test_outcomes_in_order() -> None:
    worker = Worker()
    assert await together(worker.waits(5), worker.waits(1)) == ("done", "done")
    assert await together() == ()
    assert await together(*(asyncio.sleep(0, number) for number in range(5))) == (0, 1, 2, 3, 4)
    assert await each_to_its_end(worker.waits(5), worker.waits(1)) == ["done", "done"]


async def test_a_failure_ends_the_others_and_comes_as_it_is() -> None:
    worker, cause = Worker(), ValueError("why")
    with pytest.raises(Refused) as raised:
        await together(worker.waits(1000), worker.fails(cause), worker.waits(1000))
    assert raised.value.__cause__ is cause
    assert worker.ended == ["cancelled", "cancelled"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_failure_before_the_others_have_begun() -> None:
    """They are closed without a warning, coroutines and futures alike."""

    async def at_once() -> int:
        raise Refused

    worker, waiting = Worker(), asyncio.get_running_loop().create_future()
    with pytest.raises(Refused):
        await together(at_once(), worker.waits(1000), waiting)
    assert worker.ended in ([], ["cancelled"])
    assert waiting.cancelled()


async def test_what_must_not_be_broken_off_ends() -> None:
    worker = Worker()
    with pytest.raises(Refused):
        await each_to_its_end(worker.waits(5), worker.fails(), worker.waits(50))
    assert worker.ended == ["done", "done"]


@pytest.mark.parametrize("how", [together, each_to_its_end])
async def test_cancelling_the_whole_cancels_all(how: object) -> None:
    worker = Worker()
    whole = asyncio.ensure_future(how(worker.waits(1000), worker.waits(1000)))  # type: ignore[operator]
    await asyncio.sleep(0.01)
    whole.cancel()
    with pytest.raises(asyncio.CancelledError):
        await whole
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert worker.ended == ["cancelled", "cancelled"]


def bare_gathers(text: str) -> list[int]:
    """Lines with a `gather` that would leave its siblings running."""
    return [
        call.lineno
        for call in ast.walk(ast.parse(text))
        if isinstance(call, ast.Call)
        and (call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")) == "gather"
        and isinstance(call.func, ast.Attribute | ast.Name)
        and (isinstance(call.func, ast.Name) or getattr(call.func.value, "id", "") == "asyncio")
        and not any(word.arg == "return_exceptions" for word in call.keywords)
    ]


def test_no_gather_leaves_siblings_behind() -> None:
    """`gather` only where it waits for all: everything else is `together`."""
    assert bare_gathers("import asyncio\nasync def f():\n    await asyncio.gather(a(), b())\n") == [3]
    assert bare_gathers("from asyncio import gather\nasync def f():\n    await gather(*c)\n") == [3]
    assert bare_gathers("await_ = asyncio.gather(a(), return_exceptions=True); facts.gather(x)") == []
    found = {
        str(path.relative_to(ROOT)): lines
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if (lines := bare_gathers(path.read_text("utf-8")))
    }
    assert found == {}
