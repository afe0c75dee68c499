"""Each MUST of the profiles that a crate follows, for jobs that ended in different ways; and that a crate says no more
than the passport does.

The rows are the texts of RO-Crate 1.3, Process Run Crate 0.6 and, for the terms that are taken from it, Five Safes
RO-Crate 0.4, in our words. `tests/unit/records/test_crate_rocrate.py` reads crates with RO-Crate's own library.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.provenance import OrderedAsset
from records.crate import CONTEXT, CRATE_NAME, PROFILE, SPECIFICATION, LocalFile, crate_of
from records.passport import PASSPORT_NAME, JobFacts, ReleasedFile, Step, passport_of
from records.statement import Statement, StatementInvalid, Subject
from records.verify import read_passport
from tests.support.passports import ALGORITHM, DATASET, SIGNER, START, job_facts, passport_bytes

COMPLETED, FAILED = "http://schema.org/CompletedActionStatus", "http://schema.org/FailedActionStatus"
METRICS, LOG = "c" * 64, "d" * 64
SENT_ALONG = START.model_copy(update={"algorithm": None})


@dataclass(frozen=True, slots=True)
class Crate:
    encoded: bytes
    document: dict[str, Any]
    graph: list[dict[str, Any]]
    entities: Mapping[str, dict[str, Any]]
    passport: bytes

    @property
    def root(self) -> dict[str, Any]:
        return self.entities["./"]

    @property
    def action(self) -> dict[str, Any]:
        (found,) = self.of("CreateAction")
        return found

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [entity for entity in self.graph if kind in many(entity["@type"])]

    def get(self, reference: Any) -> dict[str, Any]:
        """What a single reference refers to."""
        assert set(reference) == {"@id"}
        return self.entities[reference["@id"]]


def many(value: Any) -> list[Any]:
    """Compacted JSON-LD has a single value without its list."""
    return value if isinstance(value, list) else [value]


def ids(value: Any) -> list[str]:
    return [each["@id"] for each in many(value)]


def crate(facts: JobFacts | None = None, names: Mapping[str, str] | None = None, **options: Any) -> Crate:
    """The crate of a job. `names`: what the caller calls a file, to its name in the passport; all files but the
    manifest if None."""
    passport = passport_bytes(facts)
    subjects = {each.name: each for each in read_passport(passport).statement.subjects}
    chosen = {name: name for name in subjects if name != "manifest.json"} if names is None else names
    files = {local: LocalFile(subjects[name], len(name)) for local, name in chosen.items()}
    encoded = crate_of(read_passport(passport).statement, passport, files, **options)
    document = json.loads(encoded)
    graph = document["@graph"]
    return Crate(encoded, document, graph, {each["@id"]: each for each in graph}, passport)


def filtered(phase: str) -> JobFacts:
    """A job whose results a filter has judged."""
    start, *_, end = (step.started for step in job_facts().steps)
    return job_facts(filtered=True, steps=(*job_facts().steps, Step("filtering", phase, start, end)))


JOBS = {
    "it went well": job_facts(),
    "its algorithm failed": job_facts(reason="algorithm_failed", exit_code=3, status=41),
    "nothing was provisioned": job_facts(
        provisioned=None, files=(), reason="data_unavailable", status=31, exit_code=None, steps=()
    ),
    "its algorithm was sent along": job_facts(start=SENT_ALONG),
    "its algorithm was sent along and not provisioned": job_facts(start=SENT_ALONG, provisioned=None),
    "a filter released": filtered("Succeeded"),
    "a filter withheld": job_facts(
        filtered=True, reason="filtered", status=41, steps=filtered("Failed").steps, files=()
    ),
    "nobody is known to have ordered it": job_facts(consumer=""),
    "the operator ordered it": job_facts(consumer=SIGNER),
    "its files have odd names": job_facts(files=(ReleasedFile("outputs/50% of a#b?.csv", METRICS, is_log=False),)),
}


def is_a_file_that_is_there(each: Crate, entity: Mapping[str, Any]) -> bool:
    """A relative URI that stays in the crate's folder."""
    plain = re.fullmatch(r"(?:[\w.~!$&'()*+,;=@/-]|%[0-9A-F]{2})+", entity["@id"])
    return bool(plain) and not entity["@id"].startswith("/") and ".." not in entity["@id"].split("/")


