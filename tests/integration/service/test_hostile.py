"""Algorithms that mean no good, each beside one that does: both end with the right reason, and nothing is left."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ocean.ddo import DDO
from provider_api.deploy.file_server import FileServer
from tests.support.service import FREE, PAID, Buyer, Service, raw_python
from tests.support.stages import assert_nothing_left, outputs_of, until
from workflow_templates.environment import read_environments
from workflow_templates.render import write

pytestmark = pytest.mark.integration

SHORT_SECONDS = 20  # the longest run in the second environment
LOG_LIMIT = 16 * 1024 * 1024
NO_CODE = "# all is in the entrypoint"
GOOD = "cat $INPUTS/*/0 | wc -l > $OUTPUTS/lines; echo well"

FORKS = """
import os, time
while True:
    if os.fork() == 0:
        time.sleep(600)
"""
STRANGE = r"""
import os, socket
out = os.fsencode(os.environ["OUTPUTS"])
def keep(name, text=b"kept"):
    with open(out + b"/" + name, "wb") as file:
        file.write(text)
for name in (b"\xff\xfe", b"new\nline", b"\xe2\x80\xaefdp.exe", b"-rf", b" ", b"..\\..\\up", b"a" * 255, b"%2e%2e%2f",
             b'"; filename="x', "grün".encode()):
    keep(name)
os.symlink("/etc/passwd", out + b"/passwd")
os.symlink("/", out + b"/root")
os.symlink("../inputs", out + b"/inputs")
os.mkfifo(out + b"/fifo")
unix = socket.socket(socket.AF_UNIX)
os.chdir(out)
unix.bind("socket")
os.link("-rf", "again")
for kind in (0o020000, 0o060000):
    try:
        os.mknod(out + b"/device", kind | 0o666, os.makedev(1, 3))
    except OSError:
        pass
deep = out
for _ in range(100):
    deep += b"/d"
    os.mkdir(deep)
open("unreadable", "w").close()
os.chmod("unreadable", 0)
os.unlink(os.environ["LOGS"] + "/algorithm.log")
os.symlink("/etc/passwd", os.environ["LOGS"] + "/algorithm.log")
"""
SHOWN = {r"\xff\xfe", r"new\x0aline", r"\xe2\x80\xaefdp.exe", "-rf", " ", r"..\x5c..\x5cup", "a" * 255, "%2e%2e%2f",
         '"; filename="x', "grün"}  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, files: FileServer) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("hostile")
    changes = {FREE: {"tmp": "16Mi"}, PAID: {"max_job_duration": SHORT_SECONDS, "price_per_minute": "0"}}
    described = [environment.model_copy(update=changes[environment.id]) for environment in read_environments()]
    write(folder / "gitops", described)
    with Service(
        folder / "service",
        allow_private=[files.address],
        settings={"C2D_LIMITS__MINIMUM_PAID_SECONDS": "1"},
        manifests=folder / "gitops" / "base",
    ) as running:
        yield running


@pytest.fixture
async def dataset(buyer: Buyer, files: FileServer) -> DDO:
    return await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})


async def started(buyer: Buyer, dataset: DDO, code: str, entrypoint: str, environment: str = FREE) -> str:
    minutes = 10 if environment == FREE else (SHORT_SECONDS - 1) / 60
    wanted = raw_python(code, entrypoint)
    ordered, algorithm = await buyer.order([dataset], wanted, environment=environment, minutes=minutes)
    job = await buyer.consumer.start(await buyer.consumer.start_request(environment, ordered, algorithm))
    return str(job["jobId"])


def verdict(job: dict[str, Any]) -> tuple[Any, ...]:
    return job["status"], job["reason"], job["exitCode"], job["stopreq"]


async def beside_a_good_one(
    buyer: Buyer, dataset: DDO, folder: Path, hostile: Awaitable[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The hostile job and a good one, when both are over and nothing is left of either."""
    bad_id, good_id = await hostile, await started(buyer, dataset, NO_CODE, GOOD)
    good = await buyer.finished(good_id)
    assert verdict(good) == (70, "completed", 0, 0)
    assert (await buyer.result(good, "lines", folder)).strip() == b"3"
    bad = await buyer.finished(bad_id, seconds=100)
    await assert_nothing_left(buyer.service.folder)
    return bad, good


