"""The operator's description of an environment: what it accepts, and that a wrong one is refused by field."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from contract import names
from workflow_templates.environment import Environment, EnvironmentInvalid, read_environment, read_environments
from workflow_templates.parts import KEEP_SECONDS, Filter, Publication, StepPods, Toleration
from workflow_templates.template import workflow_template

pytestmark = pytest.mark.unit

SMALLEST = """
id = "small"
description = "A small one"
cpu_number = 1
ram_gb = 1
disk_gb = 1
price_per_minute = "0.25"
max_job_duration = 60
max_jobs = 1
max_queued_jobs = 0
storage_expiry = 0
"""


def described(folder: Path, text: str, name: str = "small") -> Environment:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return read_environment(path)


def test_the_shipped_environments_are_one_free_and_one_paid() -> None:
    prices = {environment.id: environment.price for environment in read_environments()}
    assert prices == {"ocean-compute": Decimal(0), "ocean-compute-paid": Decimal("0.1")}


def test_the_smallest_description_has_defaults(tmp_path: Path) -> None:
    environment = described(tmp_path, SMALLEST)
    assert environment.allowed_chains == ()
    assert environment.results == "shared-volume"
    assert environment.price == Decimal("0.25")
    assert environment.record_seconds == KEEP_SECONDS  # results are kept for ever, so is their record


def test_the_first_of_the_shipped_environments_is_free() -> None:
    """Some clients take the first that is announced."""
    first, *others = sorted(read_environments(), key=lambda environment: environment.position)
    assert first.price == 0
    assert all(first.position < other.position for other in others)


@pytest.mark.parametrize(
    ("jobs", "queued", "most"), [(1, 0, 1), (1, 2, 1), (1, 7, 2), (4, 50, 13), (4, 100, 26), (10_000, 100_000, 27_500)]
)
def test_one_account_has_a_quarter_of_the_places_unless_it_is_said(
    tmp_path: Path, jobs: int, queued: int, most: int
) -> None:
    text = SMALLEST.replace("max_jobs = 1", f"max_jobs = {jobs}").replace("queued_jobs = 0", f"queued_jobs = {queued}")
    assert described(tmp_path, text).jobs_per_account == most
    said = described(tmp_path, text + "max_jobs_per_account = 3")
    assert said.jobs_per_account == 3
    announced = workflow_template(said)["metadata"]["annotations"]
    assert (announced[names.option("max_jobs_per_account")], announced[names.option("position")]) == ("3", "100")


def test_the_record_outlives_the_results(tmp_path: Path) -> None:
    environment = described(tmp_path, SMALLEST.replace("storage_expiry = 0", "storage_expiry = 86400"))
    assert environment.record_seconds > 86400


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("max_jobs = 1", "max_jobs = 1\nmaxjobs = 2", "maxjobs"),
        ("max_jobs = 1", 'max_jobs = "1"', "max_jobs"),
        ("max_jobs = 1", "max_jobs = 0", "max_jobs"),
        ("max_jobs = 1", "max_jobs = 1\nmax_jobs_per_account = 0", "max_jobs_per_account"),
        ("max_jobs = 1", "max_jobs = 1\nposition = -1", "position"),
        ("max_jobs = 1", 'max_jobs = 1\nposition = "1"', "position"),
        ('"0.25"', "0.25", "price_per_minute"),
        ('"0.25"', '"1e3"', "price_per_minute"),
        ('"0.25"', '"-1"', "price_per_minute"),
        ("ram_gb = 1", "ram_gb = 0", "ram_gb"),
        ("A small one", "{{workflow.name}}", "description"),
        ("storage_expiry = 0", "storage_expiry = 0\nallowed_chains = [0]", "allowed_chains"),
        ("storage_expiry = 0", "storage_expiry = 0\ngpu_number = 1", "gpu_number"),
        ("storage_expiry = 0", 'storage_expiry = 0\nresults = "ftp"', "results"),
        ("storage_expiry = 0", 'storage_expiry = 0\n[steps]\nmemory = "512MB"', "steps.memory"),
        ("storage_expiry = 0", 'storage_expiry = 0\n[steps]\nmemory = "500m"', "steps.memory"),
        ("storage_expiry = 0", 'storage_expiry = 0\n[steps]\ncpu = "1Gi"', "steps.cpu"),
        ("storage_expiry = 0", 'storage_expiry = 0\nephemeral_storage = "0"', "ephemeral_storage"),
        ("storage_expiry = 0", "storage_expiry = 0\nconsumer_address = 'me'", "consumer_address"),
        ("storage_expiry = 0", "storage_expiry = ", "Invalid value"),
    ],
)
def test_a_wrong_description_is_refused_by_field(tmp_path: Path, old: str, new: str, field: str) -> None:
    with pytest.raises(EnvironmentInvalid, match=field) as refused:
        described(tmp_path, SMALLEST.replace(old, new))
    assert len(refused.value.problems) == 1


@pytest.mark.parametrize("name", ["Small", "small_one", "-small", "small-", "s" * 64, "a.b", "a/b", "a\nb", ""])
def test_an_id_that_is_no_template_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="id"):
        Environment.model_validate({"id": name})


def test_every_field_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "environments.md").read_text("utf-8")
    fields = set(Environment.model_fields) - {"steps", "filter", "publication"}
    fields |= {f"publication.{name}" for name in Publication.model_fields}
    fields |= {f"tolerations.{name}" for name in Toleration.model_fields}
    fields |= {f"steps.{name}" for name in StepPods.model_fields} | {f"filter.{name}" for name in Filter.model_fields}
    assert {name for name in fields if f"`{name}`" not in page} == set()


def test_the_file_is_named_as_the_environment(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentInvalid, match="named 'other'"):
        described(tmp_path, SMALLEST, name="other")


def test_a_filter_is_described_by_its_image_and_command(tmp_path: Path) -> None:
    text = SMALLEST + '[filter]\nimage = "judge:1"\ncommand = ["judge", "--strict"]\n'
    found = described(tmp_path, text).filter
    assert found is not None
    assert (found.image, found.command, found.seconds) == ("judge:1", ("judge", "--strict"), 3_600)
    assert described(tmp_path, SMALLEST).filter is None


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ('image = "judge:1"', "filter.command"),
        ('image = "judge:1"\ncommand = []', "filter.command"),
        ('image = "judge:1"\ncommand = "judge"', "filter.command"),
        ('image = ""\ncommand = ["judge"]', "filter.image"),
        ('image = "judge:1"\ncommand = ["{{=1}}"]', "filter"),
        ('image = "{{workflow.parameters.image}}"\ncommand = ["judge"]', "filter"),
        ('image = "judge:1"\ncommand = ["judge"]\nverdict = "any"', "filter.verdict"),
        ('image = "judge:1"\ncommand = ["judge"]\nseconds = 0', "filter.seconds"),
    ],
)
def test_a_wrong_filter_is_refused_by_field(tmp_path: Path, lines: str, field: str) -> None:
    with pytest.raises(EnvironmentInvalid, match=rf"small\.toml: {field}:"):
        described(tmp_path, f"{SMALLEST}[filter]\n{lines}\n")


PLACED = """
runtime_class = "gvisor"
node_selector = { "example.com/disk" = "fast" }
priority_class = "batch"
image_pull_secrets = ["registry.one", "two"]
queue = "gpus"

