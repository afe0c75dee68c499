"""Algorithms as others write them: AgrospAI's library, input paths without a slash before them, a Java archive."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ocean.ddo import DDO
from provider_api.deploy.file_server import FileServer
from tests.support.clients import DRIVERS, INSTALLED, require_client
from tests.support.service import CONTAINER, FREE, Buyer, Service, raw_python

pytestmark = pytest.mark.integration

RAIN = "day,mm\n1,3\n2,0\n"
RELATIVE = """
import json, os, pathlib
did = json.loads(os.environ["DIDS"])[0].removeprefix("did:op:")
pathlib.Path("data/outputs/seen.txt").write_text(pathlib.Path("data/inputs", did, "0").read_text())
"""
JAVA = """
import java.nio.file.*;
public class Main {
  public static void main(String[] given) throws Exception {
    String did = System.getenv("DIDS").replaceAll("[^0-9a-z:,]", "").replace("did:op:", "");
    Path input = Paths.get("data/inputs", did, "0");
    Files.copy(input, Paths.get("data/outputs/seen.txt"));
  }
}
"""
# A published file is one file: the library travels in an archive, and is unpacked where an image would have it.
UNPACK = """
import os, runpy, sys, tempfile, zipfile

folder = tempfile.mkdtemp()
zipfile.ZipFile(sys.argv[0]).extractall(folder)
sys.path.insert(0, os.path.join(folder, "library"))
runpy.run_path(os.path.join(folder, "algorithm.py"), run_name="__main__")
"""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    """A dataset, and as far as they can be made here `library.zip` and `program.jar`."""
    folder = tmp_path_factory.mktemp("shelf")
    files = {"rain.csv": folder / "rain.csv"}
    files["rain.csv"].write_text(RAIN)
    if (INSTALLED / "ocean-runner" / "installed").exists():
        files["library.zip"] = archive_of_library(folder)
    if shutil.which("javac") and shutil.which("jar"):
        files["program.jar"] = archive_of_java(folder)
    with FileServer(files) as server:
        yield server


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, shelf: FileServer) -> Iterator[Service]:
    """A service of its own, which may fetch from the shelf."""
    with Service(tmp_path_factory.mktemp("habits"), allow_private=[shelf.address]) as running:
        yield running


def archive_of_library(folder: Path) -> Path:
    path, library = folder / "library.zip", INSTALLED / "ocean-runner" / "library"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("__main__.py", UNPACK)
        archive.write(DRIVERS / "ocean-runner" / "algorithm.py", "algorithm.py")
        for entry in sorted(library.rglob("*")):
            if entry.is_file() and "__pycache__" not in entry.parts:
                archive.write(entry, str(Path("library") / entry.relative_to(library)))
    return path


def archive_of_java(folder: Path) -> Path:
    (folder / "Main.java").write_text(JAVA)
    subprocess.run(["javac", "Main.java"], cwd=folder, check=True, timeout=240)
    subprocess.run(["jar", "cfe", "program.jar", "Main", "Main.class"], cwd=folder, check=True, timeout=240)
    return folder / "program.jar"


async def result_of(buyer: Buyer, dataset: DDO, algorithm: DDO | dict[str, Any], name: str, folder: Path) -> str:
    datasets, wanted = await buyer.order([dataset], algorithm)
    started = await buyer.consumer.start(await buyer.consumer.start_request(FREE, datasets, wanted))
    job = await buyer.finished(started["jobId"], 120)
    log = next((i for i, entry in enumerate(job["results"]) if entry["filename"] == "algorithm.log"), None)
    if job["reason"] != "completed" and log is not None:
        await buyer.consumer.result(job["jobId"], log, folder / "log")
        pytest.fail((folder / "log").read_text()[-3000:])
    return (await buyer.result(job, name, folder)).decode()


async def test_the_smallest_algorithm_of_a_library(buyer: Buyer, shelf: FileServer, tmp_path: Path) -> None:
    """It reads the documents of datasets, too, and would silently make one up for a document that it cannot read."""
    require_client("ocean-runner")
    dataset = await buyer.publish(shelf.urls["rain.csv"], compute={"publisherTrustedAlgorithms": None})
    algorithm = await buyer.publish(shelf.urls["library.zip"], kind="algorithm")
    seen = json.loads(await result_of(buyer, dataset, algorithm, "result.txt", tmp_path))
    did = dataset.id.removeprefix("did:op:")
    assert seen["files"] == [[did, RAIN]]
    assert seen["names"] == {did: "test dataset"}
    assert "Unknown" not in seen["authors"].values(), "it has made the document up"


async def test_paths_from_the_root_without_a_slash(buyer: Buyer, shelf: FileServer, tmp_path: Path) -> None:
    dataset = await buyer.publish(shelf.urls["rain.csv"], compute={"allowRawAlgorithm": True})
    assert await result_of(buyer, dataset, raw_python(RELATIVE), "seen.txt", tmp_path) == RAIN


async def test_a_java_archive(buyer: Buyer, shelf: FileServer, tmp_path: Path) -> None:
    if "program.jar" not in shelf.urls:
        pytest.skip("there is no Java compiler here to make the archive with")
    dataset = await buyer.publish(shelf.urls["rain.csv"], compute={"publisherTrustedAlgorithms": None})
    container = {**CONTAINER, "entrypoint": "java -jar $ALGO", "image": "debian"}
    described = {"language": "java", "version": "1", "container": container}
    algorithm = await buyer.publish(shelf.urls["program.jar"], kind="algorithm", algorithm=described)
    assert await result_of(buyer, dataset, algorithm, "seen.txt", tmp_path) == RAIN
