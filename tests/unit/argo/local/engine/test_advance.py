"""The engine, step by step, with pods that do what the test says."""

from __future__ import annotations

from typing import Any

import pytest

from argo.local.engine.state import Run
from argo.local.workflows.semaphores import Semaphores
from tests.support.argo_engine import Story

pytestmark = pytest.mark.unit


def part(spec: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in spec["templates"] if item["name"] == name)
    return found


def to_algorithm(**given: Any) -> Story:
    return Story(**given).look().end("configuration(0)")


def test_success_from_start_to_end() -> None:
    story = Story().look()
    assert story.started == ["configuration(0)"]
    assert story.phases() == {"j": "Running", "configuration": "Running", "configuration(0)": "Pending"}
    story.see("configuration(0)", "starting")
    assert story.node("configuration(0)").message == "PodInitializing"
    story.see("configuration(0)", "running")
    assert story.node("configuration(0)").phase == "Running"
    story.end("configuration(0)")
    assert story.started == ["algorithm"]
    story.end("algorithm")
    assert (story.started, story.run.phase) == (["publishing(0)"], "Running")
    story.end("publishing(0)", results="[]")
    assert (story.run.phase, story.run.claims, story.run.message) == ("Succeeded", {}, "")
    assert story.node("publishing").outputs[0]["value"] == "[]"


def test_a_pass_can_be_repeated_without_effect() -> None:
    story = to_algorithm()
    before = story.run.status()
    story.look()
    assert story.run.status() == before
    assert story.started == ["algorithm"]  # not yet seen: its start is asked for again, which is harmless


def test_state_survives_its_own_json() -> None:
    story = to_algorithm().see("algorithm", "running")
    again = Run("j", "uid-1", "jobs", 0.0, story.run.spec, story.run.arguments)
    again.read_status(story.run.status())
    assert again.status() == story.run.status()


def test_a_failed_configuration_omits_the_algorithm_and_publishes() -> None:
    story = Story().look().end("configuration(0)", 31)
    assert story.node("configuration").message == "retryStrategy.expression evaluated to false"
    assert story.node("algorithm").message == "omitted: depends condition not met"
    story.end("publishing(0)")
    assert story.run.phase == "Failed"


def test_try_again_after_a_growing_pause_until_none_are_left() -> None:
    story = Story().look().end("configuration(0)", 75)
    assert (story.started, story.wake_at) == ([], story.now + 1)
    story.look(1)
    assert story.started == ["configuration(1)"]
    story.end("configuration(1)", 75)
    assert story.wake_at == story.now + 2
    story.look(2).end("configuration(2)", 75)
    assert story.node("configuration").message == "No more retries left"
    assert story.node("configuration").exit_code == 75


def test_lost_pods_are_tried_again_but_only_where_the_template_says_so() -> None:
    story = Story().look().end("configuration(0)", None, why="lost")
    assert (story.node("configuration(0)").phase, story.node("configuration(0)").message) == ("Error", "pod deleted")
    story.look(1).end("configuration(1)")
    story.end("algorithm", None, why="lost")
    assert (story.node("algorithm").phase, story.node("j").phase) == ("Error", "Error")
    assert story.started == ["publishing(0)"]


@pytest.mark.parametrize(
    ("why", "code", "phase", "message", "shown"),
    [
        ("exited", 0, "Succeeded", "", 0),
        ("exited", 3, "Failed", "main: Error (exit code 3)", 3),
        ("stopped", 143, "Failed", "main: Error (exit code 143)", 143),
        ("deadline", 143, "Failed", "Pod was active on the node longer than the specified deadline", 143),
        ("deadline", 137, "Failed", "Pod was active on the node longer than the specified deadline", 137),
        ("out_of_memory", None, "Failed", "main: OOMKilled (exit code 137)", 137),
        ("setup_failed", None, "Error", "no folder", None),
        ("init_failed", None, "Error", "no folder", None),
        ("lost", None, "Error", "pod deleted", None),
    ],
)
def test_how_a_pod_ends(why: str, code: int | None, phase: str, message: str, shown: int | None) -> None:
    node = to_algorithm().end("algorithm", code, why=why, message="no folder").node("algorithm")
    assert (node.phase, node.message, node.exit_code) == (phase, message, shown)