def is_a_time(text: Any) -> bool:
    return isinstance(text, str) and datetime.fromisoformat(text).tzinfo is not None


def is_flat(value: Any) -> bool:
    """No entity within another one: an object within an entity is a reference."""
    if isinstance(value, dict):
        return set(value) == {"@id"}
    return all(is_flat(each) for each in value) if isinstance(value, list) else True


MUSTS: dict[str, Callable[[Crate], bool]] = {
    # RO-Crate 1.3
    "the document is JSON-LD of the specification's context, in UTF-8": lambda it: (
        it.document["@context"] == list(CONTEXT)
        and CONTEXT[0] == f"{SPECIFICATION}/context"
        and bool(it.encoded.decode())
    ),
    "entities are flat below @graph, and refer to each other by @id alone": lambda it: all(
        is_flat(value) for entity in it.graph for value in entity.values()
    ),
    "every entity has an identifier and a type": lambda it: all(each["@id"] and each["@type"] for each in it.graph),
    "no two entities have one identifier": lambda it: len(it.entities) == len(it.graph),
    "there is a descriptor, a CreativeWork that is about the root": lambda it: (
        it.entities[CRATE_NAME]["@type"] == "CreativeWork" and it.get(it.entities[CRATE_NAME]["about"]) is it.root
    ),
    "the descriptor names one versioned specification": lambda it: (
        it.entities[CRATE_NAME]["conformsTo"] == {"@id": SPECIFICATION}
    ),
    "the root is a Dataset": lambda it: "Dataset" in many(it.root["@type"]),
    "the root has a name": lambda it: bool(it.root["name"]),
    "the root has a description": lambda it: bool(it.root["description"]),
    "the root has one date of publication, in ISO 8601": lambda it: is_a_time(it.root["datePublished"]),
    "the root has a licence, with a name and a description": lambda it: (
        it.get(it.root["license"]).keys() >= {"name", "description"}
    ),
    "the root's publisher is an organization or a person": lambda it: (
        it.get(it.root["publisher"])["@type"] in ("Organization", "Person")
    ),
    "a profile that the root conforms to is described, as a Profile": lambda it: (
        "Profile" in it.get(it.root["conformsTo"])["@type"]
    ),
    "a file is a relative URI within the crate": lambda it: all(is_a_file_that_is_there(it, f) for f in it.of("File")),
    "data entities are linked from the root by hasPart": lambda it: (
        {each["@id"] for kind in ("File", "Dataset") for each in it.of(kind)} == {"./", *ids(it.root["hasPart"])}
    ),
    "an application has a name, a URL and a version": lambda it: all(
        each["name"] and each["url"] and each["version"] for each in it.of("SoftwareApplication")
    ),
    "when an action ended is told in ISO 8601": lambda it: all(
        is_a_time(each[key]) for each in it.graph for key in ("startTime", "endTime") if key in each
    ),
    "an action's status is one of schema.org's": lambda it: all(
        each["actionStatus"] in (COMPLETED, FAILED) for each in (it.action, *it.of("AssessAction"))
    ),
    # Process Run Crate 0.6
    "the root refers to a CreativeWork at the profile's versioned permalink": lambda it: (
        it.root["conformsTo"] == {"@id": "https://w3id.org/ro/wfrun/process/0.6"}
        and "CreativeWork" in it.entities[PROFILE]["@type"]
    ),
    "the tool has a type": lambda it: it.get(it.action["instrument"])["@type"] == "SoftwareApplication",
    "the tool has an identifier": lambda it: bool(it.get(it.action["instrument"])["@id"]),
    "the execution has a type": lambda it: it.action["@type"] == "CreateAction",
    "the execution has an identifier of its own": lambda it: it.action["@id"] == f"#job-{'0' * 32}",
    "the execution names the tool that was executed": lambda it: len(ids(it.action["instrument"])) == 1,
    # Five Safes RO-Crate 0.4, of which only terms are taken
    "the specification is 1.2 or a later minor version": lambda it: (
        it.entities[CRATE_NAME]["conformsTo"]["@id"].rpartition("/")[2] in ("1.2", "1.3")
    ),
    "the root's identifier is ./": lambda it: it.entities[CRATE_NAME]["about"] == {"@id": "./"},
    "the root mentions the execution and every review": lambda it: (
        ids(it.root["mentions"]) == [it.action["@id"], *(each["@id"] for each in it.of("AssessAction"))]
    ),
    "a review's name tells its kind and its outcome": lambda it: all(
        re.fullmatch(r"(Sign-off|Disclosure check) .+: (approved|released|withheld)", each["name"])
        for each in it.of("AssessAction")
    ),
    "every result is a part of the crate": lambda it: (
        set(ids(it.action.get("result", []))) <= set(ids(it.root["hasPart"]))
    ),
}
# What the profiles only recommend, and a passport always can tell.
SHOULDS: dict[str, Callable[[Crate], bool]] = {
    "entities have a name": lambda it: all(each.get("name") for each in it.graph if each["@id"] != CRATE_NAME),
    "entities are reachable from the root": lambda it: (
        {each["@id"] for each in it.graph} - {CRATE_NAME, "./"}
        <= {found for each in it.graph for value in each.values() for found in references(value)}
    ),
    "a single value stands without a list": lambda it: all(
        not isinstance(value, list) or len(value) > 1 for each in it.graph for value in each.values()
    ),
    "the execution has a description and an end": lambda it: it.action.keys() >= {"name", "description", "endTime"},
    "an error is told of failures only": lambda it: ("error" in it.action) == (it.action["actionStatus"] == FAILED),
    "a review assesses the root, and has an agent with a name": lambda it: all(
        "./" in ids(each["object"]) and it.get(each["agent"])["name"] for each in it.of("AssessAction")
    ),
    "files have a digest": lambda it: all(re.fullmatch("[0-9a-f]{64}", each["sha256"]) for each in it.of("File")),
}


