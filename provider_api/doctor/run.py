"""Runs the checks side by side, each within its time. Whatever happens to one becomes a line of that one alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from provider_api.doctor.lines import Item, Line
from provider_api.doctor.refusals import Forbidden, NoAnswer, Refused
from provider_api.doctor.surroundings import NotCheckable, Surroundings

Gather = Callable[[Surroundings], Awaitable[Sequence[Line]]]


@dataclass(frozen=True, slots=True)
class Check:
    """`items`: the kinds of lines that it makes, each at least once."""

    items: tuple[Item, ...]
    gather: Gather
    own_limit: Callable[[Surroundings], float] | None = None
    speaks_for_cluster: bool = False  # a failure when the API server does not answer; all others are not checked then

    def limit_seconds(self, around: Surroundings) -> float:
        return self.own_limit(around) if self.own_limit else around.options.limit_seconds


async def run_checks(checks: Sequence[Check], around: Surroundings) -> list[Line]:
    """The lines of all checks, in their order. When it is cancelled it waits until every check has cleaned up."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(_run(check, around)) for check in checks]
    return [line for task in running for line in task.result()]


async def _run(check: Check, around: Surroundings) -> Sequence[Line]:
    limit = check.limit_seconds(around)
    try:
        async with asyncio.timeout(limit):
            return await check.gather(around)
    except NotCheckable as exc:
        return [item.not_checked(str(exc)) for item in check.items]
    except Forbidden as exc:
        mend = "run the doctor with an identity that may, for example an administrator's kubeconfig"
        return [item.not_checked(str(exc), mend=mend) for item in check.items]
    except NoAnswer as exc:
        if not check.speaks_for_cluster:
            return [item.not_checked(str(exc)) for item in check.items]
        mend = "see to it that the API server can be reached and accepts you; `kubectl version` must work"
        return [item.failure(str(exc), mend=mend) for item in check.items]
    except Refused as exc:
        if exc.status in (429, 503):
            return [item.not_checked(str(exc), mend="the API server is busy: try again") for item in check.items]
        return [item.failure(str(exc), mend="see the API server's log") for item in check.items]
    except TimeoutError:
        mend = "a busy machine or a slow network? give more time with --limit"
        return [item.not_checked(f"nothing known after {limit:g} s", mend=mend) for item in check.items]
    except Exception as exc:  # noqa: BLE001  (its type alone: texts of strange errors may name secrets)
        mend = "a fault of the doctor, or an answer that it does not understand: please report it"
        return [item.failure(f"the check broke ({type(exc).__name__})", mend=mend) for item in check.items]
