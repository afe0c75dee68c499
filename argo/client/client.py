"""The client: what the service asks of Argo, whichever Argo Server answers.

All methods are async; the libraries below block, so they run in threads (`workers`). Errors and the policy about them
are in `errors`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Self

from cachetools import LRUCache

from argo.client.connection import Connection, Token
from argo.client.errors import ArgumentsMismatch, WorkflowFinished, WorkflowNotFound
from argo.client.logs import LogStream
from argo.client.parsing import Json, nodes_left_out, parse_template, parse_workflow
from argo.client.records import ARCHIVING, PERSISTED, NewWorkflow, Template, Workflow
from argo.client.seen import SeenWorkflows
from argo.client.selectors import selector_of
from argo.client.streaming import Streams
from argo.client.watch import PACE, Pace, WorkflowWatch
from argo.client.workers import Workers
from argo.naming import pod_name
from contract import names
from ocean.kit.kubernetes_names import is_label
from ocean.kit.together import together

PAGE: Final = 100  # workflows of one answer
BRIEF_PAGE: Final = 1000
ARCHIVED: Final = 300  # workflows that were in a list and come from the archive, kept with their nodes

Templates = list[Template]  # (inside the class, `list` is a method)
Workflows = list[Workflow]


class ArgoClient:
    """One Argo Server and one namespace. Open it once; `async with` closes it."""

    def __init__(
        self,
        url: str,
        namespace: str,
        token: Token = None,
        *,
        verify: bool | Path = True,
        timeout_seconds: float = 10.0,
        calls_at_once: int = 16,
    ) -> None:
        """Nothing is sent and no library is loaded yet. A token file is read again for each request."""
        self._connection = Connection(url, namespace, token, verify, timeout_seconds, calls_at_once)
        self._workers = Workers(self._connection)
        self._streams = Streams(self._connection)
        self._logs = LogStream(self._streams)
        self.seen_workflows = SeenWorkflows()
        self._kept: LRUCache[str, Workflow] = LRUCache(ARCHIVED)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def warm_up(self) -> None:
        """Load the libraries, about a second of imports, so that the first job need not wait for it."""
        await self._workers.submission()
        await self._workers.queries()

    async def close(self) -> None:
        await self._streams.close()
        self._workers.close()

    async def submit(self, new: NewWorkflow, *, declared: Collection[str] = names.ARGUMENTS) -> Workflow:
        """Create a workflow.

        `declared`: the template's arguments; others than these, or fewer, raise ArgumentsMismatch, as Argo would not.
        Raises WorkflowExists, SubmissionRefused (both definite), ArgoUnavailable (see its `definite`), and ValueError
        for a name or label that Kubernetes forbids or an argument that the controller would evaluate.
        """
        missing, unknown = set(declared) - set(new.arguments), set(new.arguments) - set(declared)
        if missing or unknown:
            raise ArgumentsMismatch(missing, unknown)
        if any("{{" in value for value in new.arguments.values()):
            raise ValueError("an argument contains {{, which the controller would evaluate")
        if not is_label(new.name) or not is_label(new.template):
            raise ValueError("not a name of a workflow or template")
        selector_of(new.labels)
        submission = await self._workers.submission()
        created = await self._workers.run(submission.create, new)
        return created if created is not None else await self.get(new.name)

    async def get(self, name: str, *, arguments: bool = False) -> Workflow:
        """The workflow as it is now, live or archived; with its arguments if asked. Raises WorkflowNotFound."""
        if not is_label(name):  # Argo would read "@latest" as something else
            raise WorkflowNotFound(name)
        queries = await self._workers.queries()
        with self.seen_workflows.reading(name) as reading:
            try:
                document = await self._workers.run(partial(queries.get, name, arguments=arguments))
            except WorkflowNotFound:
                self.seen_workflows.changed(name)
                raise
            workflow = parse_workflow(document)
            if not arguments:
                self.seen_workflows.keep(reading, document, workflow)
            return workflow

    def seen(self, name: str) -> Workflow | None:
        """What `get` has found a few seconds ago, if a watch says that it has not changed; None: use `get`. For who
        may learn of a change a moment late; nothing is decided by it."""
        return self.seen_workflows.find(name)

    async def watch(self, pace: Pace = PACE) -> None:
        """Watch all workflows that have an owner, for ever, so that `seen` has an answer. End it by cancelling."""
        queries = await self._workers.queries()
        since = partial(self._workers.run, queries.version_of_list, names.OWNER)
        await WorkflowWatch(self._streams, self.seen_workflows, since, pace).run()

    async def pages(
        self, labels: Mapping[str, str], *, limit: int | None = None, unfinished_only: bool = False, nodes: bool = True
    ) -> AsyncGenerator[list[Workflow], None]:
        """Workflows with these labels (at least one), live and archived, at most PAGE at a time; None: all of them.

        For more than anybody should hold. In Argo's order, from a cache that lags a little. Pages shift when workflows
        come and go meanwhile: one may appear twice, and one that has moved may be missed. Without `nodes` those that
        Argo leaves out of a list stay left out, which saves a call for each workflow that is archived.
        """
        async with aclosing(self._documents(labels, unfinished_only=unfinished_only, limit=limit)) as found:
            async for documents in found:
                if nodes:
                    whole = await together(*map(self._whole, documents))
                    yield [workflow for workflow in whole if workflow is not None]
                else:
                    yield [parse_workflow(document) for document in documents]

    async def _documents(
        self, labels: Mapping[str, str], *, unfinished_only: bool, limit: int | None = None, brief: bool = False
    ) -> AsyncGenerator[Sequence[Json], None]:
        """Argo's answers to one list, page by page."""
        selector, page = selector_of(labels, unfinished_only=unfinished_only), BRIEF_PAGE if brief else PAGE
        queries = await self._workers.queries()
        offset, left = "", limit
        while left is None or left > 0:
            size = page if left is None else min(page, left)
            ask = partial(queries.find, selector, limit=size, offset=offset, brief=brief)
            documents, offset = await self._workers.run(ask)
            yield documents
            if not offset:
                return
            left = None if left is None else left - len(documents)

    async def _whole(self, document: Json) -> Workflow | None:
        """A workflow of a list, with its nodes; None if it is gone meanwhile. One from the archive does not change any
        more, so it is asked for once."""
        workflow = parse_workflow(document)
        if not nodes_left_out(document):
            return workflow
        if (known := self._kept.get(workflow.uid)) is not None:
            return known
        try:
            found = await self.get(workflow.name)
        except WorkflowNotFound:
            return None
        if workflow.labels.get(ARCHIVING) == PERSISTED and found.uid == workflow.uid:
            self._kept[found.uid] = found
        return found

    async def list(
        self, labels: Mapping[str, str], *, limit: int | None = 100, unfinished_only: bool = False
    ) -> list[Workflow]:
        """The same at once, newest first; which ones a limit leaves out is up to Argo."""
        found: dict[str, Workflow] = {}
        async for page in self.pages(labels, limit=limit, unfinished_only=unfinished_only):
            found |= {workflow.uid or workflow.name: workflow for workflow in page}
        return sorted(found.values(), key=lambda workflow: workflow.age, reverse=True)

    async def brief(self, labels: Mapping[str, str]) -> Workflows:
        """All unfinished workflows with these labels, without nodes and annotations, in no order. Lags a little."""
        found: dict[str, Workflow] = {}
        async for documents in self._documents(labels, unfinished_only=True, brief=True):
            found |= {workflow.name: workflow for workflow in map(parse_workflow, documents)}
        return [*found.values()]

    async def count(self, labels: Mapping[str, str], *, unfinished_only: bool = False) -> int:
        """How many workflows have these labels (at least one). Lags a little."""
        selector = selector_of(labels, unfinished_only=unfinished_only)
        queries = await self._workers.queries()
        return await self._workers.run(queries.count, selector)

    async def stop(self, name: str) -> None:
        """Ask for the end; exit handlers run. Watch for the outcome. Raises WorkflowFinished, WorkflowNotFound."""
        queries = await self._workers.queries()
        await self._change(name, queries.stop)

    async def terminate(self, name: str) -> None:
        """Ask for the end without exit handlers. Raises WorkflowFinished, WorkflowNotFound."""
        queries = await self._workers.queries()
        await self._change(name, queries.terminate)

    async def resume(self, name: str) -> None:
        """End the wait of a workflow at a template of type suspend; no other changes. Raises WorkflowNotFound,
        WorkflowFinished."""
        queries = await self._workers.queries()
        await self._change(name, queries.resume)

    async def delete(self, name: str) -> None:
        """Remove the workflow, its pods and volume, and its record in the archive. Raises WorkflowNotFound."""
        workflow = await self.get(name)
        queries = await self._workers.queries()
        with self._changing(name):
            try:
                await self._workers.run(queries.delete, name)
            except WorkflowNotFound:
                if ARCHIVING not in workflow.labels:
                    raise
            if ARCHIVING in workflow.labels:
                try:
                    await self._workers.run(queries.delete_archived, name, workflow.uid)
                except WorkflowNotFound:
                    return  # not yet archived, and with the object gone it will not be

    async def templates(self) -> Templates:
        """All environments: the templates that bear the environment label, by name."""
        queries = await self._workers.queries()
        documents = await self._workers.run(queries.templates, names.ENVIRONMENT)
        return sorted((parse_template(document) for document in documents), key=lambda template: template.name)

    async def follow_log(
        self, name: str, pod_template: str = names.ALGORITHM, *, follow: bool = True
    ) -> AsyncGenerator[str, None]:
        """The lines of a step's newest pod, without Argo's own; until the pod ends if `follow`.

        Nothing when the step has no pod yet, or its pod is gone. Raises WorkflowNotFound, ArgoUnavailable.
        """
        workflow = await self.get(name)
        node = workflow.last_attempt(pod_template)
        if node is None or node.type != "Pod":
            return

        async def still_runs() -> bool:
            now = (await self.get(name)).last_attempt(pod_template)
            return now is not None and now.id == node.id and not now.final

        pod = pod_name(name, node.template, node.name)
        async with aclosing(self._logs.lines(name, pod, follow=follow, still_runs=still_runs)) as lines:
            async for line in lines:
                yield line

    async def version(self) -> str:
        """Argo Server's version. Says nothing about our token: Argo answers this to everybody."""
        queries = await self._workers.queries()
        return await self._workers.run(queries.version)

    async def _change(self, name: str, verb: Callable[[str], None]) -> None:
        if not is_label(name):
            raise WorkflowNotFound(name)
        try:
            with self._changing(name):
                await self._workers.run(verb, name)
        except WorkflowNotFound:
            if (await self.get(name)).finished:  # only its archived record is left
                raise WorkflowFinished(name) from None
            raise

    @contextmanager
    def _changing(self, name: str) -> Iterator[None]:
        """Around a call that changes a workflow: whatever becomes of it, what was read before its end is old."""
        self.seen_workflows.changed(name)
        try:
            yield
        finally:
            self.seen_workflows.changed(name)