def references(value: Any) -> list[str]:
    return [each["@id"] for each in many(value) if isinstance(each, dict)]


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("must", MUSTS)
def test_a_crate_does_what_the_profiles_demand(must: str, job: str) -> None:
    assert MUSTS[must](crate(JOBS[job]))


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("should", SHOULDS)
def test_a_crate_does_what_the_profiles_recommend(should: str, job: str) -> None:
    assert SHOULDS[should](crate(JOBS[job]))


def test_conformance_to_five_safes_is_not_declared() -> None:
    assert ids(crate().root["conformsTo"]) == [PROFILE]


def test_the_action_is_the_job() -> None:
    found = crate()
    action = found.action
    assert action["instrument"] == {"@id": ALGORITHM}
    assert action["object"] == {"@id": DATASET}
    assert action["result"] == [{"@id": "logs/algorithm.log"}, {"@id": "outputs/metrics.json"}]
    assert action["agent"] == {"@id": "ethereum:0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"}
    assert action["startTime"] == "2026-11-30T12:00:00+00:00"
    assert action["endTime"] == found.root["datePublished"] == "2026-11-30T12:00:08+00:00"
    assert action["actionStatus"] == COMPLETED
    assert found.entities[DATASET]["description"].endswith("given to the job: 1.")
    assert found.entities[ALGORITHM]["version"] == "sha256:" + "4" * 64
    assert found.entities[ALGORITHM]["url"] == ALGORITHM