def test_stop_while_running() -> None:
    story = to_algorithm().see("algorithm", "running").stop()
    assert story.stopped == ["algorithm"]
    assert story.node("algorithm").message == "workflow shutdown with strategy:  Stop"
    assert story.started == ["publishing(0)"]
    story.end("algorithm", 143, why="stopped")
    assert (story.node("algorithm").message, story.node("algorithm").exit_code) == ("main: Error (exit code 143)", 143)
    story.end("publishing(0)")
    assert (story.run.phase, story.run.message) == ("Failed", "Stopped with strategy 'Stop'")


def test_a_killed_pod_after_stop_has_no_exit_code() -> None:
    story = to_algorithm().see("algorithm", "running").stop().end("algorithm", 137, why="stopped")
    assert story.node("algorithm").exit_code is None
    assert story.node("algorithm").message == "workflow shutdown with strategy:  Stop"


def test_stop_between_two_tries() -> None:
    story = Story().look().end("configuration(0)", 75).stop()
    assert (story.node("configuration").phase, story.node("configuration").message) == (
        "Failed",
        "Stopped with strategy 'Stop'",
    )
    assert not story.has("configuration(1)")
    assert story.started == ["publishing(0)"]


def test_stop_before_the_first_look() -> None:
    story = Story().stop()
    assert story.node("j").phase == "Failed"
    assert story.started == ["publishing(0)"]


def test_stop_while_publishing_changes_nothing() -> None:
    story = to_algorithm().end("algorithm").see("publishing(0)", "running").stop()
    assert story.stopped == []
    story.end("publishing(0)")
    assert (story.run.phase, story.run.message) == ("Succeeded", "")


def test_terminate_publishes_nothing() -> None:
    story = to_algorithm().see("algorithm", "running").stop("Terminate")
    assert (story.run.phase, story.run.message) == ("Failed", "Stopped with strategy 'Terminate'")
    assert not story.has("publishing")


def test_terminate_while_publishing_ends_as_recorded() -> None:
    story = to_algorithm().end("algorithm").see("publishing(0)", "running").stop("Terminate")
    assert story.stopped == ["publishing(0)"]
    assert story.phases()["j.onExit"] == "Running"
    assert (story.phases()["publishing"], story.run.phase) == ("Failed", "Succeeded")


def test_a_pod_that_cannot_start_waits_until_its_deadline() -> None:
    story = to_algorithm(seconds="15").pending("algorithm", "ErrImagePull: no")
    assert (story.node("algorithm").phase, story.node("algorithm").message) == ("Pending", "ErrImagePull: no")
    assert story.wake_at == story.now + 15
    story.look(15)
    assert story.node("algorithm").message == "Pod was active on the node longer than the specified deadline"


def test_pending_timeout_is_a_limit_of_its_own() -> None:
    story = to_algorithm(name="rec-pending").pending("algorithm", "ErrImagePull: no")
    assert story.wake_at == story.now + 12
    story.look(12)
    assert (story.node("algorithm").phase, story.node("algorithm").message) == ("Failed", "timeout")


def test_a_filter_that_refuses_is_told_to_publishing() -> None:
    story = to_algorithm(name="rec-filter").end("algorithm").end("filtering", 10)
    assert story.node("publishing").inputs == {"release": "Failed"}
    story.end("publishing(0)")
    assert story.run.phase == "Succeeded"


def test_a_missing_output_is_an_error_of_the_step() -> None:
    from argo.local.engine.step import Observation
    from argo.local.pods.runtime import PodEnd, PodStatus

    story = to_algorithm().end("algorithm")
    end = PodEnd("exited", 0, "", 1.0, 2.0)
    status = PodStatus("ended", end=end)
    story.seen[story.node("publishing(0)").id] = Observation(status, missing="/tmp/results.json")
    story.look()
    assert story.node("publishing(0)").phase == "Error"


