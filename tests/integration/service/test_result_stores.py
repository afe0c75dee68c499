"""A whole job with its results in each kind of store that a setting can name: another folder, S3, IPFS."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from ocean.client import Consumer, ConsumerError
from provider_api.deploy.file_server import FileServer
from tests.support.chain import consumer, stranger
from tests.support.downloads import bought_of, document_of
from tests.support.kubo import Kubo, running_kubo
from tests.support.living_folder import paths_in
from tests.support.service import FREE, Buyer, Service, raw_python
from tests.support.stages import assert_nothing_left

pytestmark = pytest.mark.integration

PATTERN, TIMES, ODD = bytes(range(251)), 60_000, 'größe "1"; x.csv'
SIZE = len(PATTERN) * TIMES
WRITES = f"""
import os, pathlib
out = pathlib.Path(os.environ["OUTPUTS"])
(out / "empty").write_bytes(b"")
(out / {ODD!r}).write_bytes(b"odd")
(out / "large.bin").write_bytes(bytes(range(251)) * {TIMES})
print("wrote")
"""
LARGE = PATTERN * TIMES


@dataclass
class Place:
    """A service and its store; `left` tells what the store has of a job."""

    service: Service
    left: Callable[[str], Collection[object]]
    node: Kubo | None = None


@pytest.fixture(scope="module", params=["folder", "s3", "ipfs"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, files: FileServer
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("stores")
    node = None
    with ExitStack() as stack:
        if request.param == "folder":
            settings, left = {"C2D_RESULTS__URL": (folder / "my results").as_uri()}, in_folder(folder / "my results")
        elif request.param == "s3":
            settings, left = s3(stack)
        else:
            node = stack.enter_context(running_kubo(folder / "kubo"))
            settings, left = {"C2D_RESULTS__URL": node.store}, node.names_of
        service = Service(folder / "service", allow_private=[files.address], settings=settings)
        yield Place(stack.enter_context(service), left, node)


def in_folder(folder: Path) -> Callable[[str], Collection[object]]:
    return lambda job: [path.name for path in paths_in(folder / job)]


def s3(stack: ExitStack) -> tuple[dict[str, str], Callable[[str], Collection[object]]]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    stack.callback(server.stop)
    keys = {"region": "us-east-1", "access_key_id": "test", "secret_access_key": "test"}
    options = {**keys, "endpoint": f"http://127.0.0.1:{server._server.server_port}"}
    client = boto3.client(
        "s3",
        endpoint_url=options["endpoint"],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    stack.callback(client.close)
    client.create_bucket(Bucket="results")
    settings = {"C2D_RESULTS__URL": "s3://results/c2d", "C2D_RESULTS__OPTIONS": json.dumps(options)}
    return settings, lambda job: client.list_objects_v2(Bucket="results", Prefix=f"c2d/{job}/").get("Contents", [])


@pytest.fixture
async def buyer(place: Place) -> AsyncIterator[Buyer]:
    network = await place.service.network()
    async with Consumer(place.service.url, consumer) as client:
        yield Buyer(place.service, network, client)
    await network.close()


async def test_a_job(place: Place, buyer: Buyer, files: FileServer, tmp_path: Path) -> None:
    dataset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})
    ordered, algorithm = await buyer.order([dataset], raw_python(WRITES))
    started = await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, algorithm))
    job = await buyer.finished(started["jobId"])
    assert (job["status"], job["reason"]) == (70, "completed")
    assert place.left(job["jobId"])
    assert await buyer.result(job, "empty", tmp_path) == b""
    assert await buyer.result(job, ODD, tmp_path) == b"odd"
    assert await buyer.result(job, "large.bin", tmp_path) == LARGE
    assert await buyer.result(job, "algorithm.log", tmp_path) == b"wrote\n"
    if place.node is not None:
        blocks = place.node.everything()
        for text in (job["jobId"], "large.bin", "algorithm.log", "wrote"):
            assert text.encode() not in blocks, text

    index = next(result["index"] for result in job["results"] if result["filename"] == "large.bin")
    await parts(buyer, job["jobId"], index)
    await resumed(buyer, job["jobId"], index)

    await buyer.consumer.delete(job["jobId"])
    assert place.left(job["jobId"]) == []
    with pytest.raises(ConsumerError) as gone:
        await buyer.consumer.result(job["jobId"], index, tmp_path / "gone")
    assert gone.value.status == 404
    await assert_nothing_left(place.service.folder)


async def test_an_asset_outlasts_its_job(place: Place, buyer: Buyer, files: FileServer) -> None:
    dataset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})
    ordered, algorithm = await buyer.order([dataset], raw_python(WRITES))
    request = await buyer.consumer.start_request(FREE, ordered, algorithm)
    started = await buyer.consumer.start(
        {**request, "output": {"publishOutput": True, "metadata": {"name": "What a job wrote"}}}
    )
    job = await buyer.finished(started["jobId"])
    assert (job["status"], job["reason"]) == (70, "completed")
    await buyer.consumer.delete(job["jobId"])
    assert place.left(job["jobId"]) == []

    asset = await document_of(place.service, job["resultsDid"])
    bought = await bought_of(place.service, buyer.network, consumer, asset, stranger)
    outputs = [result["filename"] for result in job["results"] if result["type"] == "output"]
    contents = {"empty": b"", ODD: b"odd", "large.bin": LARGE}
    async with httpx.AsyncClient(trust_env=False) as http:
        for index, name in enumerate(outputs):
            answer = await http.get(bought.url(index))
            assert (answer.status_code, answer.content) == (200, contents[name]), name
    assert set(outputs) == set(contents)
    if place.node is not None:
        assert b"large.bin" not in place.node.everything()


async def parts(buyer: Buyer, job_id: str, index: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        for start, end in ((0, 99), (65_530, 65_545), (131_072, 196_607), (SIZE - 5, SIZE - 1)):
            url = await buyer.consumer.result_url(job_id, index)
            answer = await http.get(url, headers={"Range": f"bytes={start}-{end}"})
            assert (answer.status_code, answer.content) == (206, LARGE[start : end + 1])
            assert answer.headers["content-range"] == f"bytes {start}-{end}/{SIZE}"
        answer = await http.get(await buyer.consumer.result_url(job_id, index), headers={"Range": f"bytes={SIZE}-"})
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{SIZE}")


async def resumed(buyer: Buyer, job_id: str, index: int) -> None:
    """A download that broke off goes on where it was, as long as the file is the same one."""
    async with httpx.AsyncClient(trust_env=False) as http:
        got = bytearray()
        async with http.stream("GET", await buyer.consumer.result_url(job_id, index)) as answer:
            tag = answer.headers["etag"]
            assert answer.headers["content-length"] == str(SIZE)
            async for piece in answer.aiter_raw():
                got += piece
                if len(got) > SIZE // 3:
                    break
        assert len(got) < SIZE
        headers = {"Range": f"bytes={len(got)}-", "If-Range": tag}
        rest = await http.get(await buyer.consumer.result_url(job_id, index), headers=headers)
        assert (rest.status_code, rest.headers["etag"]) == (206, tag)
        assert bytes(got) + rest.content == LARGE
        other = await http.get(
            await buyer.consumer.result_url(job_id, index), headers=headers | {"If-Range": '"other"'}
        )
        assert (other.status_code, other.content) == (200, LARGE)