def test_files_have_what_is_known_of_them() -> None:
    found = crate(names={"metrics.json": "outputs/metrics.json", "logs/algorithm.log": "logs/algorithm.log"})
    assert found.entities["metrics.json"] == {
        "@id": "metrics.json",
        "@type": "File",
        "name": "metrics.json",
        "alternateName": "outputs/metrics.json",
        "description": "An output of the job.",
        "contentSize": "20",
        "sha256": METRICS,
    }
    assert found.entities["logs/algorithm.log"]["description"] == "A log of the job."
    assert "alternateName" not in found.entities["logs/algorithm.log"]


def test_the_passport_is_a_part_of_its_crate() -> None:
    found = crate()
    passport = found.entities[PASSPORT_NAME]
    assert passport["sha256"] == hashlib.sha256(found.passport).hexdigest()
    assert passport["contentSize"] == str(len(found.passport))
    assert passport["encodingFormat"] == "application/vnd.dsse.envelope.v1+json"
    assert found.get(passport["about"]) is found.action
    assert crate(passport_name="proof/of it.json").entities["proof/of%20it.json"]["sha256"] == passport["sha256"]


def test_only_files_that_the_caller_has_are_told() -> None:
    assert [each["@id"] for each in crate(names={}).of("File")] == [PASSPORT_NAME]
    assert "result" not in crate(names={}).action
    given = crate(names={"manifest.json": "manifest.json"})
    assert given.entities["manifest.json"]["sha256"] == "9" * 64
    statement = passport_of(job_facts())
    encoded = json.loads(crate_of(statement, b"", {"log": LocalFile(Subject("logs/algorithm.log", LOG))}))
    assert all("contentSize" not in each for each in encoded["@graph"] if each["@id"] == "log")


def test_the_same_passport_and_files_make_the_same_bytes() -> None:
    statement, passport = passport_of(job_facts()), passport_bytes()
    files = {each.name: LocalFile(each) for each in statement.subjects}
    turned = dict(reversed(files.items()))
    again = read_passport(passport).statement
    assert crate_of(statement, passport, files) == crate_of(again, passport, turned)
    assert crate().encoded.endswith(b"}\n")


IDENTIFIERS = {
    "a blank and a percent sign": ("Results and Diagrams/almost-50%.png", "Results%20and%20Diagrams/almost-50%25.png"),
    "international letters stand as they are": ("面试/größe.mp4", "面试/größe.mp4"),
    "what looks like a scheme": ("did:op:1.csv", "did%3Aop%3A1.csv"),
    "what looks like a drive": ("C:/x", "C%3A/x"),
    "a fragment and a query": ("a#b?c=d", "a%23b%3Fc=d"),
    "brackets, quotes and such": ('<a>{b}|^`"[c]', "%3Ca%3E%7Bb%7D%7C%5E%60%22%5Bc%5D"),
    "an escape of the manifest": ("a\\x0ab", "a%5Cx0ab"),
    "control characters": ("a\nb\x7f", "a%0Ab%7F"),
    "signs that turn text": ("a\u202eb", "a%E2%80%AEb"),
    "a byte that is no text": ("a\udcffb", "a%FFb"),
    "signs that stand as they are": ("a~b!c$d&e'f(g)h*i+j,k;l=m@n-o_p.q", "a~b!c$d&e'f(g)h*i+j,k;l=m@n-o_p.q"),
}


@pytest.mark.parametrize("what", IDENTIFIERS)
def test_names_become_identifiers_as_ro_crate_escapes_them(what: str) -> None:
    name, identifier = IDENTIFIERS[what]
    found = crate(names={name: "outputs/metrics.json"})
    assert ids(found.action["result"]) == [identifier]
    assert found.entities[identifier]["sha256"] == METRICS


