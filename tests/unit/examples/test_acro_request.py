"""What may be asked of the filter that runs ACRO, and what is refused before anything is computed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.acro_filter import DATA, DID, Folders, crosstab, module, pivot_table, regression

pytestmark = pytest.mark.unit

request_ = module("request")
GOOD = crosstab(["region"], ["sex"])


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders.make(tmp_path)


def read(folders: Folders, most: int = 5) -> list[Any]:
    return list(request_.read_request(folders.outputs / "acro.json", folders.inputs, most=most))


def refused(folders: Folders, most: int = 5) -> None:
    with pytest.raises(request_.RequestRefused):
        read(folders, most)


# --- What is taken ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "understood"),
    [
        (GOOD, request_.Table(DATA, ("region",), ("sex",))),
        (crosstab(["region", "sex"], ["hours"]), request_.Table(DATA, ("region", "sex"), ("hours",))),
        (pivot_table(["region"], "wage"), request_.Table(DATA, ("region",), (), "wage", "mean")),
        (
            pivot_table(["region"], "wage", "sum", columns=["sex"]),
            request_.Table(DATA, ("region",), ("sex",), "wage", "sum"),
        ),
    ],
)
def test_tables(folders: Folders, asked: dict[str, Any], understood: Any) -> None:
    folders.ask(asked)
    assert read(folders) == [understood]


@pytest.mark.parametrize(
    ("formula", "rebuilt"),
    [
        ("wage ~ hours", "wage ~ hours"),
        ("  wage~hours+sex ", "wage ~ hours + sex"),
        ("wage ~ hours + sex + hours : sex", "wage ~ hours + sex + hours:sex"),
    ],
)
@pytest.mark.parametrize("kind", ["ols", "logit", "probit"])
def test_formulas_are_put_together_anew(folders: Folders, kind: str, formula: str, rebuilt: str) -> None:
    folders.ask(regression(formula, kind))
    (analysis,) = read(folders)
    assert (analysis.kind, analysis.formula) == (kind, rebuilt)
    assert set(analysis.names) <= {"wage", "hours", "sex"}


def test_several_in_their_order(folders: Folders) -> None:
    folders.ask(GOOD, regression("wage ~ hours"), GOOD)
    assert [type(analysis).__name__ for analysis in read(folders)] == ["Table", "Regression", "Table"]


def test_a_table_with_a_mark_of_its_coding(folders: Folders) -> None:
    (folders.inputs / DATA).write_text("\ufeffregion,sex\nnorth,f\n")
    folders.ask(GOOD)
    assert len(read(folders)) == 1


# --- Formulas: what statsmodels would run as code ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "formula",
    [
        "",
        "~",
        "wage",
        "wage ~",
        "~ hours",
        "wage ~ 1",
        "wage ~ hours - 1",
        "wage ~ hours + 0",
        "wage ~ hours * sex",
        "wage ~ hours ** 2",
        "wage ~ hours / sex",
        "wage ~ (hours + sex)",
        "wage ~ .",
        "wage ~ hours ~ sex",
        "wage ~ hours + + sex",
        "wage ~ hours:",
        "wage | sex ~ hours",
        "wage ~ __import__('os').system('id')",
        "__import__('os') ~ hours",
        "wage ~ open",
        "wage ~ np.exp(hours)",
        "wage ~ np",
        "wage ~ hours.sum",
        "wage ~ hours.__class__",
        "wage ~ __class__",
        "wage ~ _hours",
        "wage ~ I(hours)",
        "wage ~ C(sex)",
        'wage ~ Q("hours")',
        "wage ~ `hours`",
        "wage ~ {hours}",
        "wage ~ hours if sex else hours",
        "wage ~ lambda",
        "wage ~ None",
        "wage ~ hours\n+ sex",
        "wage ~ hours\t+ sex",
        "wage ~ hours\u00a0+ sex",
        "wage ~ hours; import os",
        "wage ~ hours # sex",
        "wage ~ hours\x00",
        "wage ~ h\u043eurs",  # a Cyrillic letter
        "wage ~ \uff48ours",  # a wide one, which Python itself would take for `hours`
        "wage ~ hours\u0301",
        "wage ~ nothing",
        "wage ~ wage",
        "wage ~ hours + hours:wage",
        "wage ~ hours:sex:region:member",
        "wage ~ " + " + ".join(["hours"] * 21),
        "wage ~ " + "h" * 100_000,
    ],
)
def test_a_formula_has_names_of_columns_and_nothing_else(folders: Folders, formula: str) -> None:
    folders.ask(regression(formula))
    refused(folders)


def test_a_column_that_is_called_like_a_word_of_python_cannot_be_named(folders: Folders) -> None:
    (folders.inputs / DATA).write_text("wage,lambda,hours\n1,2,3\n")
    folders.ask(regression("wage ~ lambda"))
    refused(folders)


@pytest.mark.parametrize("formula", [None, 1, True, ["wage ~ hours"], {"formula": "wage ~ hours"}])
def test_a_formula_is_a_text(folders: Folders, formula: Any) -> None:
    folders.ask(regression(formula))
    refused(folders)


# --- Names of columns -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        [],
        "region",
        None,
        {"region": 1},
        ["region", "region"],
        ["region", "sex", "hours", "member"],
        ["nothing"],
        ["Region"],
        ["region "],
        ["region\n"],
        ["\u0433egion"],
        [["region"]],
        [1],
        [None],
        ["__dummy__"],
        [""],
        ["region"] * 10_000,
    ],
)
def test_dimensions_are_few_columns_that_there_are(folders: Folders, names: Any) -> None:
    folders.ask(crosstab(names, ["sex"]))
    refused(folders)
    folders.ask(crosstab(["sex"], names))
    refused(folders)
    folders.ask(pivot_table(["sex"], "wage", columns=names))
    refused(folders)


@pytest.mark.parametrize(
    "asked",
    [
        crosstab(["region"], ["region"]),
        pivot_table(["wage"], "wage"),
        pivot_table(["region"], "nothing"),
        pivot_table(["region"], ["wage"]),  # type: ignore[arg-type]
        pivot_table(["region"], "wage", "max"),
        pivot_table(["region"], "wage", "min"),
        pivot_table(["region"], "wage", "mode"),
        pivot_table(["region"], "wage", "agg_mode"),
        pivot_table(["region"], "wage", "first"),
        pivot_table(["region"], "wage", ["mean"]),  # type: ignore[arg-type]
        pivot_table(["region"], "wage", {"wage": "mean"}),  # type: ignore[arg-type]
        pivot_table(["region"], "wage", None),  # type: ignore[arg-type]
        pivot_table(["region"], "wage", margins=True),
        pivot_table(["region"], "wage", fill_value="x"),
        {**GOOD, "values": "wage", "aggfunc": "mean"},
        {**GOOD, "rownames": ["x"]},
        {**GOOD, "suppress": False},
        {**GOOD, "comment": "a text that would be released"},
        {**GOOD, "analysis": "surv_func"},
        {**GOOD, "analysis": "hist"},
        {**GOOD, "analysis": "custom_output"},
        {**GOOD, "analysis": ["crosstab"]},
        {**GOOD, "analysis": None},
        {"analysis": "crosstab"},
        {},
        [],
        "crosstab",
        None,
    ],
)
def test_other_analyses_and_other_members_are_refused(folders: Folders, asked: Any) -> None:
    folders.ask(asked)
    refused(folders)


def test_a_name_that_stands_twice_in_the_table_is_nobodys(folders: Folders) -> None:
    (folders.inputs / DATA).write_text("region,sex,sex\nnorth,f,m\n")
    folders.ask(GOOD)
    refused(folders)


# --- Files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        "",
        "0",
        DID,
        f"{DID}/",
        f"{DID}/1",
        f"{DID}/00000",
        f"{DID}/0/",
        f"{DID}//0",
        f"./{DATA}",
        f"../inputs/{DATA}",
        f"{DID}/../{DATA}",
        "../outputs/0",
        "..",
        "../0",
        ".hidden/0",
        "/etc/passwd",
        "algoCustomData.json",
        f"{DATA}\n",
        f"{DATA}\x00",
        f"file://{DATA}",
        "x" * 5000 + "/0",
        None,
        0,
        [DATA],
    ],
)
def test_data_are_inputs_by_their_name(folders: Folders, data: Any) -> None:
    (folders.outputs / "0").write_text("region,sex\nnorth,f\n")
    (folders.inputs / "0").write_text("region,sex\nnorth,f\n")
    folders.ask({**GOOD, "data": data})
    refused(folders)


def test_a_path_that_pathlib_would_take_for_an_absolute_one(folders: Folders) -> None:
    folders.ask({**GOOD, "data": str(folders.inputs / DATA)})
    refused(folders)


@pytest.mark.parametrize("where", ["file", "folder"])
def test_links_are_not_followed(folders: Folders, where: str) -> None:
    if where == "file":
        (folders.inputs / DID / "1").symlink_to(folders.inputs / DATA)
        folders.ask({**GOOD, "data": f"{DID}/1"})
    else:
        (folders.inputs / "away").symlink_to(folders.inputs / DID)
        folders.ask({**GOOD, "data": "away/0"})
    refused(folders)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08\x00region,sex", b"\xff\xfe", b'"region,sex'])
def test_an_input_that_is_no_table(folders: Folders, content: bytes) -> None:
    (folders.inputs / DATA).write_bytes(content)
    folders.ask(GOOD)
    refused(folders)


# --- The request itself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "null",
        "{}",
        '{"analyses": []}',
        '{"analyses": {}}',
        '{"analyses": null}',
        json.dumps({"analyses": [GOOD], "more": 1}),
        json.dumps({"analyses": [GOOD] * 6}),
        json.dumps({"analyses": [GOOD] * 1000}),
        '{"analyses": ' + json.dumps([GOOD]) + ', "analyses": []}',
        '{"analyses": [NaN]}',
        "[" * 30_000,
        '{"analyses": ' + "[" * 30_000 + "]" * 30_000 + "}",
        '{"analyses": [' + "9" * 60_000 + "]}",
        json.dumps({"analyses": [GOOD]}) + " " * (64 << 10),
        json.dumps({"analyses": [GOOD]}) + "\x00",
    ],
)
def test_a_request_is_a_small_object_with_a_short_list(folders: Folders, text: str) -> None:
    (folders.outputs / "acro.json").write_text(text)
    refused(folders)


def test_bytes_that_are_no_text(folders: Folders) -> None:
    (folders.outputs / "acro.json").write_bytes(b'{"analyses": ["\xff"]}')
    refused(folders)


def test_where_cells_are_left_blank_there_is_one_analysis(folders: Folders) -> None:
    folders.ask(GOOD, GOOD)
    refused(folders, most=1)


def test_no_request(folders: Folders) -> None:
    refused(folders)


@pytest.mark.parametrize("what", ["folder", "link", "nowhere", "pipe"])
def test_what_is_no_file(folders: Folders, what: str) -> None:
    path, other = folders.outputs / "acro.json", folders.outputs / "other"
    folders.ask(GOOD)
    path.rename(other)
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(other if what == "link" else "nowhere")
    refused(folders)