def test_when_skips_a_task() -> None:
    def change(spec: dict[str, Any]) -> None:
        part(spec, "compute")["dag"]["tasks"][1]["when"] = "'{{workflow.parameters.network}}' == public"

    story = to_algorithm(change=change)
    assert (story.node("algorithm").phase, story.node("algorithm").type) == ("Skipped", "Skipped")
    assert story.node("j").phase == "Succeeded"
    other = to_algorithm(change=change, network="public")
    assert other.node("algorithm").phase == "Pending"


def test_two_branches_join() -> None:
    def change(spec: dict[str, Any]) -> None:
        tasks = part(spec, "compute")["dag"]["tasks"]
        tasks.append({"name": "left", "template": "algorithm", "depends": "configuration"})
        tasks.append({"name": "last", "template": "algorithm", "depends": "left.Succeeded && algorithm.Failed"})

    story = to_algorithm(change=change)
    assert sorted(story.started) == ["algorithm", "left"]
    story.end("left").end("algorithm", 1)
    assert story.started == ["last"]
    assert story.node("last").id in story.node("left").children
    assert story.node("last").id in story.node("algorithm").children
    story.end("last")
    assert story.node("j").phase == "Succeeded"  # its last task decides


class TestQueue:
    def stories(self, limit: int) -> tuple[Semaphores, list[Story]]:
        locks = Semaphores(lambda name, key: limit)
        return locks, [Story(locks=locks, workflow=f"w{n}", created_at=float(n)) for n in range(3)]

    def test_waiting_and_its_words(self) -> None:
        _, (one, two, _) = self.stories(1)
        one.look()
        two.look()
        root = two.node("w1")
        assert root.message == "Waiting for jobs/ConfigMap/c2d-limits/small lock. Lock status: 0/1"
        assert two.run.status()["synchronization"]["semaphore"]["waiting"][0]["holders"] == ["jobs/w0/w0"]
        one.end("configuration(0)").end("algorithm")
        assert one.run.status()["synchronization"]["semaphore"]["holding"] == [
            {"semaphore": "jobs/ConfigMap/c2d-limits/small"}
        ]
        two.look()
        assert (root.phase, root.message, two.started) == ("Pending", "", ["configuration(0)"])

    def test_the_oldest_goes_first(self) -> None:
        locks, (one, two, three) = self.stories(1)
        for story in (one, three, two):
            story.look()
        assert locks.release("w0") == ["w2", "w1"]
        three.look()
        assert three.node("w2").waiting
        two.look()
        assert not two.node("w1").waiting

    def test_a_stop_is_obeyed_while_waiting(self) -> None:
        _, (one, two, _) = self.stories(1)
        one.look()
        two.look().stop()
        assert (two.node("w1").phase, two.node("w1").message) == ("Failed", "Stopped with strategy 'Stop'")
        assert two.started == ["publishing(0)"]

    def test_terminate_while_waiting_ends_at_once(self) -> None:
        _, (one, two, _) = self.stories(1)
        one.look()
        two.look().stop("Terminate")
        assert two.run.phase == "Failed"

    def test_a_semaphore_that_is_not_defined_is_an_error(self) -> None:
        story = Story(locks=Semaphores(lambda name, key: None)).look()
        assert story.node("j").phase == "Error"
        assert "c2d-limits/small" in story.node("j").message