[[tolerations]]
key = "spot"
value = "yes"

[[tolerations]]
operator = "Exists"
effect = "NoExecute"
"""


def test_where_jobs_run_is_described_by_name(tmp_path: Path) -> None:
    found = described(tmp_path, SMALLEST + PLACED)
    assert (found.runtime_class, found.priority_class, found.queue) == ("gvisor", "batch", "gpus")
    assert (found.node_selector, found.image_pull_secrets) == ({"example.com/disk": "fast"}, ("registry.one", "two"))
    assert found.tolerations == (
        Toleration(key="spot", operator="Equal", value="yes", effect=""),
        Toleration(key="", operator="Exists", value="", effect="NoExecute"),
    )


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ('runtime_class = "gVisor"', "runtime_class"),
        ('runtime_class = "{{=1}}"', "runtime_class"),
        ('priority_class = "{{workflow.name}}"', "priority_class"),
        ('queue = "a.b"', "queue"),
        ('queue = "{{=1}}"', "queue"),
        ('image_pull_secrets = "one"', "image_pull_secrets"),
        ('image_pull_secrets = ["{{=1}}"]', "image_pull_secrets.0"),
        ('node_selector = "disk"', "node_selector"),
        ('node_selector = { "{{=1}}" = "x" }', "node_selector"),
        ('node_selector = { disk = "{{=1}}" }', "node_selector.disk"),
        ("node_selector = { disk = 1 }", "node_selector.disk"),
        ('[[tolerations]]\nvalue = "x"', "tolerations.0"),
        ('[[tolerations]]\nkey = "a"\noperator = "Exists"\nvalue = "x"', "tolerations.0"),
        ('[[tolerations]]\nkey = "a"\noperator = "Gt"', "tolerations.0.operator"),
        ('[[tolerations]]\nkey = "a"\neffect = "Never"', "tolerations.0.effect"),
        ('[[tolerations]]\nkey = "{{=1}}"', "tolerations.0.key"),
        ('[[tolerations]]\nkey = "a"\nvalue = "{{=1}}"', "tolerations.0.value"),
        ('[[tolerations]]\nkey = "a"\nseconds = 3', "tolerations.0.seconds"),
    ],
)
def test_a_wrong_place_is_refused_by_field(tmp_path: Path, lines: str, field: str) -> None:
    with pytest.raises(EnvironmentInvalid, match=rf"small\.toml: {field}") as refused:
        described(tmp_path, f"{SMALLEST}{lines}\n")
    assert len(refused.value.problems) == 1


def test_publication_is_a_chain_and_a_secret(tmp_path: Path) -> None:
    found = described(tmp_path, SMALLEST + "[publication]\nchain_id = 137\n").publication
    assert found == Publication(chain_id=137, secret="c2d-publication")
    named = described(tmp_path, SMALLEST + '[publication]\nchain_id = 137\nsecret = "polygon"\n').publication
    assert named == Publication(chain_id=137, secret="polygon")
    assert described(tmp_path, SMALLEST).publication is None


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ("", "publication.chain_id"),
        ("chain_id = 0", "publication.chain_id"),
        ('chain_id = "137"', "publication.chain_id"),
        ('chain_id = 137\nsecret = "{{workflow.name}}"', "publication.secret"),
        ('chain_id = 137\nrpc_url = "https://node.example"', "publication.rpc_url"),
    ],
)
def test_a_wrong_publication_is_refused_by_field(tmp_path: Path, lines: str, field: str) -> None:
    with pytest.raises(EnvironmentInvalid, match=rf"small\.toml: {field}:"):
        described(tmp_path, f"{SMALLEST}[publication]\n{lines}\n")
