"""Who has a place in an environment, who waits in Argo's queue for one, and who waits for the turn to join that queue.

An environment lets `max_jobs` compute at once: a semaphore of Argo's on the DAG `compute`. A workflow that waits for it
is written anew about once a second, for as long as it waits (docs/decisions/0043). So only one waits there, to have its
place at once when one gets free: `places_in_line`. A job that comes when there is one begins at the DAG `queued`, whose
first task `turn` is suspended: that costs nothing, and it is resumed when it is the job's turn (`turns`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from argo.client.records import Node, Workflow
from contract import names
from provider_api.environments.environment import Environment


@dataclass(frozen=True, slots=True)
class Line:
    """Before whom and behind whom a job waits, as far as is known: lists lag. `inside`: those that have a place.
    `before`: those that wait and are let in earlier; such as await their turn are without annotations."""

    inside: Sequence[Workflow]
    before: Sequence[Workflow]

    @property
    def place(self) -> int:
        """1 is next."""
        return 1 + len(self.before)


def places_in_line(environment: Environment) -> int:
    """How many jobs of an environment are left to Argo before they have computed: those that compute at once, and one
    more. Of several that wait Argo would choose the one that was made first, whoever's it is."""
    return environment.max_jobs + 1


def compute_node(job: Workflow) -> Node | None:
    """The node that needs the place; None as long as it is not made."""
    return job.node(names.COMPUTE if job.entrypoint == names.QUEUED else job.name)


def awaits_turn(job: Workflow) -> bool:
    """Whether it stands before Argo's queue, also when Argo has not looked at it yet."""
    turn = job.node(names.TURN)
    return job.entrypoint == names.QUEUED and not job.finished and (turn is None or not turn.final)


def is_in_line(job: Workflow) -> bool:
    """Whether it has a place, or waits in Argo's queue; one that has computed and is being published needs none."""
    node = compute_node(job)
    return not (job.finished or awaits_turn(job)) and (node is None or not node.final)


def in_turn(left_to_argo: Collection[Workflow], awaiting: Collection[Workflow]) -> list[Workflow]:
    """Those of an environment's jobs that await their turn, in its order. Whoever is among both does so no more.

    Accounts take turns: a job comes after all that have fewer jobs of their account before them, computing ones
    included. Of equals the older one comes first.
    """
    before = Counter(_account(job) for job in left_to_argo if is_in_line(job))
    gone = {job.name for job in left_to_argo}
    order: list[tuple[int, Workflow]] = []
    for job in sorted((job for job in awaiting if job.name not in gone), key=lambda job: job.age):
        order.append((before[_account(job)], job))
        before[_account(job)] += 1
    return [job for _, job in sorted(order, key=lambda item: (item[0], item[1].age))]


def _account(job: Workflow) -> str:
    return job.labels.get(names.OWNER, "")