async def test_a_flood_of_log(buyer: Buyer, dataset: DDO, tmp_path: Path) -> None:
    """A gigabyte: cut off, and the algorithm's own end counts."""
    flood = started(buyer, dataset, NO_CODE, "yes 0123456789 | head -c 1000000000; echo end >$OUTPUTS/end; exit 0")
    job, _ = await beside_a_good_one(buyer, dataset, tmp_path, flood)
    assert verdict(job) == (70, "completed", 0, 0)
    sizes = {entry["filename"]: entry["filesize"] for entry in job["results"]}
    assert 0 < sizes["algorithm.log"] <= LOG_LIMIT
    assert await buyer.result(job, "end", tmp_path) == b"end\n"


async def test_a_full_disk(buyer: Buyer, dataset: DDO, tmp_path: Path) -> None:
    full = started(buyer, dataset, NO_CODE, "head -c 100000000 /dev/zero >/tmp/full || exit 28")
    job, _ = await beside_a_good_one(buyer, dataset, tmp_path, full)
    assert verdict(job) == (41, "algorithm_failed", 28, 0)
    assert b"No space left" in await buyer.result(job, "algorithm.log", tmp_path)


async def test_forks_without_end(buyer: Buyer, dataset: DDO, tmp_path: Path) -> None:
    job, _ = await beside_a_good_one(buyer, dataset, tmp_path, started(buyer, dataset, FORKS, "python $ALGO"))
    assert verdict(job)[:2] == (41, "algorithm_failed")
    assert b"BlockingIOError" in await buyer.result(job, "algorithm.log", tmp_path)


async def test_a_program_that_cannot_be_told_to_end(buyer: Buyer, dataset: DDO, tmp_path: Path) -> None:
    """At its time limit, and when it is stopped: what it wrote until then is delivered."""
    deaf = "trap '' TERM INT HUP; echo kept >$OUTPUTS/early; while :; do sleep 1; done"
    late, _ = await beside_a_good_one(buyer, dataset, tmp_path, started(buyer, dataset, NO_CODE, deaf, PAID))
    assert (late["status"], late["reason"], late["stopreq"]) == (70, "time_limit", 2)
    assert await buyer.result(late, "early", tmp_path) == b"kept\n"

    job_id = await started(buyer, dataset, NO_CODE, deaf)
    early = outputs_of(buyer.service.folder, job_id) / "early"
    await until(lambda: early.exists() and early.read_text() == "kept\n", "it has written")
    await buyer.consumer.stop(job_id)
    job = await buyer.finished(job_id)
    assert (job["status"], job["reason"], job["stopreq"]) == (70, "stopped", 1)
    assert await buyer.result(job, "early", tmp_path) == b"kept\n"
    await assert_nothing_left(buyer.service.folder)


async def test_strange_things_in_outputs(buyer: Buyer, dataset: DDO, tmp_path: Path) -> None:
    job, _ = await beside_a_good_one(buyer, dataset, tmp_path, started(buyer, dataset, STRANGE, "python $ALGO"))
    assert verdict(job) == (70, "completed", 0, 0)
    outputs = [entry["filename"] for entry in job["results"] if entry["type"] == "output"]
    assert sorted(outputs) == sorted(SHOWN)
    for entry in job["results"]:
        content = await buyer.result(job, entry["filename"], tmp_path)
        assert len(content) == entry["filesize"]
        assert b"root:x:0" not in content
        if entry["type"] == "output":
            assert content == b"kept"
    assert "algorithmLog" not in [entry["type"] for entry in job["results"]], "a link in its place is not followed"
