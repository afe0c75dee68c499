"""The pages of jobs: what they show of whose job, and what may be done there."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from eth_account import Account

from contract import names
from contract.manifest import summary_of
from provider_api.endpoints.pages import jobs as pages
from provider_api.pages.job_view import run_again
from tests.support.provider_neighbours import STRANGER_KEY, World
from tests.support.signing_in import PAGE, signed_in
from tests.support.stored_results import store_files

pytestmark = pytest.mark.unit
EVIL = '"><img src=x onerror=alert(1)>'


async def started(world: World, nonce: int = 5) -> str:
    answer = await world.start(world.start_body(nonce))
    assert answer.status_code == 200, answer.text
    return str(answer.json()[0]["jobId"])


def finished(world: World, job: str, files: tuple[tuple[str, bytes, str], ...]) -> None:
    manifest = store_files(world.settings.data_folder / "results", job, files, created=int(time.time()))
    world.argo.finish(job, results=summary_of(manifest, manifest.encoded()).encoded())


async def test_a_job_is_its_owners_alone(world: World) -> None:
    job = await started(world)
    finished(world, job, (("out.csv", b"a,b\n", "output"),))
    paths = (f"/jobs/{job}", f"/jobs/{job}?part=live", f"/jobs/{job}/files/0")
    for path in paths:
        answer = await world.http.get(path)
        assert (answer.status_code, job[:12] in answer.text.replace(f'value="jobs/{job}"', "")) == (401, False), path
    await signed_in(world.http, Account.from_key(STRANGER_KEY))
    assert job[:12] not in (await world.http.get("/jobs/")).text
    for path in paths:
        answer = await world.http.get(path)
        assert (answer.status_code, "no such job" in answer.text, job in answer.text) == (404, True, False), path
    for verb in ("stop", "delete"):
        assert (await world.http.post(f"/jobs/{job}/{verb}", headers=PAGE)).status_code == 404
    assert job in world.argo.workflows
    await signed_in(world.http, world.consumer)
    assert job[:12] in (await world.http.get("/jobs/")).text
    assert [(await world.http.get(path)).status_code for path in paths] == [200, 200, 200]


async def test_a_job_that_waits_says_why(world: World) -> None:
    job = await started(world)
    await signed_in(world.http, world.consumer)
    page = (await world.http.get(f"/jobs/{job}")).text
    for text in ("Waiting for a place", "Place in the queue", "1, it is next", "Has waited", "Time left", "paid time"):
        assert text in page, text
    assert '<li class="waiting" aria-current="step">' in page
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in page
    assert "c2d run" not in page, "its algorithm was sent along, and only its sender has it"


async def test_results_are_listed_with_digests_and_delivered(world: World) -> None:
    job = await started(world)
    finished(world, job, (("out.csv", b"a,b\n", "output"), ("algorithm.log", b"read\nwrote\n", "algorithmLog")))
    await signed_in(world.http, world.consumer)
    page = (await world.http.get(f"/jobs/{job}")).text
    assert "Finished" in page
    assert f'href="{job}/files/0"' in page
    assert (await world.services.results.digests(world.argo.workflows[job], None))[0] in page
    assert "wrote" in page
    assert "refresh" not in page
    file = await world.http.get(f"/jobs/{job}/files/0")
    assert (file.content, file.headers["content-disposition"]) == (b"a,b\n", "attachment;filename=out.csv")
    assert file.headers["content-security-policy"].startswith("default-src 'none'")
    part = await world.http.get(f"/jobs/{job}/files/0", headers={"range": "bytes=0-0"})
    assert (part.status_code, part.content) == (206, b"a")
    for index in ("9", "-1", "x", "٣", "1" * 40):
        assert (await world.http.get(f"/jobs/{job}/files/{index}")).status_code == 404, index


async def test_what_strangers_write_stays_text(world: World) -> None:
    job = await started(world)
    notes = {names.ALGORITHM_DID: EVIL, names.INPUT_DIDS: '["\\"><img src=x onerror=alert(1)>"]'}
    labels = {names.ENVIRONMENT: EVIL}
    workflow = world.argo.workflows[job]
    changed = replace(workflow, annotations={**workflow.annotations, **notes}, labels={**workflow.labels, **labels})
    world.argo.workflows[job] = changed
    finished(world, job, ((EVIL, b"x", "output"), ("algorithm.log", EVIL.encode(), "algorithmLog")))
    await signed_in(world.http, world.consumer)
    for path in ("/jobs/", f"/jobs/{job}", f"/jobs/{job}?part=live", f"/jobs/{job}/files/{EVIL}", f"/jobs/{EVIL}"):
        text = (await world.http.get(path)).text
        assert "<img src=x" not in text, path
    file = await world.http.get(f"/jobs/{job}/files/0")
    assert file.headers["content-disposition"] == "attachment;filename=___img src=x onerror=alert(1)_"
    assert file.headers["x-content-type-options"] == "nosniff"


async def test_stop_and_delete(world: World) -> None:
    job = await started(world)
    await signed_in(world.http, world.consumer)
    stopped = await world.http.post(f"/jobs/{job}/stop", headers=PAGE)
    assert (stopped.status_code, stopped.headers["location"]) == (303, f"../{job}")
    assert world.argo.workflows[job].shutdown == "Stop"
    deleted = await world.http.post(f"/jobs/{job}/delete", headers=PAGE)
    assert (deleted.status_code, deleted.headers["location"]) == (303, "../")
    assert job not in world.argo.workflows


async def test_many_jobs_are_shown_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "EACH", 2)
    jobs = [await started(world, nonce) for nonce in (5, 6, 7)]
    await signed_in(world.http, world.consumer)
    first, second = [(await world.http.get("/jobs/", params={"page": page})).text for page in (1, 2)]
    assert [sum(job[:12] in text for job in jobs) for text in (first, second)] == [2, 1]
    assert "Page 1 of 2" in first
    assert 'href="?page=1"' in second
    for page in ("0", "x", "-1", "٣", "99999999"):
        assert (await world.http.get("/jobs/", params={"page": page})).status_code == 200


async def test_argo_has_a_page_of_it_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job = await started(world)
    await signed_in(world.http, world.consumer)
    assert "For operators" not in (await world.http.get(f"/jobs/{job}")).text
    argo = world.settings.argo.model_copy(update={"ui_url": "https://argo.example.org/ui/", "namespace": "jobs"})
    settings = world.settings.model_copy(update={"argo": argo})
    monkeypatch.setattr(type(world.services), "settings", settings)
    page = (await world.http.get(f"/jobs/{job}")).text
    assert f'href="https://argo.example.org/ui/workflows/jobs/{job}"' in page


async def test_while_argo_is_away_a_page_says_so(world: World) -> None:
    await signed_in(world.http, world.consumer)
    world.argo.away = True
    answer = await world.http.get("/jobs/")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "The compute service does not answer at the moment." in answer.text
    assert answer.headers["content-type"].startswith("text/html")


async def test_a_token_for_the_command_line(world: World) -> None:
    """Another one than the session's, good where that is good, and shown to who is signed in on our own page only."""
    for headers in ({}, {"sec-fetch-site": "cross-site"}):
        assert (await world.http.post("/jobs/token", headers=headers)).status_code == 403
    assert (await world.http.post("/jobs/token", headers=PAGE)).status_code == 401
    await signed_in(world.http, world.consumer)
    answer = await world.http.post("/jobs/token", headers=PAGE)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    (token,) = re.findall(r"<code>([\w.-]+\.[\w.-]+\.[\w.-]+)</code>", answer.text)
    assert token != world.http.cookies["c2d_session"]
    assert (await world.services.tokens.holder(token)).address == world.consumer.address.lower()
    await world.http.post("/sign-out", headers=PAGE)
    assert (await world.services.tokens.holder(token)).address == world.consumer.address.lower()


def test_the_command_that_runs_it_again() -> None:
    asked = {"datasets": ("did:op:1", "did:op:2"), "environment": "small"}
    assert run_again(SimpleNamespace(algorithm="did:op:3", **asked)) == "c2d run did:op:1 did:op:2 did:op:3 --env small"  # type: ignore[arg-type]
    assert run_again(SimpleNamespace(algorithm="", **asked)) == ""  # type: ignore[arg-type]
