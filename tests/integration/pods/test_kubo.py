"""Results in a real IPFS node: what others can read there, changed objects, crashes in the middle, failures told."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nacl.public import PrivateKey

from contract.exit_codes import ExitCode
from results.ipfs import PART_PIECES, KuboStore, folder_name
from results.sealed import CHUNK, HEADER, SEALED_CHUNK, seal
from results.store import (
    ResultMissing,
    Store,
    StoreConfig,
    StoreUnavailable,
    delete_job,
    load_manifest,
    open_store,
    put_object,
    stream_object,
)
from tests.support.kubo import FOLDER, Kubo, running_kubo
from tests.support.published import (
    IMPATIENT,
    JOB_ID,
    RUN,
    SERVICE,
    as_service,
    load,
    make_volume,
    read,
    run_python,
    start_python,
    use,
)

pytestmark = pytest.mark.integration
MIB = 1 << 20
PART_BYTES = PART_PIECES * CHUNK  # of content
PEAK = "print('peak', next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])\n"


@pytest.fixture
def ipfs(kubo: Kubo, job: Any) -> Iterator[StoreConfig]:
    """An empty store."""
    config = StoreConfig(kubo.store, seal_for=SERVICE.public_key)
    use(job, config)
    yield config
    asyncio.run(delete_job(as_service(config), JOB_ID))


@pytest.fixture
def fragile(tmp_path: Path, job: Any) -> Iterator[tuple[Kubo, StoreConfig]]:
    """A node that a test may kill."""
    with running_kubo(tmp_path / "kubo") as node:
        config = StoreConfig(node.store, seal_for=SERVICE.public_key)
        use(job, config)
        yield node, config


def kubo_store(config: StoreConfig) -> KuboStore:
    opened = as_service(config)
    assert isinstance(opened, KuboStore)
    return opened


# --- what others can read --------------------------------------------------------------------------------------------


def test_nothing_can_be_read_in_ipfs(kubo: Kubo, ipfs: StoreConfig, job: Any) -> None:
    """Neither contents nor names nor the job's id, which would tell its status, in any block that the node has."""
    data = make_volume(job)
    (data / "outputs/secret-of-the-consumer.csv").write_bytes(b"plain text of a result" * 10_000)
    assert job.run("publishing").returncode == 0
    paths = [file.path for file in load(ipfs, job).files]
    assert "outputs/secret-of-the-consumer.csv" in paths
    blocks = kubo.everything()
    assert folder_name(JOB_ID).encode() in blocks, "folders are among the blocks that were looked through"
    for text in (b"plain text", b"secret-of-the-consumer", b"b.csv", b"algorithm.log", b"sha256", b"publishing"):
        assert text not in blocks
    assert JOB_ID.encode() not in blocks
    asyncio.run(delete_job(as_service(ipfs), JOB_ID))
    assert folder_name(JOB_ID) not in kubo.names()


def test_a_deleted_job_is_gone_after_the_nodes_collection(fragile: tuple[Kubo, StoreConfig], job: Any) -> None:
    node, config = fragile
    make_volume(job)
    assert job.run("publishing").returncode == 0
    assert len(node.everything()) > 3 * MIB
    asyncio.run(delete_job(as_service(config), JOB_ID))
    assert node.call("repo/gc").status_code == 200
    assert len(node.everything()) < MIB


def test_without_a_key_nothing_goes_to_ipfs(kubo: Kubo, ipfs: StoreConfig, job: Any) -> None:
    make_volume(job)
    use(job, StoreConfig(ipfs.url))
    assert job.run("publishing").returncode == ExitCode.UPLOAD_INCOMPLETE
    assert kubo.names_of(JOB_ID) == []


# --- objects that are not what was sealed ----------------------------------------------------------------------------


def test_objects_that_were_changed_are_not_delivered(kubo: Kubo, ipfs: StoreConfig, job: Any) -> None:
    make_volume(job)
    (job.data / "outputs/other.bin").write_bytes(os.urandom(3 * MIB))
    assert job.run("publishing").returncode == 0
    files = {file.path: file for file in load(ipfs, job).files}
    one, other = files["outputs/other.bin"], files["outputs/models/große Datei.bin"]
    path, content = kubo_store(ipfs).path(one.key), read(ipfs, one.key)
    kept = kubo.call("files/read", path).content
    assert content == (job.data / "outputs/other.bin").read_bytes()

    swapped = kubo.call("files/read", kubo_store(ipfs).path(other.key)).content
    one_chunk_less = kept[: HEADER + 10 * SEALED_CHUNK]
    reordered = kept[:HEADER] + kept[HEADER + SEALED_CHUNK : HEADER + 2 * SEALED_CHUNK] + kept[HEADER + SEALED_CHUNK :]
    longer = b"".join(seal([content, b"and more"], SERVICE.public_key, "another/name"))
    whole = (swapped, one_chunk_less, reordered, longer, kept[:-1], kept[:HEADER], b"", kept[:-20] + b"x" + kept[-19:])
    for changed in whole:
        assert kubo.call("files/write", path, content=changed, truncate="true").is_success
        with pytest.raises(StoreUnavailable) as refused:
            read(ipfs, one.key, 0, one.filesize)
        assert (refused.value.cause, refused.value.transient) == ("SealBroken", False)
    assert kubo.call("files/write", path, content=kept, truncate="true").is_success
    assert read(ipfs, one.key, 0, one.filesize) == content
    stranger = open_store(ipfs.url, key=PrivateKey(b"1" * 32))
    with pytest.raises(StoreUnavailable):
        asyncio.run(load_manifest(stranger, JOB_ID))


