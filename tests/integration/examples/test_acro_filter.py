"""The filter that runs ACRO: as a process in a sandbox like its pod's, and rule by rule beside what ACRO says alone."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.acro_filter import DATA, EXAMPLE, SURVEY, Folders, crosstab, pivot_table, regression
from tests.support.clients import DRIVERS, INSTALLED, Client, ClientError, require_client
from tests.support.sandboxes import require_sandboxes

pytestmark = pytest.mark.integration

RELEASED = "Released: the analyses were computed from the inputs and have passed.\n"
WITHHELD = "Withheld: an analysis has not passed.\n"
REFUSED = "Withheld: acro.json is missing, or asks for something that this filter does not compute.\n"
FAILED = "Withheld: the filter could not come to a verdict.\n"
AGAIN = "The filter could not read or write a file: it may be tried again.\n"
SECRET = "Mrs Miller earns 1224"

ROWS = list(csv.DictReader(SURVEY.splitlines()))


def table(rows: Sequence[dict[str, Any]]) -> str:
    return "\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]) + "\n"


def with_column(name: str, value: Callable[[int, dict[str, str]], object]) -> str:
    """The survey with one more column."""
    return table([{**row, name: value(number, row)} for number, row in enumerate(ROWS)])


def released(folders: Folders) -> dict[str, str]:
    return {str(path.relative_to(folders.outputs)): path.read_text() for path in sorted(folders.outputs.rglob("*"))}


def cells(text: str) -> list[list[str | float]]:
    """Of a table where a whole number may be written with a point."""
    rows = [line.split(",") for line in text.splitlines()]
    return [[float(cell) if cell[:1].isnumeric() else cell for cell in row] for row in rows]


# --- As a process -----------------------------------------------------------------------------------------------------


def filtered(folders: Folders, thresholds: Path = EXAMPLE / "thresholds.toml", *more: str) -> tuple[int, str]:
    """The filter's exit code, and what it printed. No network, no capabilities, nothing writable but outputs, logs and
    /tmp, nothing of this process's environment."""
    require_client("acro")
    require_sandboxes()
    words = ["bwrap", "--unshare-all", "--die-with-parent", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]
    words += ["--clearenv", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
    for path in (EXAMPLE, INSTALLED / "acro", folders.inputs, thresholds):  # if they lie below /tmp
        words += ["--ro-bind", str(path), str(path)]
    for path in (folders.outputs, folders.logs):
        words += ["--bind", str(path), str(path)]
    for name in ("inputs", "outputs", "logs"):
        words += ["--setenv", name.upper(), str(getattr(folders, name))]
    words += ["--setenv", "HOME", "/tmp", "--chdir", "/", *more]
    words += [str(INSTALLED / "acro" / "bin" / "python"), str(EXAMPLE / "check.py"), str(thresholds)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_what_passes_stands_in_the_place_of_all_that_the_algorithm_left(tmp_path: Path) -> None:
    folders = Folders.make(tmp_path)
    folders.ask(
        crosstab(["region"], ["sex"]),
        pivot_table(["region", "sex"], "wage"),
        pivot_table(["region"], "wage", "std", columns=["sex"]),
        regression("wage ~ hours + member + sex"),
        regression("member ~ hours", "logit"),
    )
    passed = {"version": "1.0.2", "results": {"output_0": {"status": "pass", "outcome": {}, "comments": [SECRET]}}}
    (folders.outputs / "results.json").write_text(json.dumps(passed))
    (folders.outputs / "output_0_0.csv").write_text(SECRET)
    (folders.outputs / "deep").mkdir()
    (folders.outputs / "deep" / "copy.csv").write_text(SURVEY)
    (folders.logs / "algorithm.log").write_text(SECRET)
    (folders.logs / "other").mkdir()

    assert filtered(folders) == (0, RELEASED)
    files = released(folders)
    assert list(files) == [
        *("output_0_0.csv", "output_1_0.csv", "output_2_0.csv"),
        *("output_3_0.csv", "output_3_1.csv", "output_3_2.csv", "output_4_0.csv", "output_4_1.csv"),
        "results.json",
    ]
    counted = {row["region"]: row for row in csv.DictReader(files["output_0_0.csv"].splitlines())}
    assert int(counted["north"]["f"]) == sum(row["region"] == "north" and row["sex"] == "f" for row in ROWS)
    (mean,) = [row for row in csv.reader(files["output_1_0.csv"].splitlines()) if row[:2] == ["south", "m"]]
    wages = [int(row["wage"]) for row in ROWS if (row["region"], row["sex"]) == ("south", "m")]
    assert float(mean[2]) == pytest.approx(sum(wages) / len(wages))
    told = json.loads(files["results.json"])["results"]
    assert [output["status"] for output in told.values()] == ["pass"] * 5
    assert told["output_3"]["command"] == "ols: wage ~ hours + member + sex"
    assert SECRET not in "".join(files.values())
    assert list(folders.logs.iterdir()) == []


def test_one_small_cell_withholds_all_analyses(tmp_path: Path) -> None:
    folders = Folders.make(tmp_path)
    folders.ask(crosstab(["region"], ["sex"]), crosstab(["district"], ["sex"]))
    assert filtered(folders) == (1, WITHHELD)


def test_a_formula_that_is_a_program_is_not_run(tmp_path: Path) -> None:
    folders = Folders.make(tmp_path)
    touch = f"__import__('pathlib').Path('{folders.logs}/ran').touch()"
    folders.ask(regression(f"wage ~ hours + I({touch} or hours)"))
    assert filtered(folders) == (2, REFUSED)
    assert list(folders.logs.iterdir()) == []


def test_without_a_request_nothing_is_released(tmp_path: Path) -> None:
    folders = Folders.make(tmp_path)
    (folders.outputs / "results.csv").write_text("region,count\nnorth,80\n")
    assert filtered(folders) == (2, REFUSED)


def test_thresholds_that_nobody_understands_release_nothing(tmp_path: Path) -> None:
    folders = Folders.make(tmp_path)
    folders.ask(crosstab(["region"], ["sex"]))
    spoiled = tmp_path / "thresholds.toml"
    spoiled.write_text((EXAMPLE / "thresholds.toml").read_text().replace("safe_threshold", "safe_treshold"))
    assert filtered(folders, spoiled) == (3, FAILED)


def test_a_file_that_cannot_be_read_is_worth_another_try(tmp_path: Path) -> None:
    folders = Folders.make(tmp_path)
    folders.ask(crosstab(["region"], ["sex"]))
    assert filtered(folders, tmp_path, "env", f"INPUTS={folders.inputs}") == (75, AGAIN)  # a folder is no file


# --- Rule by rule -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def acro(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Both in one process, which says why."""
    require_client("acro")
    words = [str(INSTALLED / "acro" / "bin" / "python"), str(DRIVERS / "acro" / "driver.py")]
    with Client(words, tmp_path_factory.mktemp("acro") / "log") as client:
        yield client


def sick(number: int, row: dict[str, str]) -> int:
    """In the north all are."""
    return int(row["region"] == "north" or number % 2)


@pytest.mark.parametrize(
    ("survey", "asked", "acros", "reason"),
    [
        (SURVEY, regression("wage ~ district"), "pass", "a row of its own"),
        (with_column("me", lambda number, row: int(number == 7)), regression("wage ~ me"), "pass", "a row of its own"),
        (
            with_column("rank", lambda number, row: 10**9 if number == 7 else number),
            regression("wage ~ rank"),
            "pass",
            "a row of its own",
        ),
        (with_column("sick", sick), regression("sick ~ region"), "pass", "known exactly"),
        (with_column("sick", sick), regression("sick ~ region", "logit"), "pass", "no estimate"),
        (with_column("bonus", lambda number, row: 500), pivot_table(["region"], "bonus"), "pass", "all alike"),
        (with_column("bonus", lambda number, row: 500), pivot_table(["region"], "bonus", "std"), "pass", "all alike"),
        (
            with_column("answer", lambda number, row: number + 500 if number < 48 else ""),
            pivot_table(["region"], "answer", columns=["sex"]),
            "pass",
            "MinimumThresholdCheck: fail",
        ),
        (with_column("old", lambda number, row: number > 9), pivot_table(["region"], "old"), "pass", "no numbers"),
        (
            with_column("change", lambda number, row: number - 100),
            pivot_table(["region"], "change", "sum"),
            "review",
            "Dominance not defined",
        ),
        (
            with_column("turnover", lambda number, row: 10**9 if number == 7 else 5),
            pivot_table(["region"], "turnover", "sum"),
            "fail",
            "NKCheck: fail",
        ),
        (SURVEY, crosstab(["district"], ["sex"]), "fail", "MinimumThresholdCheck: fail"),
        (table(ROWS[:12]), regression("wage ~ hours + member"), "fail", "MinimumDoFCheck: fail"),
        (with_column("id", lambda number, row: number), crosstab(["id"], ["wage"]), "", "too many cells"),
        (with_column("id", lambda number, row: f"p{number}"), regression("wage ~ id:district"), "fail", "many groups"),
        (with_column("far", lambda number, row: "inf"), regression("wage ~ hours + far"), "", "infinite"),
    ],
    ids=[
        "a group of three in a regression",
        "one person in a regression",
        "one far away in a regression",
        "a group that is all alike, in a regression",
        "the same in a logit",
        "a value that all have",
        "how little it varies",
        "most values are missing",
        "values that are true or false",
        "negative values",
        "one large value",
        "a small cell",
        "few degrees of freedom",
        "too many cells",
        "too many groups",
        "infinite numbers",
    ],
)
def test_why_an_analysis_is_withheld(
    acro: Client, tmp_path: Path, survey: str, asked: dict[str, Any], acros: str, reason: str
) -> None:
    """Beside what ACRO says of it alone: the filter's own rules are for what it lets pass."""
    folders = Folders.make(tmp_path, survey)
    folders.ask(asked)
    with pytest.raises(ClientError, match=f"(?s)^Withheld: .*{reason}"):
        acro("judge", folder=str(tmp_path))
    if acros:
        assert acro("alone", table=str(folders.inputs / DATA), asked=asked)[0] == acros


def test_thresholds_are_the_operators(acro: Client, tmp_path: Path) -> None:
    folders = Folders.make(tmp_path, table(ROWS[:12]))
    folders.ask(regression("wage ~ hours + member"))
    with pytest.raises(ClientError, match="dof=9 < 10"):
        acro("judge", folder=str(tmp_path), own={"max_leverage": 1.0})
    acro("judge", folder=str(tmp_path), own={"max_leverage": 1.0}, acros={"safe_dof_threshold": 9})
    assert "output_0_1.csv" in released(folders)


def test_all_analyses_are_of_the_same_rows(acro: Client, tmp_path: Path) -> None:
    """Else the two tables would tell how many women of the north have given no answer."""
    folders = Folders.make(tmp_path, with_column("answer", lambda number, row: "" if number in (1, 12) else number))
    folders.ask(crosstab(["region"], ["sex"]), pivot_table(["region"], "answer", "count", columns=["sex"]))
    acro("judge", folder=str(tmp_path))
    files = released(folders)
    assert files["output_0_0.csv"] == files["output_1_0.csv"]


FORMS = [
    crosstab(["a", "b"], ["c", "d"]),
    crosstab(["a"], ["b", "c", "d"]),
    crosstab(["a", "b", "c"], ["d"]),
    pivot_table(["a"], "v", "mean", columns=["c", "d"]),
    pivot_table(["a", "b"], "v", "std", columns=["d"]),
    pivot_table(["a", "b", "d"], "v", "median"),
    pivot_table(["a", "b", "c"], "v", "sum", columns=["d"]),
]


@pytest.mark.parametrize("asked", FORMS, ids=lambda asked: f"{asked['index']} {asked.get('columns')}")
def test_tables_of_every_form(acro: Client, tmp_path: Path, asked: dict[str, Any]) -> None:
    """With one row that has a value of its own: withheld, and where cells may be blank, it does not come out."""
    letters = [dict(zip("abcd", f"{number:04b}", strict=True)) for number in range(16)] * 15
    rows = [{**row, "d": row["d"] == "1", "v": 100 + number} for number, row in enumerate(letters)]
    folders = Folders.make(tmp_path, table(rows))
    folders.ask(asked)
    acro("judge", folder=str(tmp_path))
    whole = released(folders)["output_0_0.csv"]
    folders = Folders.make(tmp_path / "more", table([*rows, {"a": 0, "b": 0, "c": 1, "d": "rare", "v": 100}]))
    folders.ask(asked)
    with pytest.raises(ClientError, match=r"^Withheld: "):
        acro("judge", folder=str(tmp_path / "more"))
    if asked.get("aggfunc") != "std":
        acro("judge", folder=str(tmp_path / "more"), own={"suppress": True})
        assert cells(released(folders)["output_0_0.csv"]) == cells(whole)


# --- Blank cells ------------------------------------------------------------------------------------------------------

SUPPRESS = {"suppress": True}


def test_small_cells_are_left_blank_where_the_operator_says_so(acro: Client, tmp_path: Path) -> None:
    """Also where their labels are numbers with a fraction, whose cells ACRO's own suppression lets go."""
    survey = with_column("grade", lambda number, row: 1.5 if number < 4 else 2.5 + number % 2)
    folders = Folders.make(tmp_path, survey)
    asked = pivot_table(["sex"], "wage", columns=["grade"])
    folders.ask(asked)
    acro("judge", folder=str(tmp_path), own=SUPPRESS)
    files = released(folders)
    header, *rows = csv.reader(files["output_0_0.csv"].splitlines())
    assert header == ["sex", "2.5", "3.5"]  # nothing is left of 1.5, not even that there is one
    assert all(float(cell) > 1000 for row in rows for cell in row[1:])
    (told,) = json.loads(files["results.json"])["results"].values()
    assert (told["status"], told["summary"], told["outcome"], told["files"][0]["sdc"]) == ("review", "", {}, {})
    assert "check_status" not in told["fair"]
    assert "1.5" not in files["results.json"]
    status, let_go = acro("alone", table=str(folders.inputs / DATA), asked=asked, suppress=True)
    assert status == "review"
    assert let_go.startswith("sex,1.5,2.5,3.5\n")


def test_some_cells_of_a_row_are_blank(acro: Client, tmp_path: Path) -> None:
    few = [number for number, row in enumerate(ROWS) if (row["district"], row["sex"]) == ("north 2", "f")][9:]
    rows = [row for number, row in enumerate(ROWS) if number not in few]
    folders = Folders.make(tmp_path, table(rows))
    folders.ask(crosstab(["district"], ["sex"]))
    acro("judge", folder=str(tmp_path), own=SUPPRESS)
    found = {row["district"]: row for row in csv.DictReader(released(folders)["output_0_0.csv"].splitlines())}
    assert set(found) == {f"{region} {number}" for region in ("north", "south", "east") for number in (1, 2)}
    for district, row in found.items():
        counts = {sex: sum((r["district"], r["sex"]) == (district, sex) for r in rows) for sex in ("f", "m")}
        assert row == {"district": district} | {sex: str(n) if n >= 10 else "" for sex, n in counts.items()}
    assert found["north 2"]["f"] == ""


@pytest.mark.parametrize(
    ("survey", "asked", "reason"),
    [
        (table(ROWS[:15]), crosstab(["district"], ["sex"]), "nothing would be left"),
        (SURVEY, pivot_table(["district"], "wage", "std"), "nothing would be left"),
        (with_column("change", lambda number, row: number - 100), pivot_table(["district"], "change"), "Dominance"),
        (SURVEY, regression("wage ~ district"), "a row of its own"),
    ],
    ids=["small cells only", "no mask of ACRO's", "negative values", "a regression has no cells"],
)
def test_what_cannot_be_left_blank_is_withheld(
    acro: Client, tmp_path: Path, survey: str, asked: dict[str, Any], reason: str
) -> None:
    folders = Folders.make(tmp_path, survey)
    folders.ask(asked)
    with pytest.raises(ClientError, match=f"(?s)^Withheld: .*{reason}"):
        acro("judge", folder=str(tmp_path), own=SUPPRESS)


def test_where_cells_may_be_blank_a_second_analysis_could_tell_them(acro: Client, tmp_path: Path) -> None:
    folders = Folders.make(tmp_path)
    folders.ask(crosstab(["district"], ["sex"]), crosstab(["region"], ["sex"]))
    with pytest.raises(ClientError, match=r"^RequestRefused: "):
        acro("judge", folder=str(tmp_path), own=SUPPRESS)
