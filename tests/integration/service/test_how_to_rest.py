"""The how-tos for plain HTTP: their programs run as they stand there, and so do their curl lines."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provider_api.deploy.addresses import free_port, port_is_free
from tests.support.clients import INSTALLED, JAVASCRIPT_CONSUMER, ROOT, ocean_js
from tests.support.file_sources import FileSources
from tests.support.how_to import ADDRESSES, blocks, program, run
from tests.support.ocean_js import publish
from tests.support.service import Service

pytestmark = pytest.mark.integration


def test_consume(service: Service, sources: FileSources, tmp_path: Path) -> None:
    owners = [JAVASCRIPT_CONSUMER.address]
    dataset = publish(service, owners, [f"{sources.url}/files/rain.csv"])
    algorithm = publish(service, owners, [f"{sources.url}/files/algorithm.py"], type="algorithm", service="access")
    put_in = {
        "http://127.0.0.1:8545": service.chain_url,
        "http://127.0.0.1:8030": service.url,
        "did:op:DATASET": dataset.id,
        "did:op:ALGORITHM": algorithm.id,
    }
    printed = run([sys.executable], program("consume.md", "python", put_in), tmp_path, "program.py")
    for text in ("70 Job finished completed 0", "day,mm", "algorithm.py", "Token has been deactivated."):
        assert text in printed
    assert "'ordersJudged': False, 'reasons': []}" in printed


def test_publish_results(service: Service, sources: FileSources, tmp_path: Path) -> None:
    """Its program goes on from the one of `consume.md`."""
    owners = [JAVASCRIPT_CONSUMER.address]
    dataset = publish(service, owners, [f"{sources.url}/files/rain.csv"])
    algorithm = publish(service, owners, [f"{sources.url}/files/algorithm.py"], type="algorithm", service="access")
    put_in = {
        "http://127.0.0.1:8545": service.machine.chain_url,
        "http://127.0.0.1:8030": service.url,
        "did:op:DATASET": dataset.id,
        "did:op:ALGORITHM": algorithm.id,
    }
    code = program("consume.md", "python", put_in) + program("publish-results.md", "python", {})
    printed = run([sys.executable], code, tmp_path, "program.py")
    assert "70 completed did:op:" in printed
    assert printed.endswith("Rain, summed up 1000000000000000000\n")


def test_watch_a_job(service: Service, sources: FileSources, tmp_path: Path) -> None:
    """Its program goes on from the one of `consume.md`."""
    owners = [JAVASCRIPT_CONSUMER.address]
    dataset = publish(service, owners, [f"{sources.url}/files/rain.csv"])
    algorithm = publish(service, owners, [f"{sources.url}/files/algorithm.py"], type="algorithm", service="access")
    put_in = {
        "http://127.0.0.1:8545": service.chain_url,
        "http://127.0.0.1:8030": service.url,
        "did:op:DATASET": dataset.id,
        "did:op:ALGORITHM": algorithm.id,
    }
    code = program("consume.md", "python", put_in) + program("watch-a-job.md", "python", {})
    printed = run([sys.executable], code, tmp_path, "program.py")
    assert "finished 70 Job finished\n" in printed
    assert "\n70 completed " in printed
    assert "algorithm.log" in printed
    log = printed.rpartition("\ncomplete ")[2]
    assert log.strip()
    assert f"70 completed {log}" in printed, "both ways tell the same"


@pytest.fixture
def example_files() -> Iterator[str]:
    """The first command of publish.md, on a free port: host:port."""
    (command,) = (block for block in blocks("publish.md", "sh") if "http.server" in block)
    port = str(free_port())
    words = command.replace(".venv/bin/python", sys.executable).replace("9000", port).split()
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 90
        while port_is_free("127.0.0.1", int(port)):
            assert time.monotonic() < deadline, "it does not listen"
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
        server.kill()


def test_the_pages_one_after_the_other(example_files: str, tmp_path: Path) -> None:
    """As a reader goes: publish, consume, ocean.js, in one deployment; each takes what the page before has printed."""
    words = [block for block in blocks("publish.md", "sh") if block.rstrip().endswith("make serve")]
    assert words[0] == "C2D_OUTGOING__ALLOW_PRIVATE=127.0.0.1:9000@* make serve\n"
    environment = {"C2D_OUTGOING__ALLOW_PRIVATE": f"{example_files}@*"}
    with Service(tmp_path / "data", settings=environment) as service:
        addresses = {"http://127.0.0.1:8545": service.chain_url, "http://127.0.0.1:8030": service.url}
        files = {ADDRESSES: str(service.machine.address_file), "127.0.0.1:9000": example_files}
        printed = run([sys.executable], program("publish.md", "python", addresses | files), tmp_path, "publish.py")
        assert f"'contentLength': '{(ROOT / 'examples/rain/rain.csv').stat().st_size}'" in printed
        assert "'ordersJudged': False, 'reasons': []}" in printed
        handed_on = dict(line.split() for line in printed.splitlines() if line.startswith(("dataset ", "algorithm ")))
        dids = {"did:op:DATASET": handed_on["dataset"], "did:op:ALGORITHM": handed_on["algorithm"]}
        for _ in range(2):  # a reader may run a page again
            printed = run([sys.executable], program("consume.md", "python", addresses | dids), tmp_path, "consume.py")
            for text in ("70 Job finished completed 0", "4 of 7 days had rain", "algorithm.py"):
                assert text in printed
        version = "3.4.6"
        command = ocean_js(version)
        (tmp_path / "node_modules").symlink_to(INSTALLED / f"oceanjs-{version}" / "node_modules")
        code = f"(async () => {{\n{program('ocean-js.md', 'js', addresses | dids)}\nprocess.exit(0)\n}})()\n"
        printed = run(command, code, tmp_path, "program.cjs")
        assert "Job finished" in printed
        assert "4 of 7 days had rain" in printed


@pytest.mark.parametrize("page", ["consume.md", "publish.md"])
def test_curl(service: Service, page: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    lines = [line for block in blocks(page, "sh") for line in block.replace("\\\n", "").splitlines()]
    lines = [line for line in lines if line.startswith("curl ")]
    assert lines
    for line in lines:
        command = line.replace("http://127.0.0.1:8030", service.url) + " --fail --noproxy '*'"
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=240, check=False)
        assert (done.returncode, done.stdout[:1]) == (0, "{"), done.stderr
