"""RO-Crate's own library reads a crate of ours: the files, the action, and every term that it uses.

The library is `rocrate` (https://github.com/ResearchObject/ro-crate-py); it has RO-Crate's JSON-LD context with it and
asks no network.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from contract.provenance import StartRecord
from records.crate import CRATE_NAME, LocalFile, crate_of
from records.passport import PASSPORT_NAME, JobFacts, ReleasedFile, Step
from records.verify import read_passport
from tests.support.passports import ALGORITHM, DATASET, START, job_facts, passport_bytes

CONTENT = b"x,y\n1,2\n"
ODD_NAMES = ("outputs/Results and Diagrams/almost-50%.csv", "outputs/面试 größe.csv", "outputs/a:b#c?d[e].csv")
ALONE: StartRecord = START.model_copy(update={"algorithm": None})
JOBS = {
    "it went well": job_facts(),
    "its algorithm failed": job_facts(reason="algorithm_failed", exit_code=3, status=41),
    "nothing was provisioned": job_facts(provisioned=None, files=(), reason="data_unavailable", exit_code=None),
    "its algorithm was sent along": job_facts(start=ALONE),
    "its files have odd names": job_facts(files=[ReleasedFile(name, "c" * 64, is_log=False) for name in ODD_NAMES]),
    "a filter released": job_facts(
        filtered=True, steps=(*job_facts().steps, Step("filtering", "Succeeded", job_facts().created, None))
    ),
}
# The terms of https://w3id.org/ro/terms/workflow-run/context that a crate uses.
WORKFLOW_RUN = {"ContainerImage", "containerImage", "registry", "tag", "sha256"}


def written(folder: Path, facts: JobFacts) -> dict[str, LocalFile]:
    """The crate of a job with all its files, in a folder."""
    folder.mkdir(exist_ok=True)
    passport = passport_bytes(facts)
    statement = read_passport(passport).statement
    files = {each.name: LocalFile(each, len(CONTENT)) for each in statement.subjects if each.name != "manifest.json"}
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(CONTENT)
    (folder / PASSPORT_NAME).write_bytes(passport)
    (folder / CRATE_NAME).write_bytes(crate_of(statement, passport, files))
    return files


@pytest.mark.parametrize("job", JOBS)
def test_the_library_finds_every_file(job: str, tmp_path: Path) -> None:
    files = written(tmp_path, JOBS[job])
    crate = ROCrate(tmp_path)
    found = {Path(each.source).relative_to(tmp_path).as_posix(): each for each in crate.data_entities}
    assert set(found) == {*files, PASSPORT_NAME}
    assert all(each.type == "File" for each in found.values())
    assert {name: found[name]["sha256"] for name in files} == {
        name: file.subject.sha256 for name, file in files.items()
    }


@pytest.mark.parametrize("job", JOBS)
def test_the_library_reads_the_run(job: str, tmp_path: Path) -> None:
    files = written(tmp_path, JOBS[job])
    crate = ROCrate(tmp_path)
    assert crate.metadata.version == "1.3"
    assert crate.root_dataset["conformsTo"].id == "https://w3id.org/ro/wfrun/process/0.6"
    (action,) = crate.get_by_type("CreateAction")
    assert action["instrument"].type == "SoftwareApplication"
    assert (action["instrument"].id == ALGORITHM) == (JOBS[job].start.algorithm is not None)
    assert action["object"].id == DATASET
    assert action["agent"].type == "Person"
    results = action.get("result", [])
    assert len(results if isinstance(results, list) else [results]) == len(files)
    assert action in crate.root_dataset["mentions"]
    assert all(review["agent"].type == "Organization" for review in crate.get_by_type("AssessAction"))


@pytest.mark.parametrize("job", JOBS)
def test_the_library_writes_every_entity_and_file_again(job: str, tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    files = written(before, JOBS[job])
    ROCrate(before).write(after)
    assert {path.relative_to(after).as_posix() for path in after.rglob("*") if path.is_file()} == {
        *files,
        PASSPORT_NAME,
        CRATE_NAME,
    }
    first, second = (json.loads((folder / CRATE_NAME).read_bytes()) for folder in (before, after))
    assert by_id(second) == by_id(first)


@pytest.mark.parametrize("job", JOBS)
def test_every_term_is_one_of_the_contexts(job: str, tmp_path: Path) -> None:
    written(tmp_path, JOBS[job])
    known = json.loads(resources.files("rocrate").joinpath("data/ro-crate.jsonld").read_text("utf-8"))
    terms = set(next(part for part in as_list(known["@context"]) if isinstance(part, dict))) | WORKFLOW_RUN
    graph = json.loads((tmp_path / CRATE_NAME).read_bytes())["@graph"]
    used = {name for entity in graph for name in entity if not name.startswith("@")}
    used |= {kind for entity in graph for kind in as_list(entity["@type"])}
    assert used <= terms


def by_id(document: dict[str, list[dict[str, object]]]) -> dict[object, dict[str, list[object]]]:
    return {entity["@id"]: {name: as_list(value) for name, value in entity.items()} for entity in document["@graph"]}


def as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