@given(st.lists(st.text(st.characters(exclude_characters="/", codec="utf-8"), min_size=1), min_size=1, max_size=3))
def test_a_name_can_be_read_back_from_its_identifier(parts: list[str]) -> None:
    name = "/".join(parts)
    if name in (CRATE_NAME, PASSPORT_NAME) or {".", ".."} & set(parts):
        return
    (identifier,) = ids(crate(names={name: "outputs/metrics.json"}).action["result"])
    assert unquote(identifier) == name
    assert not set(identifier) & set(' <>"{}|\\^`#?:[]')


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../a", "a/../../b", "a//b", "a/", "./a", ".", "..", CRATE_NAME, PASSPORT_NAME]
)
def test_a_name_that_leaves_the_folder_or_is_taken_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"path below|one name"):
        crate(names={name: "outputs/metrics.json"})
    with pytest.raises(ValueError, match=r"path below|one name"):
        crate(names={PASSPORT_NAME: "outputs/metrics.json"}, passport_name=name)


def test_a_file_that_is_not_of_the_passport_is_refused() -> None:
    with pytest.raises(ValueError, match="not among"):
        crate_of(passport_of(job_facts()), b"", {"a": LocalFile(Subject("outputs/metrics.json", LOG))})


@pytest.mark.parametrize(
    ("reason", "exit_code", "error"),
    [
        ("algorithm_failed", 3, "algorithm_failed; exit code of the algorithm: 3"),
        ("data_unavailable", None, "data_unavailable"),
        ("asset_not_published", 0, "asset_not_published; exit code of the algorithm: 0"),
    ],
)
def test_a_job_that_is_not_completed_failed_for_its_reason(reason: str, exit_code: int | None, error: str) -> None:
    action = crate(job_facts(reason=reason, exit_code=exit_code)).action
    assert (action["actionStatus"], action["error"]) == (FAILED, error)


def test_an_algorithm_that_was_sent_along_is_its_digest() -> None:
    found = crate(job_facts(start=SENT_ALONG))
    algorithm = found.get(found.action["instrument"])
    assert algorithm["@id"] == algorithm["url"] == f"ni:///sha-256;{'RE' * 21}Q"
    assert algorithm["version"] == "sha256:" + "4" * 64
    unknown = crate(job_facts(start=SENT_ALONG, provisioned=None))
    algorithm = unknown.get(unknown.action["instrument"])
    assert (algorithm["@id"], algorithm["url"], algorithm["version"]) == ("#algorithm", PASSPORT_NAME, "not known")


def test_an_algorithm_without_files_has_the_version_of_its_document() -> None:
    provisioned = job_facts().provisioned
    assert provisioned is not None
    facts = job_facts(provisioned=provisioned.model_copy(update={"algorithm": ()}))
    assert crate(facts).entities[ALGORITHM]["version"] == "sha256:" + "6" * 64 + " (of its document)"


def test_inputs_that_were_not_provisioned_are_not_told_as_given() -> None:
    found = crate(JOBS["nothing was provisioned"])
    assert found.action["object"] == {"@id": DATASET}
    assert found.entities[DATASET]["description"].endswith("given to the job: 0.")
    assert found.entities[ALGORITHM]["version"] == "not known"


def test_nothing_of_an_input_is_in_a_crate() -> None:
    assert "3" * 64 not in crate().encoded.decode()
    assert all("sha256" not in each for each in crate().of("CreativeWork"))


def test_a_dataset_is_described_once_with_all_its_services() -> None:
    again = OrderedAsset(did=DATASET, service_id="more", chain_id=8996, order="")
    found = crate(job_facts(start=START.model_copy(update={"datasets": (*START.datasets, again)})))
    assert found.action["object"] == {"@id": DATASET}
    assert "Service more of this asset." in found.entities[DATASET]["description"]


def test_an_algorithm_that_is_ordered_as_a_dataset_too_stays_an_application() -> None:
    both = OrderedAsset(did=ALGORITHM, service_id="code", chain_id=8996, order="")
    found = crate(job_facts(start=START.model_copy(update={"datasets": (both,)})))
    assert found.action["object"] == found.action["instrument"] == {"@id": ALGORITHM}
    assert found.entities[ALGORITHM]["@type"] == "SoftwareApplication"


