"""What a rehearsal says and submits: sentences for every word, a published schema, the workflow that Hera makes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from hera.workflows import Workflow as HeraWorkflow
from hera.workflows import models as m

from argo.client.records import NewWorkflow
from argo.client.submission import _CreateRequest
from client.exits import Unusable
from contract import names
from ocean.ddo import DDO
from pods.publishing.told import Broken, Rule, Withheld, read_line
from provider_api.cli import app
from provider_api.cli.rehearsal.datasets import algorithm_document, made_document, read_datasets
from provider_api.cli.rehearsal.job import document_of
from provider_api.cli.rehearsal.program import problems_of, program_of
from provider_api.cli.rehearsal.report import Report, schema_text
from provider_api.cli.rehearsal.results import copy_out, require_free
from provider_api.cli.rehearsal.sentences import hints, sentence_of, sentence_of_rule
from provider_api.cli.rehearsal.telling import lines_of
from provider_api.cli.rehearsal.wanted import Wanted
from provider_api.jobs.status import JobStatus, Reason

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]


def test_the_schema_is_the_one_that_is_published() -> None:
    assert (ROOT / "docs/reference/try.schema.json").read_text() == schema_text(), "run: make render"


@pytest.mark.parametrize("reason", sorted(set(get_args(Reason)) - {""}))
def test_every_reason_has_a_sentence(reason: Reason) -> None:
    assert sentence_of(JobStatus(41, reason)).endswith(".")
    assert "the limit" in sentence_of(JobStatus(41, reason, detail="the limit"))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (1, "usual word"),
        (126, "cannot be executed"),
        (127, "not found"),
        (137, "memory"),
        (139, "SIGSEGV"),
        (42, "42."),
    ],
)
def test_what_exit_codes_mean(code: int, said: str) -> None:
    assert said in sentence_of(JobStatus(41, "algorithm_failed", code))


@pytest.mark.parametrize("rule", get_args(Rule))
def test_what_publishing_tells_of_rules_is_read_again(rule: Rule) -> None:
    broken = Broken(rule, 1234, 10, "outputs/ü {x}.csv")
    assert read_line(broken.line()) == broken
    assert "1,234" in sentence_of_rule(broken)
    unknown = Broken("share_of_inputs", 5, None)
    assert (read_line(unknown.line()), "none may" in sentence_of_rule(unknown)) == (unknown, True)


def test_other_lines_say_nothing_of_rules() -> None:
    assert read_line(Withheld("outputs/a", 3).line()) == Withheld("outputs/a", 3)
    for text in ("", "withheld", "withheld: the volume has no room for the copy that is judged", "withheld: []", "x"):
        assert read_line(text) is None


def test_the_workflow_is_as_hera_makes_it() -> None:
    arguments, labels = {names.ARG_IMAGE: "python@sha256:0", names.ARG_SECONDS: "3"}, {names.OWNER: "0x0"}
    new = NewWorkflow("a" * 32, "ocean-compute", arguments, labels, {names.IMAGE: "python"})
    built = HeraWorkflow(
        name=new.name,
        namespace="jobs",
        labels=dict(new.labels),
        annotations=dict(new.annotations),
        workflow_template_ref=m.WorkflowTemplateRef(name=new.template),
        arguments=dict(new.arguments),
    ).build()
    sent: dict[str, Any] = json.loads(_CreateRequest(workflow=built).model_dump_json(exclude_none=True, by_alias=True))
    assert document_of(new, "jobs") == sent


IMAGES = {
    ("a.py", None): ("python", "", "python $ALGO"),
    ("a.R", None): ("r-base", "", "Rscript $ALGO"),
    ("a.sh", None): ("debian", "", "sh $ALGO"),
    ("a.js", None): ("node", "", "node $ALGO"),
    ("program", None): ("debian", "", "$ALGO"),
    ("a.py", "acme/tool:1.2"): ("acme/tool", "1.2", "python $ALGO"),
    ("a.py", "registry:5000/acme/tool"): ("registry:5000/acme/tool", "", "python $ALGO"),
    ("a.py", "tool:1@sha256:" + "a" * 64): ("tool", "1", "python $ALGO"),
}


@pytest.mark.parametrize("given", IMAGES, ids=str)
def test_image_and_entrypoint(given: tuple[str, str | None]) -> None:
    program = program_of(Wanted(Path(given[0]), image=given[1]))
    found = program.container
    assert (found.image, found.tag, found.entrypoint) == IMAGES[given]
    assert problems_of(found) == []


def test_documents_are_documents(tmp_path: Path) -> None:
    container = program_of(Wanted(Path("a.py"))).container
    ddo = DDO.parse(algorithm_document(Path("a.py"), container))
    assert ddo.metadata is not None
    assert ddo.metadata.algorithm is not None
    assert (ddo.metadata.type, ddo.metadata.algorithm.container and ddo.metadata.algorithm.container.image) == (
        "algorithm",
        "python",
    )
    assert made_document("dataset", "x", "x")["id"] == made_document("dataset", "x", "y")["id"]
    (tmp_path / "odd\udcff name").write_bytes(b"")
    (dataset,) = read_datasets(Wanted(Path("a.py"), data=(tmp_path / "odd\udcff name",)))
    json.dumps(dataset.document).encode()


def test_nothing_is_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = Path("a.py")
    assert [copy_out(tmp_path, (), None, script).name for _ in range(2)] == ["c2d-try-a-1", "c2d-try-a-2"]
    (tmp_path / "c2d-try-a-1/x").write_text("mine")
    for taken in (Path("c2d-try-a-1"), Path("c2d-try-a-1/x")):
        with pytest.raises(Unusable, match="is there already"):
            require_free(taken)
    require_free(Path("c2d-try-a-2"))


def test_the_options_on_the_page_are_those_that_it_has() -> None:
    table = [line for line in (ROOT / "docs/how-to/try.md").read_text().splitlines() if line.startswith("| `--")]
    named = {option for line in table for option in re.findall(r"`(--[a-z-]+)`", line.split("|")[1])}
    command = typer.main.get_command(app).commands["try"]  # type: ignore[attr-defined]
    options = [each for each in command.params if each.param_type_name == "option"]
    assert named == {name for option in options for name in option.opts}


def test_hints() -> None:
    failed = JobStatus(41, "algorithm_failed", 1)
    said = ["PermissionError", "socket.gaierror: [Errno -3] Temporary failure in name resolution"]
    assert "no network" in hints(failed, said, "python", network=False, outputs=1)[0]
    assert hints(failed, said, "python", network=True, outputs=1) == []
    assert (
        "has no pandas"
        in hints(failed, ["ModuleNotFoundError: No module named 'pandas'"], "p", network=False, outputs=1)[0]
    )
    assert "has no dplyr" in hints(failed, ["there is no package called ‘dplyr’"], "r", network=False, outputs=1)[0]


def test_a_report_that_steers_no_terminal() -> None:
    refused = Report(verdict="refused", sentence="no.")
    assert list(lines_of(refused)) == ["✘ the job would be refused: no."]
    assert refused.exit_status(own=True) == 3
    assert Report(verdict="would_fail", sentence="", exit_code=7).exit_status(own=True) == 7