class TestTurn:
    """A workflow that begins with a suspended step, before the DAG that has the semaphore."""

    def story(self, locks: Semaphores | None = None, workflow: str = "j", created_at: float = 0.0) -> Story:
        story = Story("rec-queued", locks=locks, workflow=workflow, created_at=created_at, entrypoint="queued")
        return story.look()

    def test_it_waits_until_it_is_resumed(self) -> None:
        story = self.story()
        assert (story.phases(), story.started) == ({"j": "Running", "turn": "Running"}, [])
        before = story.run.status()
        assert story.look(1000).run.status() == before
        assert (before["progress"], "synchronization" in before, story.wake_at) == ("0/0", False, None)
        assert story.resume().started == ["configuration(0)"]
        assert story.phases() | {"configuration(0)": ""} == {
            "j": "Running",
            "turn": "Succeeded",
            "compute": "Running",
            "configuration": "Running",
            "configuration(0)": "",
        }
        story.end("configuration(0)").end("algorithm")
        assert (story.node("compute").phase, story.node("j").phase) == ("Succeeded", "Succeeded")
        assert story.end("publishing(0)", results="[]").run.phase == "Succeeded"

    def test_its_place_is_that_of_the_dag_inside(self) -> None:
        locks = Semaphores(lambda name, key: 1)
        first = Story(locks=locks, workflow="w0").look()
        story = self.story(locks, "w1", 1.0).resume()
        inside = story.node("compute")
        assert inside.message == "Waiting for jobs/ConfigMap/c2d-limits/small lock. Lock status: 0/1"
        assert (inside.phase, story.node("w1").phase) == ("Pending", "Running")
        first.end("configuration(0)").end("algorithm")
        story.look()
        assert story.run.status()["synchronization"]["semaphore"]["holding"] == [
            {"semaphore": "jobs/ConfigMap/c2d-limits/small", "holders": [f"jobs/w1/{inside.id}"]}
        ]
        later = Story(locks=locks, workflow="w2", created_at=2.0).look()
        story.end("configuration(0)")
        assert later.look().node("w2").waiting
        story.end("algorithm")
        assert story.run.phase == "Running", "it publishes"
        assert not later.look().node("w2").waiting

    @pytest.mark.parametrize("strategy", ["Stop", "Terminate"])
    def test_an_end_needs_no_resumption(self, strategy: str) -> None:
        story = self.story().stop(strategy)
        assert (story.node("turn").phase, story.node("turn").message) == (
            "Failed",
            f"Stopped with strategy '{strategy}'",
        )
        assert story.node("compute").message == "omitted: depends condition not met"
        assert story.started == (["publishing(0)"] if strategy == "Stop" else [])
        if strategy == "Stop":
            story.end("publishing(0)", results="[]")
        assert (story.run.phase, story.run.message) == ("Failed", f"Stopped with strategy '{strategy}'")

    def test_a_stop_after_it_is_resumed_is_obeyed_while_it_waits(self) -> None:
        locks = Semaphores(lambda name, key: 1)
        Story(locks=locks, workflow="w0").look()
        story = self.story(locks, "w1", 1.0).resume().stop()
        assert (story.node("compute").phase, story.started) == ("Failed", ["publishing(0)"])

    def test_each_state_survives_its_own_json(self) -> None:
        locks = Semaphores(lambda name, key: 1)
        first = Story(locks=locks, workflow="w0").look()
        story = self.story(locks, "w1", 1.0)

        def same() -> None:
            again = Run("w1", "uid-1", "jobs", 1.0, story.run.spec, story.run.arguments)
            again.read_status(story.run.status())
            assert again.status() == story.run.status()
            assert again.lock == story.run.lock or again.lock is None or again.lock.held is False

        same()
        story.resume()
        same()
        first.end("configuration(0)").end("algorithm")
        story.look()
        same()
        story.end("configuration(0)").end("algorithm")
        same()


def test_a_stored_step_whose_template_is_of_another_kind_ends() -> None:
    """A document that another version wrote, or somebody changed: nothing would ever carry such a step on."""
    story = Story().look().see("configuration(0)", "running")

    def without_tries(spec: dict[str, Any]) -> None:
        del part(spec, "configuration")["retryStrategy"]

    story.run.spec = Story(change=without_tries).run.spec
    story.look()
    assert story.node("configuration").phase == "Error"
    assert "the stored node is a Retry" in story.node("configuration").message
    story.end("publishing(0)", results="[]")
    assert (story.run.phase, story.run.finished_at is not None) == ("Error", True)