def test_the_sign_off_follows_the_policy() -> None:
    found = crate()
    (review,) = found.of("AssessAction")
    assert review["additionalType"] == {"@id": "https://w3id.org/shp#SignOff"}
    assert ids(review["object"]) == ["./", ALGORITHM, DATASET]
    assert found.get(review["agent"])["@id"] == f"ethereum:{SIGNER}"
    assert json.loads(found.get(review["instrument"])["description"]) == {
        "trustedLists": "all",
        "trustedListsEmpty": "allow",
        "requireChecksums": False,
    }
    assert "endTime" not in review


@pytest.mark.parametrize(
    ("phase", "status", "outcome"),
    [("Succeeded", COMPLETED, "released"), ("Failed", FAILED, "withheld"), ("Error", FAILED, "withheld")],
)
def test_a_filter_that_judged_is_a_disclosure_check(phase: str, status: str, outcome: str) -> None:
    _, review = crate(filtered(phase)).of("AssessAction")
    assert review["additionalType"] == {"@id": "https://w3id.org/shp#DisclosureCheck"}
    assert review["actionStatus"] == status
    assert review["name"].endswith(f": {outcome}")
    assert (review["startTime"], review["endTime"]) == ("2026-11-30T12:00:01+00:00", "2026-11-30T12:00:06+00:00")


@pytest.mark.parametrize("phase", ["Omitted", "Skipped", "Running", "Pending"])
def test_a_filter_that_did_not_judge_is_none(phase: str) -> None:
    assert len(crate(filtered(phase)).of("AssessAction")) == 1
    assert len(crate(job_facts(filtered=True)).of("AssessAction")) == 1
    assert len(crate(replace(filtered("Succeeded"), filtered=False)).of("AssessAction")) == 1


IMAGES = {
    "docker.io/library/python@sha256:" + "8" * 64: {
        "registry": "docker.io",
        "name": "library/python",
        "sha256": "8" * 64,
    },
    "python:3.12": {"name": "python", "tag": "3.12"},
    "team/tool": {"name": "team/tool"},
    "localhost/tool:1": {"registry": "localhost", "name": "tool", "tag": "1"},
    "registry.example:5000/a/b:1@sha256:" + "8" * 64: {
        "registry": "registry.example:5000",
        "name": "a/b",
        "tag": "1",
        "sha256": "8" * 64,
    },
}


@pytest.mark.parametrize("reference", IMAGES)
def test_an_image_is_told_as_far_as_its_reference_goes(reference: str) -> None:
    found = crate(job_facts(image=reference))
    image = found.get(found.action["containerImage"])
    told = {name: value for name, value in image.items() if name not in ("@id", "additionalType")}
    assert told == {"@type": "ContainerImage", **IMAGES[reference]}
    assert image["additionalType"] == {"@id": "https://w3id.org/ro/terms/workflow-run#DockerImage"}
    assert "containerImage" not in crate(job_facts(image="")).action


@pytest.mark.parametrize(
    "path",
    [
        "buildDefinition/externalParameters/consumer",
        "buildDefinition/internalParameters/policy",
        "buildDefinition/internalParameters/image",
        "buildDefinition/resolvedDependencies",
        "buildDefinition/resolvedDependencies/1/digest/sha256",
        "runDetails/builder",
        "runDetails/byproducts",
        "runDetails/metadata/finishedOn",
        "runDetails/metadata/c2d_reason",
        "runDetails/metadata/c2d_steps",
    ],
)
@pytest.mark.parametrize("value", [None, 7, ["x"]])
def test_a_passport_with_a_part_that_is_none_is_refused(path: str, value: Any) -> None:
    statement = passport_of(job_facts())
    predicate = json.loads(json.dumps(statement.predicate))
    *way, last = path.split("/")
    part: Any = predicate
    for name in way:
        part = part[int(name) if isinstance(part, list) else name]
    part[last] = value
    broken = Statement(statement.subjects, statement.predicate_type, predicate)
    with pytest.raises(StatementInvalid):
        crate_of(broken, b"", {})


def test_text_that_is_none_is_refused() -> None:
    with pytest.raises(StatementInvalid):
        crate_of(passport_of(job_facts(environment="\ud800")), b"", {})
