"""Several Argo Servers as one. The first two characters of a workflow's name say which server has it.

An environment is a template on one server; a query about an environment goes there alone, one about an owner to all. A
server that is away hides its environments and makes errors of what is asked about its workflows, and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, aclosing, nullcontext
from dataclasses import replace
from typing import Final, Self

import structlog

from argo.client.client import ArgoClient
from argo.client.errors import ArgoError, ArgoUnavailable, WorkflowNotFound
from argo.client.records import FIRST_SERVER, NewWorkflow, Template, Workflow
from argo.client.seen import Heard, SeenWorkflows
from contract import names
from ocean.kit.together import together

log = structlog.get_logger(__name__)

Templates = list[Template]  # (inside the class, `list` is a method)
Workflows = list[Workflow]
Clients = list[ArgoClient]

TEMPLATES_SECONDS: Final = 3.0  # that one of several servers has to tell its templates


class ArgoServers:
    """The methods of ArgoClient, over one client or more, by two lower-case hex digits; "00" must be among them."""

    def __init__(self, clients: Mapping[str, ArgoClient]) -> None:
        if FIRST_SERVER not in clients:
            raise ValueError(f"no server {FIRST_SERVER}")
        self._clients = dict(sorted(clients.items()))
        self._homes: dict[str, str] = {}  # environment -> server, as last told
        self._doubled: set[str] = set()
        self._stack = AsyncExitStack()
        self.unreachable_servers: frozenset[str] = frozenset()  # which did not tell their templates when last asked

    async def __aenter__(self) -> Self:
        for client in self._clients.values():
            await self._stack.enter_async_context(client)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def warm_up(self) -> None:
        await together(*(client.warm_up() for client in self._clients.values()))

    async def watch(self) -> None:
        """One watch for each server, for ever. End it by cancelling."""
        await together(*(client.watch() for client in self._clients.values()))

    @property
    def watched(self) -> Mapping[str, SeenWorkflows]:
        """What is kept of each server's workflows, by the server's number."""
        return {number: client.seen_workflows for number, client in self._clients.items()}

    # --- one workflow ------------------------------------------------------------------------------------------------

    async def submit(self, new: NewWorkflow) -> Workflow:
        return await self._of(new.name).submit(new)

    async def get(self, name: str) -> Workflow:
        return await self._of(name).get(name)

    def seen(self, name: str) -> Workflow | None:
        """As `ArgoClient.seen`; None also for a name that no server has."""
        client = self._clients.get(name[:2])
        return None if client is None else client.seen(name)

    def listening(self, name: str, heard: Heard) -> AbstractContextManager[None]:
        """As `SeenWorkflows.listening`; nothing is heard of a name that no server has."""
        client = self._clients.get(name[:2])
        return nullcontext() if client is None else client.seen_workflows.listening(name, heard)

    def is_watched(self, name: str) -> bool:
        """Whether a watch tells who listens that the workflow has changed."""
        client = self._clients.get(name[:2])
        return client is not None and client.seen_workflows.alive

    async def stop(self, name: str) -> None:
        await self._of(name).stop(name)

    async def terminate(self, name: str) -> None:
        await self._of(name).terminate(name)

    async def resume(self, name: str) -> None:
        await self._of(name).resume(name)

    async def delete(self, name: str) -> None:
        await self._of(name).delete(name)

    async def follow_log(
        self, name: str, pod_template: str = names.ALGORITHM, *, follow: bool = True
    ) -> AsyncGenerator[str, None]:
        async with aclosing(self._of(name).follow_log(name, pod_template, follow=follow)) as lines:
            async for line in lines:
                yield line

    # --- many --------------------------------------------------------------------------------------------------------

    async def count(self, labels: Mapping[str, str], *, unfinished_only: bool = False) -> int:
        asked = self._asked(labels)
        return sum(await together(*(client.count(labels, unfinished_only=unfinished_only) for client in asked)))

    async def pages(
        self,
        labels: Mapping[str, str],
        *,
        limit: int | None = None,
        unfinished_only: bool = False,
        skip_unreachable: bool = False,
        nodes: bool = True,
    ) -> AsyncGenerator[list[Workflow], None]:
        """`skip_unreachable`: as with `list`."""
        left, asked, away = limit, self._asked(labels), 0
        for client in asked:
            try:
                async with aclosing(
                    client.pages(labels, limit=left, unfinished_only=unfinished_only, nodes=nodes)
                ) as pages:
                    async for page in pages:
                        yield page
                        left = None if left is None else left - len(page)
            except ArgoUnavailable as exc:
                away += 1
                if not skip_unreachable or away == len(asked):
                    raise
                log.warning("jobs_left_out", reason=exc.reason)
            if left is not None and left <= 0:
                return

    async def list(
        self,
        labels: Mapping[str, str],
        *,
        limit: int | None = 100,
        unfinished_only: bool = False,
        skip_unreachable: bool = False,
    ) -> list[Workflow]:
        """`skip_unreachable`: leave out what servers have that are away, as long as one answers; else that is
        ArgoUnavailable."""
        asked = self._asked(labels)
        questions = [client.list(labels, limit=limit, unfinished_only=unfinished_only) for client in asked]
        found = await self._of_all(skip_unreachable, questions)
        return sorted(found, key=lambda workflow: workflow.age, reverse=True)[:limit]

    async def brief(self, labels: Mapping[str, str], *, skip_unreachable: bool = False) -> Workflows:
        """`skip_unreachable`: as with `list`."""
        return await self._of_all(skip_unreachable, [client.brief(labels) for client in self._asked(labels)])

    @staticmethod
    async def _of_all(skip_unreachable: bool, questions: Sequence[Awaitable[Workflows]]) -> Workflows:
        answers = await asyncio.gather(*questions, return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        lenient = skip_unreachable and len(failures) < len(answers)
        for failure in failures:
            if not (lenient and isinstance(failure, ArgoUnavailable)):
                raise failure
            log.warning("jobs_left_out", reason=failure.reason)
        return [workflow for answer in answers if not isinstance(answer, BaseException) for workflow in answer]

    async def templates(self) -> Templates:
        """Of all servers that answer; `unreachable_servers` names the others. Raises ArgoError when none does.

        Of two environments with one name that of the lower number counts.
        """
        numbers = list(self._clients)
        answers = await asyncio.gather(*(self._templates_of(number) for number in numbers), return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        for failure in failures:
            if len(failures) == len(answers) or not isinstance(failure, ArgoError):
                raise failure
        found: dict[str, Template] = {}
        for number, answer in zip(numbers, answers, strict=True):
            for template in answer if not isinstance(answer, BaseException) else ():
                if template.name not in found:
                    found[template.name] = replace(template, server=number)
                elif template.name not in self._doubled:
                    self._doubled.add(template.name)
                    log.warning("environment_twice", environment=template.name, server=number)
        away = {n for n, answer in zip(numbers, answers, strict=True) if isinstance(answer, BaseException)}
        if away != self.unreachable_servers:
            log.warning("argo_servers_away", servers=sorted(away))
        self.unreachable_servers = frozenset(away)
        remembered = {name: home for name, home in self._homes.items() if home in away}
        self._homes = remembered | {template.name: template.server for template in found.values()}
        return list(found.values())

    async def _templates_of(self, number: str) -> Templates:
        if len(self._clients) == 1:
            return await self._clients[number].templates()
        try:
            async with asyncio.timeout(TEMPLATES_SECONDS):
                return await self._clients[number].templates()
        except TimeoutError:
            raise ArgoUnavailable("no answer in time", definite=True) from None

    def serves(self, name: str) -> bool:
        """Whether there is a server for workflows of that name; what others have nobody knows here."""
        return name[:2] in self._clients

    def _of(self, name: str) -> ArgoClient:
        """The server of a workflow. Raises WorkflowNotFound."""
        client = self._clients.get(name[:2])
        if client is None:
            raise WorkflowNotFound(name)
        return client

    def _asked(self, labels: Mapping[str, str]) -> Clients:
        """Those who may have workflows with these labels."""
        home = self._homes.get(labels.get(names.ENVIRONMENT, ""))
        return list(self._clients.values()) if home is None else [self._clients[home]]
