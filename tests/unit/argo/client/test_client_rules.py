"""What the client refuses by itself, before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from argo.client import ArgoClient, ArgoUnavailable, ArgumentsMismatch, WorkflowNotFound
from argo.client.connection import Connection
from argo.client.logs import Stripper
from argo.client.records import NewWorkflow
from argo.client.selectors import selector_of
from contract import names
from tests.support.replay import recorded_rest

pytestmark = pytest.mark.unit

ARGUMENTS = dict.fromkeys(names.ARGUMENTS, "x")
NOWHERE = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("arguments", "missing", "unknown"),
    [
        ({name: "x" for name in names.ARGUMENTS[1:]}, {names.ARGUMENTS[0]}, set()),
        (ARGUMENTS | {"Image": "x"}, set(), {"Image"}),
        ({}, set(names.ARGUMENTS), set()),
    ],
)
async def test_arguments_are_exactly_the_declared(
    arguments: dict[str, str], missing: set[str], unknown: set[str]
) -> None:
    async with ArgoClient(NOWHERE, "jobs") as client:
        with pytest.raises(ArgumentsMismatch) as refused:
            await client.submit(NewWorkflow("j", "t", arguments, {"a": "b"}, {}))
    assert (refused.value.missing, refused.value.unknown) == (missing, unknown)


@pytest.mark.parametrize(
    ("name", "argument", "label"),
    [
        ("Upper", "x", "v"),
        ("j/../k", "x", "v"),
        ("j" * 64, "x", "v"),
        ("j", "{{=1+1}}", "v"),
        ("j", "a{{workflow.uid}}", "v"),
        ("j", "x", "a,b"),
        ("j", "x", "v" * 64),
    ],
)
async def test_what_kubernetes_forbids_or_the_controller_evaluates_is_refused(
    name: str, argument: str, label: str
) -> None:
    async with ArgoClient(NOWHERE, "jobs") as client:
        with pytest.raises(ValueError, match=r"argument|name|label"):
            await client.submit(NewWorkflow(name, "t", ARGUMENTS | {names.ARG_IMAGE: argument}, {"a": label}, {}))


@pytest.mark.parametrize("name", ["@latest", "../x", "", "a?b", "A"])
async def test_odd_names_are_not_found_without_asking(name: str) -> None:
    async with ArgoClient(NOWHERE, "jobs") as client:
        for call in (client.get, client.stop, client.terminate, client.delete):
            with pytest.raises(WorkflowNotFound):
                await call(name)


def test_a_query_always_has_a_label() -> None:
    with pytest.raises(ValueError, match="at least one"):
        selector_of({})
    with pytest.raises(ValueError, match="not a label"):
        selector_of({"a": "b,c!=d"})
    with pytest.raises(ValueError, match="not a label"):
        selector_of({"a in (b)": "c"})
    assert selector_of({names.OWNER: "0xab", "a": ""}) == f"a=,{names.OWNER}=0xab"
    assert selector_of({names.ENVIRONMENT: names.ANY, "a": "b"}) == f"a=b,{names.ENVIRONMENT}"
    assert selector_of({names.ENVIRONMENT: names.NONE, "a": "b"}) == f"a=b,!{names.ENVIRONMENT}"
    assert selector_of({"a": "b"}, unfinished_only=True) == "a=b,workflows.argoproj.io/completed!=true"


def test_tokens(tmp_path: Path) -> None:
    def header(token: object) -> str | None:
        return Connection("http://argo", "jobs", token).authorization()  # type: ignore[arg-type]

    assert header(None) is None
    assert header("abc") == "Bearer abc"
    assert header("Bearer abc") == "Bearer abc"
    assert header(lambda: "abc") == "Bearer abc"
    file = tmp_path / "token"
    with pytest.raises(ArgoUnavailable) as missing:
        header(file)
    assert missing.value.definite
    file.write_text("one\n")
    assert header(file) == "Bearer one"
    file.write_text("two\n")
    assert header(file) == "Bearer two"
    file.write_text("")
    with pytest.raises(ArgoUnavailable):
        header(file)


@pytest.mark.parametrize(("url", "namespace"), [("argo:2746", "jobs"), ("http:///x", "jobs"), ("http://argo", "a/b")])
def test_a_wrong_address_is_refused_at_once(url: str, namespace: str) -> None:
    with pytest.raises(ValueError, match=r"address|namespace"):
        Connection(url, namespace)


def test_argos_own_lines_are_taken_out_of_a_log() -> None:
    import json

    stream = recorded_rest()["log-follow"]["stream"]
    lines = [json.loads(text)["result"].get("content", "") for _, text in stream]
    strip = Stripper()
    kept = [line for line in lines if strip.keep(line)]
    assert kept == ["line 1", "err 1", "line 2", "err 2", "err 3", "line 3", "no newline"]


def test_a_programs_own_words_stay() -> None:
    strip = Stripper()
    lines = ["Error: exit status 3", "time=now level=INFO msg=mine", "argo=true", ""]
    assert [line for line in lines if strip.keep(line)] == lines
