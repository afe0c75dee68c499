"""`c2d try`, as its users call it: what it says, ends with and leaves, for algorithms that go well and that do not."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from provider_api.cli.rehearsal.report import schema
from tests.support import forks
from tests.support.pods import living
from tests.support.sandboxes import require_sandboxes
from workflow_templates.environment import FOLDER

pytestmark = pytest.mark.integration

SMALL = (FOLDER / "ocean-compute.toml").read_text().replace('"ocean-compute"', '"small"')
OUT = "import os; out = os.environ['OUTPUTS']\n"


@pytest.fixture(autouse=True)
def _sandboxes() -> None:
    require_sandboxes()


@dataclass(frozen=True)
class Tried:
    """One call: the report, None where there is none."""

    code: int
    report: dict[str, Any]
    errors: str


def copy_programs(root: Path, *names: str) -> None:
    """An image's root with nothing but these programs of this machine and the libraries that they need."""
    found = [Path(path).resolve() for name in names if (path := shutil.which(name))]
    assert len(found) == len(names)
    told = subprocess.run(["ldd", *map(str, found)], capture_output=True, text=True, check=True).stdout
    for library in sorted(set(re.findall(r"(/\S+) \(0x", told))):
        target = root / library.removeprefix("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    (root / "usr/bin").mkdir(parents=True, exist_ok=True)
    (root / "bin").symlink_to("usr/bin")
    for name, path in zip(names, found, strict=True):
        shutil.copy(path, root / "usr/bin" / name)
    for folder in ("data", "proc", "tmp"):
        (root / folder).mkdir()


class Desk:
    """A folder to work in, with temporary files of its own, so that what is left there is seen."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.temporary = folder, folder / "tmp"
        self.temporary.mkdir()
        self.environment = {**os.environ, "TMPDIR": str(self.temporary), "HOME": str(folder)}
        (folder / "data.csv").write_text("a,b\n1,2\n3,4\n")

    def script(self, text: str, name: str = "algorithm.py") -> str:
        (self.folder / name).write_text(text)
        return name

    def described(self, **changes: str) -> str:
        """An environment of one's own in a folder; `changes` replace or add lines."""
        lines = [line for line in SMALL.splitlines() if line.partition(" =")[0] not in changes]
        folder = self.folder / "environments"
        folder.mkdir(exist_ok=True)
        # Tables come last.
        own = [f"{name} = {value}" for name, value in changes.items()]
        (folder / "small.toml").write_text("\n".join([*lines, *own]) + "\n")
        return "environments"

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = forks.run(forks.C2D, "try", *words, env=self.environment, cwd=self.folder)
        assert "Traceback" not in done.stderr, done.stderr
        self.assert_nothing_left()
        return done

    def rehearse(self, *words: str, data: str = "data.csv") -> Tried:
        done = self.call(*words, "--data", data, "--json")
        report = json.loads(done.stdout)
        jsonschema.validate(report, schema())
        return Tried(done.returncode, report, done.stderr)

    def assert_nothing_left(self) -> None:
        assert list(self.temporary.iterdir()) == []
        assert living(f"{self.temporary}/") == []


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


GOOD = """
import json, os
from pathlib import Path
dids, inputs = json.loads(os.environ["DIDS"]), Path(os.environ["INPUTS"])
found = [[p.read_text() for p in sorted((inputs / did).iterdir())] for did in dids]
ddos = [json.loads(Path("/data/ddos", did).read_text())["id"] for did in dids]
print("hello")
custom = json.loads((inputs / "algoCustomData.json").read_text())
told = {"found": found, "custom": custom, "ddos": ddos, "own": Path("/data/transformations/algorithm").exists()}
Path(os.environ["OUTPUTS"], "näch ste.json").write_text(json.dumps(told))
"""


def test_an_algorithm_that_goes_well(desk: Desk) -> None:
    """Several datasets, names with blanks and other letters, empty ones, a folder, parameters."""
    (desk.folder / "zwei te.csv").write_text("ü\n")
    (desk.folder / "empty").write_bytes(b"")
    (desk.folder / "many").mkdir()
    for name in ("b", "a"):
        (desk.folder / "many" / name).write_text(name)
    words = [word for path in ("zwei te.csv", "empty", "many") for word in ("--data", path)]
    tried = desk.rehearse(
        desk.script(GOOD, "an algo.py"), *words, "--param", "n=3", "--param", "s=x", "--output", "new"
    )
    report = tried.report
    assert (tried.code, report["verdict"], report["status"], report["reason"]) == (0, "would_finish", 70, "completed")
    assert (report["environment"], report["exit_code"], report["log"]) == (
        "ocean-compute",
        0,
        {"lines": ["hello"], "leaves": True},
    )
    assert [(each["type"], each["path"]) for each in report["results"]] == [
        ("output", "outputs/näch ste.json"),
        ("algorithmLog", "logs/algorithm.log"),
        ("configrationLog", "adminlogs/configure.log"),
        ("publishLog", "adminlogs/publish.log"),
    ]
    told = json.loads((desk.folder / "new/outputs/näch ste.json").read_text())
    assert told["found"] == [["ü\n"], [""], ["a", "b"], ["a,b\n1,2\n3,4\n"]]
    assert (told["custom"], told["own"], len(set(told["ddos"]))) == ({"n": 3, "s": "x"}, True, 4)
    again = desk.call("an algo.py", "--data", "data.csv", "--output", "new")
    assert (again.returncode, again.stdout) == (2, "")
    assert "is there already" in again.stderr
    people = desk.call("an algo.py", "--data", "data.csv")
    assert people.returncode == 0
    assert people.stdout.startswith("✔ the job would finish: ")
    assert "| hello" in people.stdout
    assert "20 Configuring volumes" in people.stderr
    assert (desk.folder / "c2d-try-an algo-1/logs/algorithm.log").read_text() == "hello\n"


@dataclass(frozen=True)
class Case:
    text: str
    status: int
    reason: str
    said: str  # in hints, sentence or log
    code: int | None = 1
    name: str = "algorithm.py"
    words: tuple[str, ...] = ()


CASES = {
    "syntax error": Case("print(\n", 41, "algorithm_failed", "SyntaxError"),
    "missing module": Case("import nowhere_to_be_found", 41, "algorithm_failed", "has no nowhere_to_be_found"),
    "exit code": Case("raise SystemExit(7)", 41, "algorithm_failed", "exit code 7", 7),
    "nothing written": Case("print(1)", 70, "completed", "Nothing was written to /data/outputs", 0),
    "the network": Case(
        "import urllib.request as u; u.urlopen('http://example.org')", 41, "algorithm_failed", "no network here"
    ),
    "read-only inputs": Case("open('/data/inputs/x', 'w')", 41, "algorithm_failed", "Only /data/outputs"),
    "a link": Case(OUT + "os.symlink('/etc/passwd', out + '/x')", 70, "completed", "what it leads to", 0),
    "out of time": Case("import time; time.sleep(60)", 70, "time_limit", "longer", 124, words=("--seconds", "1")),
    "a shell script": Case("echo $DIDS; echo hi > $OUTPUTS/x", 70, "completed", "", 0, "x.sh"),
    "no program": Case("x", 41, "algorithm_failed", "lacks a program", 127, words=("--entrypoint", "Rscript $ALGO")),
    "with a shebang": Case("#!/bin/sh\necho hi > $OUTPUTS/x; exit 3\n", 41, "algorithm_failed", "code 3", 3, "run"),
}


@pytest.mark.parametrize("name", CASES)
def test_how_algorithms_end(desk: Desk, name: str) -> None:
    case = CASES[name]
    tried = desk.rehearse(desk.script(case.text, case.name), *case.words)
    report = tried.report
    assert (report["status"], report["reason"], report["exit_code"]) == (case.status, case.reason, case.code)
    good = case.reason == "completed"
    assert (tried.code, report["verdict"]) == ((0, "would_finish") if good else (1, "would_fail"))
    assert case.said in json.dumps(report, ensure_ascii=False)


def test_its_own_exit_code(desk: Desk) -> None:
    assert desk.rehearse(desk.script("raise SystemExit(7)"), "--exit-code").code == 7


def test_too_much_memory(desk: Desk) -> None:
    tried = desk.rehearse(desk.script("kept = [bytearray(1 << 26) for _ in range(64)]"))
    assert (tried.code, tried.report["reason"]) == (1, "out_of_memory")
    assert "ram_gb" in tried.report["sentence"]


def test_more_than_the_environment_publishes(desk: Desk) -> None:
    """Rendered from a description of one's own; what it may publish is less than what there is."""
    folder = desk.described(disk_gb="3", max_results_gb="1")
    text = OUT + "os.truncate(os.open(out + '/large', os.O_CREAT | os.O_RDWR), 1 << 31); open(out + '/small', 'w')"
    tried = desk.rehearse(desk.script(text), "--environments", folder)
    assert (tried.code, tried.report["environment"]) == (0, "small")
    assert [(each["path"], each["code"]) for each in tried.report["not_published"]] == [("outputs/large", "too_large")]


def test_what_release_rules_keep_back(desk: Desk) -> None:
    folder = desk.described(release='{types = ["csv"], max_bytes = 10, log_bytes = 1000}')
    text = OUT + "open(out + '/a.txt', 'w').write('no table at all'); print('seen here')"
    tried = desk.rehearse(desk.script(text), "--environments", folder)
    report = tried.report
    assert (tried.code, report["verdict"], report["status"], report["reason"]) == (1, "kept_back", 41, "withheld")
    assert [rule["rule"] for rule in report["kept_back"]["rules"]] == ["max_bytes", "types"]
    assert "at most 10 may" in report["kept_back"]["rules"][0]["sentence"]
    assert {file["path"] for file in report["kept_back"]["files"]} == {"outputs/a.txt", "logs/algorithm.log"}
    assert report["log"] == {"lines": ["seen here"], "leaves": False}
    assert [result["type"] for result in report["results"]] == ["configrationLog", "publishLog"]


def test_rules_of_the_dataset(desk: Desk) -> None:
    """A document of one's own brings its DID, and its release rules."""
    from provider_api.cli.rehearsal.datasets import made_document

    document = made_document("dataset", "mine", "Mine")
    document["services"][0]["additionalInformation"] = {"release": {"maxFiles": 0, "logBytes": 0}}
    (desk.folder / "ddo.json").write_text(json.dumps(document))
    tried = desk.rehearse(desk.script(GOOD), "--ddo", "ddo.json")
    assert (tried.code, [rule["rule"] for rule in tried.report["kept_back"]["rules"]]) == (1, ["max_files"])


def test_what_waits_for_the_owners(desk: Desk) -> None:
    """In an environment where results could become assets, too: its pods mount what there is none of here."""
    folder = desk.described(release='{approval = "owner"}', publication="{chain_id = 8996}")
    tried = desk.rehearse(desk.script(GOOD), "--environments", folder)
    assert (tried.code, tried.report["verdict"], tried.report["waits_for_owners"]) == (0, "would_finish", True)


def test_what_a_filter_holds_back(desk: Desk) -> None:
    folder = desk.described(filter='{image = "debian", command = ["sh", "-c", "echo no; exit 3"]}')
    tried = desk.rehearse(desk.script(GOOD), "--environments", folder)
    assert (tried.code, tried.report["verdict"], tried.report["reason"]) == (1, "kept_back", "filtered")
    assert [rule["rule"] for rule in tried.report["kept_back"]["rules"]] == ["filter"]
    assert [result["type"] for result in tried.report["results"]] == ["configrationLog", "filteringLog", "publishLog"]


REFUSED = {
    "entrypoint_without_algo": ("--entrypoint", "python"),
    "image_unavailable": ("--image", "acme/tool:1"),
    "invalid_image": ("--image", "No Image"),
    "too_long": ("--seconds", "999999"),
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_would_be_refused(desk: Desk, code: str) -> None:
    tried = desk.rehearse(desk.script("print(1)"), *REFUSED[code])
    assert (tried.code, tried.report["verdict"]) == (3, "refused")
    assert [refusal["code"] for refusal in tried.report["refusals"]] == [code]


def test_data_that_have_no_room(desk: Desk) -> None:
    with (desk.folder / "large").open("wb") as file:
        file.truncate(3 * 10**9)
    tried = desk.rehearse(desk.script("print(1)"), data="large")
    assert (tried.code, [refusal["code"] for refusal in tried.report["refusals"]]) == (3, ["too_large"])


def test_an_unpacked_image(desk: Desk) -> None:
    copy_programs(desk.folder / "root", "sh", "mkdir", "tee", "sleep", "date")
    register = desk.folder / "images.toml"
    register.write_text(f'"acme/tool" = "{desk.folder}/root"\n')
    script = desk.script("echo made > $OUTPUTS/x", "x.sh")
    for words in (("--image", f"acme/tool={desk.folder}/root"), ("--image", "acme/tool", "--images", str(register))):
        tried = desk.rehearse(script, *words)
        assert (tried.code, tried.report["image"]) == (0, "acme/tool"), tried.report
        assert tried.report["results"][0]["path"] == "outputs/x"
    wrong = desk.call(script, "--data", "data.csv", "--image", f"acme/tool:1={desk.folder}/root")
    assert (wrong.returncode, "leave the tag out" in wrong.stderr) == (2, True)


WRONG = {
    "there is no environment nowhere": ("--data", "data.csv", "--env", "nowhere"),
    "no data": (),
    "more documents": ("--data", "data.csv", "--ddo", "d.json", "--ddo", "d.json"),
    "is an empty folder": ("--data", "none"),
    "has a folder in it": ("--data", "."),
    "is not a file": ("--data", "pipe"),
    "KEY=VALUE is expected": ("--data", "data.csv", "--param", "x"),
    "holds no JSON object": ("--data", "data.csv", "--custom-data", "list.json"),
    "does not exist": ("--data", "nothing.csv"),
    "there is no such folder": ("--data", "data.csv", "--environments", "nowhere"),
    "unknown setting C2D_NO_SUCH": ("--data", "data.csv", "C2D_NO_SUCH=1"),
}


@pytest.mark.parametrize("said", WRONG)
def test_what_cannot_be_meant(desk: Desk, said: str) -> None:
    (desk.folder / "none").mkdir()
    (desk.folder / "list.json").write_text("[]")
    os.mkfifo(desk.folder / "pipe")
    words = [word for word in WRONG[said] if not word.startswith("C2D_")]
    desk.environment |= dict(word.split("=") for word in WRONG[said] if word.startswith("C2D_"))
    done = desk.call(desk.script("print(1)"), *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())


def test_a_machine_without_sandboxes(desk: Desk) -> None:
    desk.environment["PATH"] = str(desk.folder)
    done = desk.call(desk.script("print(1)"), "--data", "data.csv")
    assert done.returncode == 5
    assert "bubblewrap (bwrap) is not installed" in done.stdout


def test_an_environment_of_another_kind_of_machine(desk: Desk) -> None:
    folder = desk.described(priority_class='"high"')
    done = desk.call(desk.script("print(1)"), "--data", "data.csv", "--environments", folder)
    assert done.returncode == 5
    assert "pods on one machine have no priorities" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_interrupted_while_it_runs(desk: Desk, number: signal.Signals) -> None:
    """As a command of its own in a terminal: the whole group gets the signal, twice."""
    script = desk.script("import time; print('there', flush=True); time.sleep(100)")
    command = [sys.executable, "-m", "provider_api.cli", "try", script, "--data", "data.csv"]
    command[1:3] = ["-c", "from provider_api.cli import main; main()"]
    with subprocess.Popen(
        command, cwd=desk.folder, env=desk.environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stderr is not None
        assert any("40 Running algorithm" in line for line in running.stderr)
        assert living(f"{desk.temporary}/")
        for _ in range(2):
            os.killpg(running.pid, number)
            time.sleep(0.05)
        said = running.stderr.read()
        assert running.wait(120) == 130
    assert "nothing is left" in said
    desk.assert_nothing_left()


@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.5, 2.0, 3.0])
def test_interrupted_at_any_time(desk: Desk, seconds: float) -> None:
    words = ["try", desk.script("print(1)"), "--data", "data.csv", "--environments", desk.described()]
    output, errors = desk.folder / "output", desk.folder / "errors"
    arguments = {"env": desk.environment, "cwd": desk.folder, "output": output, "errors": errors}
    with forks.Forked(forks.C2D, words, **arguments) as running:
        deadline = time.monotonic() + 120
        while "in a folder of its own" not in (errors.read_text() if errors.exists() else ""):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(seconds - 0.5)
        running.send_signal(signal.SIGINT)
        assert running.wait(120) in (0, 130)
    assert "Traceback" not in errors.read_text()
    desk.assert_nothing_left()


def test_what_a_killed_one_leaves_goes_with_the_next(desk: Desk) -> None:
    script = desk.script("import time; time.sleep(100)")
    words = ["try", script, "--data", "data.csv"]
    output, errors = desk.folder / "output", desk.folder / "errors"
    arguments = {"env": desk.environment, "cwd": desk.folder, "output": output, "errors": errors}
    with forks.Forked(forks.C2D, words, **arguments) as running:
        deadline = time.monotonic() + 120
        while "40 Running algorithm" not in (errors.read_text() if errors.exists() else ""):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        running.kill()
        running.wait(60)
    (left,) = desk.temporary.glob("c2d-try-*")
    os.utime(left, (0, 0))
    assert desk.call(desk.script("print(1)", "b.py"), "--data", "data.csv").returncode == 0
