"""Stored workflows of other versions, and spoiled ones: each becomes Error with the reason, all others go on."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argo.local.rest import documents
from argo.local.rest.fields import Fields
from argo.local.workflows.cleanup import pods_of
from argo.local.workflows.controller import Controller
from tests.support.argo_controller import controlled, end, start, until
from tests.support.fake_pods import FakePods

pytestmark = pytest.mark.unit
Json = dict[str, Any]


async def under_way(folder: Path) -> FakePods:
    """Two stored workflows whose first pods run."""
    pods = FakePods(hold=True)
    async with controlled(folder, pods) as controller:
        for name in ("odd", "good"):
            await start(controller, name)
            await until(lambda name=name: _phase(controller, name) == "Running", "a pod runs")  # type: ignore[misc]
    return pods


def _phase(controller: Controller, name: str) -> str:
    nodes = controller.current(name).status.get("nodes", {}).values()
    return next((node["phase"] for node in nodes if node["type"] == "Pod"), "")


def edit(folder: Path, statement: str, *values: Any) -> None:
    db = sqlite3.connect(folder / "argo.db")
    with db:
        db.execute(statement, values)
    db.close()


def stored(folder: Path, column: str) -> Any:
    db = sqlite3.connect(folder / "argo.db")
    table = "content JOIN workflow USING (id)" if column in ("arguments", "template") else "workflow"
    text = db.execute(f"SELECT {column} FROM {table} WHERE name = 'odd'").fetchone()[0]  # noqa: S608
    db.close()
    return json.loads(text)


def put(folder: Path, column: str, value: Any) -> None:
    table = "content" if column in ("arguments", "template") else "workflow"
    odd = "(SELECT id FROM workflow WHERE name = 'odd')"
    edit(folder, f"UPDATE {table} SET {column} = ? WHERE id = {odd}", value)  # noqa: S608


def listed(controller: Controller) -> dict[str, Json]:
    """All workflows as a list shows them."""
    reader = controller.store.reader()
    try:
        rows, _ = reader.select((), (), limit=0, offset=0)
        shown = [documents.workflow(row, "jobs", reader.content, Fields("")) for row in rows]
    finally:
        reader.close()
    json.dumps(shown)
    return {item["metadata"]["name"]: item for item in shown}


async def taken_up(folder: Path, pods: FakePods) -> str:
    """Open a server on the folder: the good one ends well. Answers how the odd one ended, and its message."""
    pods.release()
    async with controlled(folder, pods) as controller:
        good = await end(controller, "good")
        assert good.status["phase"] == "Succeeded", good.status
        odd = await end(controller, "odd")
        pods_of(odd)
        shown = listed(controller)
        assert shown["odd"]["status"]["phase"] == odd.status["phase"]
        assert shown["good"]["status"]["phase"] == "Succeeded"
    async with controlled(folder, pods) as controller:  # and it stays like that
        assert controller.current("odd").status["phase"] == odd.status["phase"]
        await controller.delete("odd")
        assert set(listed(controller)) == {"good"}
    return f"{odd.status['phase']}: {odd.status.get('message', '')}"


def _with(path: str, value: Any) -> Any:
    """A change of a JSON document: the value at a path of dots; `*` is the first key there."""

    def change(document: Json) -> Json:
        here: Any = document
        *way, last = path.split(".")
        for part in way:
            here = here[next(iter(here)) if part == "*" else int(part) if isinstance(here, list) else part]
        here[int(last) if isinstance(here, list) else last] = value
        return document

    return change


@pytest.mark.parametrize(
    ("column", "change", "reason"),
    [
        ("template", _with("spec.futureField", {"a": 1}), "spec.futureField is not supported"),
        ("template", _with("spec.templates.0.steps", []), "is not supported"),
        ("template", _with("spec.templates", "none"), "spec.templates"),
        ("template", _with("spec", []), "template.spec is not an object"),
        ("template", _with("name", 7), "template.name is not a text"),
        ("arguments", _with("parameters", [{"name": "job-spec"}]), "value is not a text"),
        ("arguments", _with("parameters", []), "job-spec"),
        ("spec", _with("futureField", 1), 'unknown field "spec.futureField"'),
        ("spec", _with("workflowTemplateRef", "x"), "workflowTemplateRef must be an object"),
        ("spec", _with("shutdown", {}), "shutdown"),
        ("status", _with("phase", "Hibernating"), "status.phase is not known"),
        ("status", _with("phase", ["Running"]), "status.phase is not a text"),
        ("status", _with("startedAt", "yesterday"), "status.startedAt is not a time"),
        ("status", _with("nodes", []), "status.nodes is not an object"),
        ("status", _with("nodes.*.type", "Hologram"), "type is not known"),
        ("status", _with("nodes.*.templateName", "gone"), "does not belong to the stored template"),
        ("status", _with("nodes.*.children", [7]), "children is not a list of texts"),
        ("status", _with("nodes.*.startedAt", 7), "startedAt is not a time"),
        ("status", _with("persistentVolumeClaims", [{"name": "a"}]), "claimName is not a text"),
        ("status", _with("persistentVolumeClaims.0.persistentVolumeClaim.claimName", "../../etc"), "is not a name"),
        ("status", _with("synchronization", {"semaphore": {"holding": [{"semaphore": "x"}]}}), "names no semaphore"),
    ],
)
async def test_what_this_version_cannot_read_ends_with_the_reason(
    tmp_path: Path, column: str, change: Any, reason: str
) -> None:
    pods = await under_way(tmp_path)
    put(tmp_path, column, json.dumps(change(stored(tmp_path, column))))
    said = await taken_up(tmp_path, pods)
    assert said.startswith("Error: this version of the server cannot read the stored workflow: ")
    assert reason in said


@pytest.mark.parametrize("column", ["labels", "annotations", "spec", "status", "arguments", "template"])
@pytest.mark.parametrize(
    "value",
    ["", "{", "[]", "null", "7", '"text"', "NaN", '{"a": NaN}', "[" * 5000, '{"a": "\\ud800"}', b"\xff\xfe", b"\0"],
)
async def test_a_column_that_is_spoiled(tmp_path: Path, column: str, value: Any) -> None:
    pods = await under_way(tmp_path)
    put(tmp_path, column, value)
    said = await taken_up(tmp_path, pods)
    if (column, value) not in (("annotations", '{"a": "\\ud800"}'), ("arguments", '{"a": "\\ud800"}')):
        assert said.startswith(("Error: ", "Succeeded"))


@pytest.mark.parametrize(
    ("column", "value"),
    [("created", "soon"), ("created", 1e300), ("created", -1), ("version", "x"), ("generation", "x"), ("uid", b"\xff"),
     ("position", "x"), ("expires", "x")],
)  # fmt: skip
async def test_a_number_that_is_spoiled(tmp_path: Path, column: str, value: Any) -> None:
    pods = await under_way(tmp_path)
    put(tmp_path, column, value)
    await taken_up(tmp_path, pods)


@pytest.mark.parametrize("name", ["../odd", "..", "a/b", ""])
async def test_a_name_that_leads_elsewhere_touches_no_file_there(tmp_path: Path, name: str) -> None:
    data = tmp_path / "data"
    pods = await under_way(data)
    pods.release()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "kept").touch()
    edit(data, "UPDATE workflow SET name = ? WHERE name = 'odd'", name)
    async with controlled(data, pods) as controller:
        assert (await end(controller, name)).status["phase"] == "Error"
        await controller.delete(name)
        await end(controller, "good")
    assert (tmp_path / "odd" / "kept").exists()


async def test_the_pods_of_a_given_up_workflow_are_ended_and_its_nodes_stay(tmp_path: Path) -> None:
    pods = FakePods(hold=True)
    async with controlled(tmp_path, pods) as controller:
        await start(controller, "odd")
        await until(lambda: _phase(controller, "odd") == "Running", "its pod runs")
    put(tmp_path, "template", json.dumps(_with("spec.futureField", 1)(stored(tmp_path, "template"))))
    async with controlled(tmp_path, pods) as controller:
        odd = controller.current("odd")
        assert {node["phase"] for node in odd.status["nodes"].values()} == {"Error"}
        assert not list((tmp_path / "volumes").iterdir())
        assert all(pods.status(folder).state == "ended" for folder in pods.specs)


def _places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        found += _places(value, (*path, key))
    return found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(data=st.data(), column=st.sampled_from(["status", "template", "spec", "arguments", "labels"]))
async def test_whatever_becomes_of_one_document(
    tmp_path_factory: pytest.TempPathFactory, data: Any, column: str
) -> None:
    folder = tmp_path_factory.mktemp("data")
    pods = await under_way(folder)
    document = stored(folder, column)
    if not (places := _places(document)):
        return
    *way, last = data.draw(st.sampled_from(places))
    here = document
    for part in way:
        here = here[part]
    if data.draw(st.booleans()):
        del here[last]
    else:
        here[last] = data.draw(JSON)
    put(folder, column, json.dumps(document))
    await taken_up(folder, pods)
