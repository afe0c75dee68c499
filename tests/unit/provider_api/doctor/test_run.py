"""One check's trouble stays its own; where facts are missing, lines say so; nothing secret is said."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kubernetes.config.incluster_config as incluster
import pytest
from rich.console import Console

from provider_api.doctor.checks import CHECKS, ITEMS, service
from provider_api.doctor.checks.cluster import _outside_second
from provider_api.doctor.checks.threads import in_thread
from provider_api.doctor.cluster import NoCluster, Right, open_cluster
from provider_api.doctor.lines import Item, Level, Line
from provider_api.doctor.refusals import Forbidden, NoAnswer, Refused
from provider_api.doctor.report import as_json, show
from provider_api.doctor.run import Check, run_checks
from provider_api.doctor.surroundings import NotCheckable, Options, Surroundings
from provider_api.settings import load_settings

pytestmark = pytest.mark.unit

ONE, TWO = (Item(name, f"the {name}", "something", "mend it") for name in ("one", "two"))


def around(tmp_path: Path, limit_seconds: float = 60, **settings: str) -> Surroundings:
    named = {"C2D_DATA_FOLDER": str(tmp_path / "data"), **settings}
    return Surroundings(load_settings(named), Options(limit_seconds=limit_seconds), None, "no cluster here")


def raising(error: Exception) -> Check:
    async def gather(around: Surroundings) -> Sequence[Line]:
        raise error

    return Check((ONE, TWO), gather)


@pytest.mark.parametrize(
    ("error", "level", "found"),
    [
        (NotCheckable("no cluster"), Level.NOT_CHECKED, "no cluster"),
        (Forbidden("this identity may not: x"), Level.NOT_CHECKED, "this identity may not: x"),
        (NoAnswer("no answer"), Level.NOT_CHECKED, "no answer"),
        (Refused(500), Level.FAILURE, "the API server answered 500"),
        (Refused(429), Level.NOT_CHECKED, "the API server answered 429"),
        (RuntimeError("the key is hunter2"), Level.FAILURE, "the check broke (RuntimeError)"),
        (KeyError("hunter2"), Level.FAILURE, "the check broke (KeyError)"),
    ],
)
async def test_a_check_that_goes_wrong(tmp_path: Path, error: Exception, level: Level, found: str) -> None:
    async def fine(around: Surroundings) -> Sequence[Line]:
        return [ONE.ok("well")]

    lines = await run_checks([raising(error), Check((ONE,), fine)], around(tmp_path))
    assert [(line.name, line.level, line.found) for line in lines] == [
        ("one", level, found),
        ("two", level, found),
        ("one", Level.OK, "well"),
    ]
    assert "hunter2" not in as_json(lines)


async def test_a_blocking_check_ends_with_its_time(tmp_path: Path) -> None:
    async def slow(around: Surroundings) -> Sequence[Line]:
        await in_thread(held.wait, 600)
        ended.append(1)
        return []

    held, ended = threading.Event(), list[int]()
    (line,) = await run_checks([Check((ONE,), slow)], around(tmp_path, 0.2))
    assert (line.level, line.found) == (Level.NOT_CHECKED, "nothing known after 0.2 s")
    assert "--limit" in line.mend
    assert not ended
    held.set()


async def test_ended_checks_clean_up_before_the_end(tmp_path: Path) -> None:
    cleaned = []

    async def check(around: Surroundings) -> Sequence[Line]:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            cleaned.append(1)
        return []

    patient = Surroundings(load_settings({}), Options(limit_seconds=60), None)
    running = asyncio.ensure_future(run_checks([Check((ONE,), check), Check((TWO,), check)], patient))
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert cleaned == [1, 1]


async def test_errors_of_threads_come_back() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)


async def test_each_kind_of_line_is_there_on_a_machine_without_anything(tmp_path: Path) -> None:
    elsewhere = around(tmp_path, C2D_ARGO__URL="http://127.0.0.1:9")
    lines = await run_checks([check for check in CHECKS if service.versions.ARGO not in check.items], elsewhere)
    assert {line.level for line in lines} == {Level.NOT_CHECKED}
    assert [line.name for line in await run_checks(CHECKS, around(tmp_path))] == [item.name for item in ITEMS]
    assert not (tmp_path / "data").exists()


def test_names_are_unique() -> None:
    assert len({item.name for item in ITEMS}) == len(ITEMS)


async def test_a_database_that_cannot_be(tmp_path: Path) -> None:
    url = "sqlite:////nowhere/service.sqlite"
    database, migrations = await service._database(around(tmp_path, C2D_STORAGE__URL=url))
    assert (database.level, database.found) == (Level.FAILURE, "there is no such file")
    assert migrations.level is Level.NOT_CHECKED


@pytest.mark.parametrize(
    "url", ["ftp://somewhere/else", "s3://", "ipfs+http://127.0.0.1:5001", "file:///nowhere/results"]
)
async def test_stores_that_cannot_be(tmp_path: Path, url: str) -> None:
    (line,) = await service._store(around(tmp_path, C2D_RESULTS__URL=url))
    assert line.level is Level.FAILURE
    assert not os.path.exists("/nowhere")  # noqa: ASYNC240  (a test)


@pytest.mark.parametrize(("difference", "outside"), [(0.0, 0.0), (0.9, 0.0), (1.5, 0.5), (-0.5, -0.5), (61.0, 60.0)])
def test_a_date_without_fractions_is_a_whole_second(difference: float, outside: float) -> None:
    assert _outside_second(1000.0 + difference, 1000.0) == pytest.approx(outside)


def test_the_identity_of_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    for name, content in (("SERVICE_TOKEN_FILENAME", "token"), ("SERVICE_CERT_FILENAME", "certificate")):
        (tmp_path / name).write_text(content)
        monkeypatch.setattr(incluster, name, str(tmp_path / name))
    cluster: Any = open_cluster(None, None, 5)
    assert cluster._configuration.host == "https://10.96.0.1:443"
    with pytest.raises(NoCluster) as problem:
        open_cluster(None, "a-context", 5)
    assert problem.value.asked_for


@pytest.mark.parametrize(("context", "asked_for"), [(None, False), ("a-context", True)])
def test_without_the_client_of_kubernetes(
    monkeypatch: pytest.MonkeyPatch, context: str | None, asked_for: bool
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.raises(NoCluster, match=r"pip install 'compute-to-data\[doctor\]'") as problem:
        open_cluster(None, context, 5)
    assert problem.value.asked_for is asked_for


def test_rights_as_text() -> None:
    assert str(Right("get", "pods/log", "jobs")) == "get pods/log in jobs"
    assert str(Right("get", "nodes/proxy", "")) == "get nodes/proxy"


def test_the_report() -> None:
    unknown = [TWO.not_checked("why"), ONE.not_checked("why")]
    lines = [ONE.ok("well", "a"), *unknown, TWO.failure("bad [red]text[/red]", "b")]
    document = json.loads(as_json(lines))
    assert document["exit_code"] == 1
    assert document["counts"] == {"ok": 1, "warning": 0, "failure": 1, "not checked": 2}
    assert document["lines"][3] == {
        "name": "two",
        "what": "the two",
        "subject": "b",
        "level": "failure",
        "found": "bad [red]text[/red]",
        "expected": "something",
        "mend": "mend it",
    }
    output = io.StringIO()
    show(lines, Console(file=output, width=120))
    text = output.getvalue()
    assert "two, one" in text  # not checked for one reason
    assert "bad [red]text[/red]" in text  # what was found is never markup
    assert "to mend: mend it" in text
    assert "1 ok, 1 failure, 2 not checked." in text