@pytest.mark.parametrize("cut", [PART_BYTES + 10, PART_BYTES * 3 // 2])
def test_an_upload_that_was_cut_off_is_no_result(kubo: Kubo, ipfs: StoreConfig, cut: int) -> None:
    """The algorithm's file cannot be read to its end: what has arrived is not taken for the whole."""
    key = f"{JOB_ID}/cut"

    def pieces() -> Iterator[bytes]:
        yield bytes(cut)
        raise OSError(errno.EIO, "a bad disk")

    with pytest.raises(OSError, match="a bad disk"):
        put_object(ipfs.open(), key, pieces(), most=2 * PART_BYTES)
    assert kubo.names_of(JOB_ID) == ["cut"]
    for start in (0, PART_BYTES - 2 * CHUNK):
        with pytest.raises(StoreUnavailable, match="SealBroken"):
            read(ipfs, key, start)
    with pytest.raises(StoreUnavailable, match="SealBroken"):
        read(ipfs, key, 0, cut)


# --- a node that is away, or goes away -------------------------------------------------------------------------------


def test_a_node_that_is_away_is_worth_another_try(job: Any) -> None:
    make_volume(job)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    away = StoreConfig(
        f"ipfs+http://127.0.0.1:{port}/c2d", {"authorization": "Bearer hush-hush"}, seal_for=SERVICE.public_key
    )
    use(job, away)
    done = run_python(job, IMPATIENT + RUN)
    assert done.returncode == ExitCode.TRY_AGAIN, done.stderr
    assert not (job.folder / "results.json").exists()
    assert "hush-hush" not in done.stdout + done.stderr
    assert str(port) not in done.stdout + done.stderr
    opened = as_service(away, retry_timeout_seconds=0.1)
    for call in (load_manifest(opened, JOB_ID), delete_job(opened, JOB_ID)):
        with pytest.raises(StoreUnavailable) as failed:
            asyncio.run(call)
        assert failed.value.transient


def test_a_node_that_crashes_during_an_upload(fragile: tuple[Kubo, StoreConfig], job: Any) -> None:
    node, config = fragile
    make_volume(job)
    content = os.urandom(20 * PART_BYTES)
    (job.data / "outputs/large").write_bytes(content)
    with start_python(job, IMPATIENT.replace("0.5", "30") + RUN) as publishing:
        try:
            until(lambda: stored_bytes(node) > 5 * PART_BYTES, "a part of the file has arrived")
            node.kill()
            time.sleep(0.5)
            assert publishing.poll() is None
            node.start()
            out, err = publishing.communicate(timeout=240)
        finally:
            publishing.kill()
    assert publishing.returncode == 0, out + err
    manifest = load(config, job)
    assert manifest.complete
    large = next(file for file in manifest.files if file.filename == "large")
    assert read(config, large.key) == content


def test_a_node_that_crashes_during_a_download(fragile: tuple[Kubo, StoreConfig]) -> None:
    """Of a file that is larger than all buffers between two processes."""
    node, config = fragile
    content, key = os.urandom(64 * MIB), f"{JOB_ID}/large"
    put_object(config.open(), key, [content], most=len(content))

    async def crash() -> None:
        node.kill()
        await asyncio.sleep(0.5)
        await asyncio.to_thread(node.start)

    async def fetch() -> bytes:
        got, crashing = bytearray(), None
        async for piece in stream_object(as_service(config), key, start=1):
            got += piece
            if crashing is None and len(got) > MIB:
                crashing = asyncio.create_task(crash())
                await asyncio.sleep(0)
                assert not node.running
        assert crashing is not None
        await crashing
        return bytes(got)

    assert asyncio.run(fetch()) == content[1:]


def test_a_consumer_who_leaves(ipfs: StoreConfig, caplog: pytest.LogCaptureFixture) -> None:
    """In the middle, or after the first piece: nothing stays open, nothing is logged, nothing is locked."""
    content, key = os.urandom(2 * PART_BYTES), f"{JOB_ID}/left"
    put_object(ipfs.open(), key, [content], most=len(content))

    async def leave() -> None:
        pieces = stream_object(as_service(ipfs), key)
        assert await anext(pieces) == content[:CHUNK]
        await pieces.aclose()  # type: ignore[attr-defined]
        dropped = stream_object(as_service(ipfs), key)
        await anext(dropped)
        del dropped
        gc.collect()
        await asyncio.sleep(0.2)

    asyncio.run(leave())
    assert caplog.records == []
    put_object(ipfs.open(), key, [b"again"], most=10)
    assert read(ipfs, key) == b"again"


def stored_bytes(node: Kubo) -> int:
    """Of the largest object."""
    entries = node.call("files/ls", f"{FOLDER}/{folder_name(JOB_ID)}", long="true").json().get("Entries") or []
    return max((entry["Size"] for entry in entries), default=0)


def until(condition: Any, what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


# --- failures and rights ---------------------------------------------------------------------------------------------


def test_a_removal_that_fails_is_told(kubo: Kubo) -> None:
    """Kubo answers 200 to it. Here a file is where the store's folder should be."""
    assert kubo.call("files/write", "/no-folder", content=b"x", create="true").is_success
    opened = as_service(StoreConfig(f"ipfs+{kubo.url}/no-folder"), retry_timeout_seconds=0)
    with pytest.raises(StoreUnavailable, match="not removed"):
        asyncio.run(delete_job(opened, JOB_ID))
    empty = as_service(StoreConfig(f"ipfs+{kubo.url}/nobody/has/made/this"), retry_timeout_seconds=0)
    asyncio.run(delete_job(empty, JOB_ID))


def test_a_block_that_the_node_has_lost(fragile: tuple[Kubo, StoreConfig]) -> None:
    """What could be read is delivered, and then it is an error, never a short result."""
    node, config = fragile
    key, content = f"{JOB_ID}/lost", os.urandom(4 * MIB)
    put_object(config.open(), key, [content], most=len(content))
    opened = as_service(config, retry_timeout_seconds=0.3)
    assert isinstance(opened, KuboStore)
    cid = node.call("files/stat", opened.path(key)).json()["Hash"]
    blocks = [line for line in node.call("refs", cid).text.splitlines() if line]
    lost = blocks[len(blocks) // 2].split('"')[3]
    assert node.call("block/rm", lost, force="true").is_success
    node.kill()
    node.start()  # nothing of it is in memory any more
    got = bytearray()

    async def collect(store: Store) -> None:
        async for piece in stream_object(store, key):
            got.extend(piece)

    with pytest.raises(StoreUnavailable) as failed:
        asyncio.run(collect(opened))
    assert failed.value.transient
    assert CHUNK <= len(got) < len(content)
    assert content.startswith(got)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubo]:
    """A node that lets publishing pods write, the service use its tree, and nobody else do anything."""
    writing = [f"/api/v0/files/{command}" for command in ("write", "flush", "stat")]
    rights = {"pods": writing, "service": ["/api/v0/files"]}
    with running_kubo(tmp_path_factory.mktemp("guarded") / "kubo", rights) as node:
        yield node


def with_token(node: Kubo, token: str) -> StoreConfig:
    return StoreConfig(node.store, {"authorization": f"Bearer {token}"}, seal_for=SERVICE.public_key)


def test_pods_may_write_and_the_service_may_read(guarded: Kubo, job: Any) -> None:
    make_volume(job)
    use(job, with_token(guarded, "pods"))
    assert job.run("publishing").returncode == 0
    assert load(with_token(guarded, "service"), job).complete
    with pytest.raises(StoreUnavailable, match="HTTP 403") as refused:
        asyncio.run(load_manifest(as_service(with_token(guarded, "pods")), JOB_ID))
    assert not refused.value.transient
    with pytest.raises(StoreUnavailable, match="HTTP 403"):
        asyncio.run(delete_job(as_service(with_token(guarded, "pods")), JOB_ID))
    asyncio.run(delete_job(as_service(with_token(guarded, "service")), JOB_ID))
    with pytest.raises(ResultMissing):
        asyncio.run(load_manifest(as_service(with_token(guarded, "service")), JOB_ID))


def test_a_node_that_refuses_is_final(guarded: Kubo, job: Any) -> None:
    make_volume(job)
    use(job, with_token(guarded, "somebody"))
    assert job.run("publishing").returncode == ExitCode.UPLOAD_INCOMPLETE
    assert "somebody" not in job.log("publish.log")


# --- size ------------------------------------------------------------------------------------------------------------


def test_memory_stays_flat_both_ways(ipfs: StoreConfig, job: Any) -> None:
    data = make_volume(job)
    for name in ("large", "large-2", "large-3", "large-4"):
        with (data / "outputs" / name).open("wb") as file:
            file.truncate(100 * MIB)
    up = run_python(job, IMPATIENT + "code = p.run(os.environ)\n" + PEAK + "sys.exit(code)\n")
    assert up.returncode == 0, up.stdout + up.stderr
    large = next(file for file in load(ipfs, job).files if file.filename == "large")
    assert large.filesize == 100 * MIB
    code = (
        "import asyncio, nacl.public, results.store as s\n"
        f"store = s.open_store({ipfs.url!r}, key=nacl.public.PrivateKey(bytes(32)))\n"
        "async def count():\n"
        f"    return sum([len(piece) async for piece in s.stream_object(store, {large.key!r})])\n"
        "print(asyncio.run(count()))\n"
    )
    down = run_python(job, code + PEAK)
    assert down.stdout.split()[0] == str(large.filesize), down.stderr
    peaks = [int(out.stdout.split()[-1]) // 1024 for out in (up, down)]
    assert peaks[0] < 180, peaks  # MiB; four uploads at once
    assert peaks[1] < 80, peaks
