"""A type of file is one module and one line of the registry: nothing else has a list of types, or asks which one a file
is. A type that is made up here shows it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from ocean.files import File, parse_file
from ocean.files.kind import Member, text_of
from ocean.files.registry import TYPES, described_members, described_types, gateway_roots
from ocean.files.requests import Fetch, GatewayMissing, Gateways, through_gateway
from provider_api.files.names import download_name, shown_name

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
PROGRAMS = ("ocean", "contract", "results", "pods", "provider_api", "workflow_templates", "argo")
MAKERS = {  # make files behind URLs, whatever other types there are
    "pods/publishing/asset.py",
    "provider_api/cli/demo/assets.py",
}


@dataclass(frozen=True, slots=True)
class TapeFile(File):
    """A file on a tape, which a robot reads."""

    type: ClassVar[str] = "tape"
    members: ClassVar[tuple[Member, ...]] = (Member("label", "Of a tape", "T-1", demanded=True),)

    label: str

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        return cls(text_of(obj, "label", "no label"))

    def to_json(self) -> dict[str, Any]:
        return {"type": self.type, "label": self.label}

    def request(self, gateways: Gateways, userdata: Any = None) -> Fetch:
        return Fetch(through_gateway(gateways, self.type, self.label))

    @property
    def own_name(self) -> str:
        return f"{self.label}.tar"

    @classmethod
    def gateway_root(cls, gateway: str) -> str:
        return f"{gateway}/reels"


def test_a_type_is_known_by_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocean.files.registry.TYPES", [*TYPES, TapeFile])
    obj = {"type": "tape", "label": "T-1"}
    file = parse_file({**obj, "index": 0})
    assert file == TapeFile("T-1")
    assert file.to_json() == obj
    gateways = {"tape": "http://robot/"}
    assert file.request(gateways) == Fetch("http://robot/T-1")
    with pytest.raises(GatewayMissing, match="tape"):
        file.request({})
    assert gateway_roots(gateways) == ["http://robot//reels"]
    assert shown_name(file, {}, published=True) == "T-1.tar"
    assert download_name(file, {}) == "T-1.tar"
    assert TapeFile in described_types()
    assert Member("label", "Of a tape.", "T-1", demanded=True) in described_members()


def test_no_two_types_have_one_name() -> None:
    assert len({each.type for each in TYPES}) == len(TYPES)


def test_what_types_say_of_a_member_they_share_is_one_sentence() -> None:
    texts = {member.name: member.text for member in described_members()}
    assert texts["url"] == "Of a file object: address of the file or of the GraphQL server."
    assert texts["headers"] == "Of a file object: sent with the request."


def modules() -> list[Path]:
    found = [path for program in PROGRAMS for path in (ROOT / program).rglob("*.py")]
    return [path for path in found if (ROOT / "ocean/files") not in path.parents]


def named_types(path: Path) -> set[str]:
    """Classes of types, and texts that are the name of one, but for "url", which has other meanings everywhere."""
    classes, names = {each.__name__ for each in TYPES}, {each.type for each in TYPES} - {"url"}
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name | ast.alias):
            found |= classes & {node.id if isinstance(node, ast.Name) else node.name}
        elif isinstance(node, ast.Attribute):
            found |= classes & {node.attr}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= names & {node.value}
    return found


def test_nobody_else_names_a_type() -> None:
    """Ask the registry, or give the type a method."""
    named = {str(path.relative_to(ROOT)): named_types(path) for path in modules()}
    assert {path: found for path, found in named.items() if found} == {path: {"UrlFile"} for path in MAKERS}
