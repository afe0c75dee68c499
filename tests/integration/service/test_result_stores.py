"""A whole job with its results in each kind of store that a setting can name: another folder, S3, IPFS."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from ocean.client import Consumer, ConsumerError
from provider_api.machine.file_server import FileServer
from tests.support.chain import consumer
from tests.support.kubo import running_kubo
from tests.support.service import FREE, Buyer, Service, raw_python
from tests.support.stages import assert_nothing_left

pytestmark = pytest.mark.integration

SIZE = 3_000_000
WRITES = f"""
import os, pathlib
out = pathlib.Path(os.environ["OUTPUTS"])
(out / "empty").write_bytes(b"")
(out / "large.bin").write_bytes(bytes(number % 251 for number in range({SIZE})))
print("wrote")
"""
LARGE = bytes(number % 251 for number in range(SIZE))


@dataclass
class Place:
    """A service and its store; `left` tells what the store has of a job."""

    service: Service
    left: object


@pytest.fixture(scope="module", params=["folder", "s3", "ipfs"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, files: FileServer
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("stores")
    with ExitStack() as stack:
        if request.param == "folder":
            settings, left = {"C2D_RESULTS__URL": (folder / "my results").as_uri()}, in_folder(folder / "my results")
        elif request.param == "s3":
            settings, left = s3(stack)
        else:
            kubo = stack.enter_context(running_kubo(folder / "kubo"))
            settings, left = {"C2D_RESULTS__URL": kubo.store}, lambda job: kubo.names(f"/c2d/jobs/{job}")
        service = Service(folder / "service", allow_private=[files.address], settings=settings)
        yield Place(stack.enter_context(service), left)


def in_folder(folder: Path) -> object:
    return lambda job: [path.name for path in (folder / job).rglob("*")]


def s3(stack: ExitStack) -> tuple[dict[str, str], object]:
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
    assert place.left(job["jobId"])  # type: ignore[operator]
    assert await buyer.result(job, "empty", tmp_path) == b""
    assert await buyer.result(job, "large.bin", tmp_path) == LARGE
    assert await buyer.result(job, "algorithm.log", tmp_path) == b"wrote\n"

    index = next(result["index"] for result in job["results"] if result["filename"] == "large.bin")
    tag = None
    async with httpx.AsyncClient(trust_env=False) as http:
        for start, end in ((0, 99), (65_530, 65_545), (131_072, 196_607), (SIZE - 5, SIZE - 1)):
            url = await buyer.consumer.result_url(job["jobId"], index)
            headers = {"Range": f"bytes={start}-{end}"} | ({"If-Range": tag} if tag else {})
            answer = await http.get(url, headers=headers)
            assert (answer.status_code, answer.content) == (206, LARGE[start : end + 1])
            assert answer.headers["content-range"] == f"bytes {start}-{end}/{SIZE}"
            tag = answer.headers["etag"]

    await buyer.consumer.delete(job["jobId"])
    assert place.left(job["jobId"]) == []  # type: ignore[operator]
    with pytest.raises(ConsumerError) as gone:
        await buyer.consumer.result(job["jobId"], index, tmp_path / "gone")
    assert gone.value.status == 404
    await assert_nothing_left(place.service.folder)
