"""How long a job may have to wait: a range that holds, as far as anything is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from nacl.public import PrivateKey

from argo.client.records import NewWorkflow, Node, Workflow
from contract import names
from provider_api.environments.environment import Environment
from provider_api.jobs.live.waiting import place_of
from provider_api.jobs.places import Line
from tests.support import provider_facts as facts
from tests.support.provider_neighbours import just_created

pytestmark = pytest.mark.unit

NOW = 1_800_000_000.0
LONGEST = 600


def environment(places: int) -> Environment:
    key = PrivateKey.generate().public_key
    return Environment("env", facts.ENVIRONMENT_ADDRESS, key, max_jobs=places, max_job_duration=LONGEST)


def job(number: int, *, began: float | None = None, paid: float = 0) -> Workflow:
    """`began`: so many seconds ago its algorithm; `paid`: for so many more."""
    notes = {names.VALID_UNTIL: str(int(NOW + paid))} if paid else {}
    made = just_created(NewWorkflow(f"{number:032x}", "env", {}, {}, notes))
    if began is None:
        return made
    moment = datetime.fromtimestamp(NOW, UTC) - timedelta(seconds=began)
    node = Node("a", "a", names.ALGORITHM, "Pod", names.ALGORITHM, "Running", "", None, moment, None, {})
    return replace(made, nodes=(node,))


@pytest.mark.parametrize(
    ("places", "inside", "before", "most"),
    [
        (2, [], [], 0),
        (2, [{"began": 100}], [], 0),
        (1, [{"began": 100}], [], 500),
        (1, [{"began": 100, "paid": 50}], [], 50),
        (1, [{}], [], 600),  # its algorithm has not begun
        (1, [{"began": 700}], [], 0),  # may end at any moment
        (1, [{"began": 100}], [{}], 1100),
        (1, [{"began": 100}], [{"paid": 700}], 700),
        (1, [{"began": 100}], [{"paid": 300}], 500),  # it will not run at all
        (2, [{"began": 100}, {"began": 500}], [{}], 500),
        (2, [{"began": 100}, {"began": 500}], [{}, {}], 700),
        (1, [{"began": 100}, {"began": 500}], [], 100),  # one more than there are places: lists lag
        (1, [{"began": 98.5}], [], 505),  # rounded upwards
    ],
)
def test_the_most_that_it_takes(
    places: int, inside: list[dict[str, Any]], before: list[dict[str, Any]], most: int
) -> None:
    line = Line([job(n, **one) for n, one in enumerate(inside)], [job(n + 50, **one) for n, one in enumerate(before)])
    told = place_of(line, environment(places), NOW)
    assert told == {"place": len(before) + 1, "lowSeconds": 0, "highSeconds": most}


def test_where_nothing_is_known() -> None:
    assert place_of(Line([], [job(1)]), None, NOW) == {"place": 2, "lowSeconds": None, "highSeconds": None}
