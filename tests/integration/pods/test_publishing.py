"""The publishing step as a process, into a folder, a real S3 server, a real IPFS node, over trees that mean no good."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import obstore
import pytest
from moto.server import ThreadedMotoServer

from contract.exit_codes import ExitCode
from contract.manifest import ManifestInvalid
from pods.publishing.sources import MAX_LOG_BYTES
from pods.publishing.tree import Found, NotReadable, find_files, open_found
from results.folder import FolderStore
from results.store import (
    ResultMissing,
    StoreConfig,
    Stored,
    StoreUnavailable,
    delete_job,
    load_manifest,
    open_store,
    put_object,
    stored_jobs,
)
from tests.support.kubo import Kubo
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
    use,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def s3() -> Iterator[StoreConfig]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = server._server.server_port
    options = {
        "endpoint": f"http://127.0.0.1:{port}",
        "region": "us-east-1",
        "access_key_id": "test",
        "secret_access_key": "secret-of-the-store",
    }
    client = boto3.client(
        "s3",
        endpoint_url=options["endpoint"],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket="results")
    yield StoreConfig("s3://results/c2d/jobs", options)
    client.close()
    server.stop()


@pytest.fixture
def ipfs(kubo: Kubo, job: Any) -> StoreConfig:
    config = StoreConfig(kubo.store, seal_for=SERVICE.public_key)
    use(job, config)
    return config


@pytest.fixture(params=["folder", "s3", "ipfs"])
def store(request: pytest.FixtureRequest, job: Any) -> StoreConfig:
    if request.param in ("s3", "ipfs"):
        config: StoreConfig = request.getfixturevalue(request.param)
    else:
        config = StoreConfig(f"file://{job.folder}/my%20results")
    use(job, config)
    return config


@pytest.fixture
def folder_store(job: Any) -> StoreConfig:
    config = StoreConfig(f"file://{job.folder}/results")
    use(job, config)
    return config


def test_everything_is_published_in_order(store: StoreConfig, job: Any) -> None:
    data = make_volume(job)
    done = job.run("publishing")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    manifest = load(store, job)
    assert [(file.path, file.type) for file in manifest.files] == [
        ("outputs/.hidden", "output"),
        ("outputs/B.csv", "output"),
        ("outputs/b.csv", "output"),
        ("outputs/models/große Datei.bin", "output"),
        ("logs/extra.txt", "output"),
        ("logs/algorithm.log", "algorithmLog"),
        ("adminlogs/configure.log", "configrationLog"),
        ("adminlogs/publish.log", "publishLog"),
    ]
    assert manifest.complete
    assert manifest.left_out == ()
    assert manifest.run is not None
    assert (manifest.run.started, manifest.run.finished) == (100, 160)
    assert manifest.files[2].content_type == "text/csv"
    for file in manifest.files:
        content = read(store, file.key)
        assert (file.filesize, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert file.filename == file.path.rpartition("/")[2]
        if file.type in ("output", "algorithmLog"):
            assert content == (data / file.path).read_bytes()  # the algorithm's own log is left as it is
    assert read(store, manifest.files[6].key) == b"got [url] in 1 s\nfine\n"
    assert b"publishing 7 files" in read(store, manifest.files[7].key)
    summary = json.loads((job.folder / "results.json").read_text())
    told = {"index": 2, "filename": "b.csv", "filesize": 4, "type": "output", "path": "outputs/b.csv"}
    assert summary["files"][2] == told | {"sha256": manifest.files[2].sha256}


def test_ranges_are_read_and_a_job_is_deleted(store: StoreConfig, job: Any) -> None:
    make_volume(job)
    assert job.run("publishing").returncode == 0
    manifest = load(store, job)
    big = manifest.files[3]
    content = read(store, big.key)
    assert read(store, big.key, 10, 20) == content[10:20]
    assert read(store, big.key, len(content) - 5) == content[-5:]
    assert read(store, big.key, 5, 5) == b""
    asyncio.run(delete_job(store.open(), JOB_ID))
    asyncio.run(delete_job(store.open(), JOB_ID))
    with pytest.raises(ResultMissing):
        read(store, big.key)
    with pytest.raises(ResultMissing):
        asyncio.run(load_manifest(as_service(store), JOB_ID))


def test_deleting_takes_all_of_one_job_and_nothing_of_others(store: StoreConfig) -> None:
    """More objects than one request deletes, and jobs whose ids begin alike. Nobody minds who else deletes it too."""
    count = 100 if store.url.startswith("ipfs") else 1200  # a folder of IPFS is removed as one
    mine = [f"{JOB_ID}/outputs{number:04}" for number in range(count)]
    others = [f"{JOB_ID}b/x", f"{JOB_ID[:-1]}/x"]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: put_object(store.open(), key, [key.encode()], most=100), [*mine, *others]))
    assert read(store, mine[-1]) == mine[-1].encode()

    async def delete() -> None:
        await asyncio.gather(*(delete_job(as_service(store), JOB_ID) for _ in range(3)))

    asyncio.run(delete())
    for key in (mine[0], mine[count // 2], mine[-1]):
        with pytest.raises(ResultMissing):
            read(store, key)
    assert [read(store, key) for key in others] == [key.encode() for key in others]
    for no_job in ("", ".", "..", f"{JOB_ID}/outputs", "../results"):
        with pytest.raises(ValueError, match="not a job id"):
            asyncio.run(delete_job(as_service(store), no_job))


def test_deleting_takes_what_a_folder_does_not_list(tmp_path: Path) -> None:
    """Of an upload that was killed the beginning is left, in a file that is no object; and folders."""
    opened = open_store(f"file://{tmp_path}/results")
    outputs = tmp_path / "results" / JOB_ID / "outputs"
    outputs.mkdir(parents=True)
    (outputs / "model.bin#1").write_bytes(b"half")
    assert isinstance(opened, FolderStore)
    assert [item for page in obstore.list(opened.backend) for item in page] == []
    asyncio.run(delete_job(opened, JOB_ID))
    assert list((tmp_path / "results").iterdir()) == []


def test_deleting_while_the_store_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    options = {"endpoint": f"http://127.0.0.1:{port}", "region": "x", "access_key_id": "x", "secret_access_key": "x"}
    opened = open_store("s3://results", options, retry_timeout_seconds=0.1)
    with pytest.raises(StoreUnavailable) as failed:
        asyncio.run(delete_job(opened, JOB_ID))
    assert failed.value.transient


def test_an_empty_volume_gives_the_steps_own_log(store: StoreConfig, job: Any) -> None:
    assert job.run("publishing").returncode == 0
    assert [file.path for file in load(store, job).files] == ["adminlogs/publish.log"]


def test_publishing_twice_is_publishing_once(store: StoreConfig, job: Any) -> None:
    data = make_volume(job)
    assert job.run("publishing").returncode == 0
    (data / "outputs/late.txt").write_text("written by a dying algorithm")
    assert job.run("publishing").returncode == 0
    manifest = load(store, job)
    assert len(manifest.files) == 9
    assert manifest.complete


def test_a_changed_manifest_is_noticed(folder_store: StoreConfig, job: Any) -> None:
    make_volume(job)
    assert job.run("publishing").returncode == 0
    path = job.folder / "results" / JOB_ID / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"b.csv", b"c.csv"))
    with pytest.raises(ManifestInvalid):
        load(folder_store, job)
    assert asyncio.run(load_manifest(folder_store.open(), JOB_ID)).files


def test_a_hostile_tree(folder_store: StoreConfig, job: Any) -> None:
    data = make_volume(job)
    out = os.fsencode(data / "outputs") + b"/"
    outside = job.folder / "outside"
    outside.mkdir()
    (outside / "secret").write_text("not for you")
    os.symlink("/etc/passwd", out + b"passwd")
    os.symlink(outside, out + b"folder")
    os.symlink("loop", out + b"loop")
    os.mkfifo(out + b"fifo")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(out + b"socket")
    with contextlib.suppress(OSError):
        os.mknod(out + b"device", 0o600 | 0o020000, os.makedev(0, 0))
    os.link(out + b"b.csv", out + b"z-second-name.csv")
    with open(out + b"sparse", "wb") as file:
        file.truncate(1 << 40)
    Path(os.fsdecode(out + b"new\nline\x1b[31m\xff.txt")).write_bytes(b"odd")
    Path(os.fsdecode(out + b"new\\x0aline.txt")).write_bytes(b"other")
    deep = os.open(out, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir(b"d", dir_fd=deep)
        below = os.open(b"d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(deep)
    (data / "logs/algorithm.log").unlink()
    (data / "logs/algorithm.log").symlink_to(outside / "secret")
    done = job.run("publishing")
    assert (done.returncode, done.stderr) == (0, "")
    manifest = load(folder_store, job)
    reasons = {entry.path: entry.reason for entry in manifest.left_out}
    assert reasons.pop("outputs/device", "special_file") == "special_file"
    assert reasons == {
        "outputs/passwd": "link",
        "outputs/folder": "link",
        "outputs/loop": "link",
        "outputs/fifo": "special_file",
        "outputs/socket": "special_file",
        "outputs/z-second-name.csv": "hard_link",
        "outputs/sparse": "too_large",
        "outputs/" + "d/" * 63 + "d": "too_deep",
        "logs/algorithm.log": "link",
    }
    odd = [file for file in manifest.files if "line" in file.path]
    assert {file.path: read(folder_store, file.key) for file in odd} == {
        "outputs/new\\x0aline\\x1b[31m\\xff.txt": b"odd",
        "outputs/new\\x5cx0aline.txt": b"other",
    }
    stored = [path.read_bytes() for path in (job.folder / "results").rglob("*") if path.is_file()]
    assert not any(b"not for you" in content or b"root:" in content for content in stored)
    subprocess.run(["rm", "-rf", str(data)], check=True)  # pytest's own clean-up stumbles over the depth


def test_unreadable_files_are_named(open_job: Any) -> None:
    """As a user who is not root, on files of another user: the algorithm's image chose its own."""
    job = open_job
    config = StoreConfig(f"file://{job.folder}/results")
    use(job, config)
    data = make_volume(job)
    (data / "outputs/b.csv").chmod(0)
    (data / "outputs/models").chmod(0)
    for path in (data / "adminlogs", data / "adminlogs/configure.log", job.folder / "store", job.folder):
        path.chmod(0o777)
    code = (
        "import os, sys, pods.publishing.program as p\n"
        "if os.geteuid() == 0:\n"
        "    os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)\n"
        "sys.exit(p.run(os.environ))\n"
    )
    done = run_python(job, code)
    (data / "outputs/models").chmod(0o700)
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = load(config, job)
    assert {(entry.path, entry.reason) for entry in manifest.left_out} == {
        ("outputs/b.csv", "unreadable"),
        ("outputs/models", "unreadable"),
    }
    assert len(manifest.files) == 6


def test_limits_of_count_and_size(folder_store: StoreConfig, job: Any) -> None:
    data = make_volume(job)
    job.changes |= {"C2D_MAX_OUTPUT_FILES": "3"}
    assert job.run("publishing").returncode == 0
    manifest = load(folder_store, job)
    outputs = [file.path for file in manifest.files if file.type == "output"]
    assert outputs == ["outputs/.hidden", "outputs/B.csv", "outputs/b.csv"]
    assert {entry.reason for entry in manifest.left_out} == {"too_many"}
    assert any(file.type == "algorithmLog" for file in manifest.files)
    job.changes |= {"C2D_MAX_OUTPUT_FILES": "100", "C2D_MAX_OUTPUT_BYTES": "1000"}
    (data / "outputs/more").write_bytes(b"m" * 990)
    assert job.run("publishing").returncode == 0
    manifest = load(folder_store, job)
    assert {entry.path for entry in manifest.left_out} == {"outputs/models/große Datei.bin"}


@pytest.mark.parametrize("sparse", ["outputs/sparse", "logs/sparse"])
def test_holes_count_in_full_before_anything_is_written(store: StoreConfig, job: Any, sparse: str) -> None:
    """A file without a single block would be as long in the store as it looks."""
    data = make_volume(job)
    (data / sparse).touch()
    os.truncate(data / sparse, 1 << 40)
    assert (data / sparse).stat().st_blocks == 0
    job.changes |= {"C2D_MAX_OUTPUT_BYTES": str(8 << 20)}
    assert job.run("publishing").returncode == 0
    manifest = load(store, job)
    assert [(entry.path, entry.reason) for entry in manifest.left_out] == [(sparse, "too_large")]
    assert manifest.complete
    assert sum(file.filesize for file in manifest.files) < 4 << 20


@pytest.mark.parametrize("count", [2, 50])
def test_many_small_holes_are_counted_together(folder_store: StoreConfig, job: Any, count: int) -> None:
    data = make_volume(job)
    for number in range(count):
        (data / f"outputs/{number:03}").touch()
        os.truncate(data / f"outputs/{number:03}", 1 << 20)
    job.changes |= {"C2D_MAX_OUTPUT_BYTES": str(5 << 20)}
    assert job.run("publishing").returncode == 0
    manifest = load(folder_store, job)
    written = sum(file.filesize for file in manifest.files if file.path.startswith("outputs/"))
    assert written <= 5 << 20
    assert len(manifest.files) + len(manifest.left_out) == 8 + count


def test_a_log_that_an_algorithm_blew_up_is_cut(folder_store: StoreConfig, job: Any) -> None:
    """It is published whatever else is left out, so it needs a limit of its own."""
    data = make_volume(job)
    os.truncate(data / "logs/algorithm.log", 1 << 40)
    job.changes |= {"C2D_MAX_OUTPUT_BYTES": "1000"}
    assert job.run("publishing").returncode == 0
    manifest = load(folder_store, job)
    (log,) = [file for file in manifest.files if file.type == "algorithmLog"]
    assert log.filesize == MAX_LOG_BYTES
    assert read(folder_store, log.key, 0, 8) == b"see http"
    assert ("logs/algorithm.log", "log_cut") in [(entry.path, entry.reason) for entry in manifest.left_out]


def test_a_full_store_keeps_its_reserve(folder_store: StoreConfig, job: Any) -> None:
    """The logs arrive, and the owner is told what did not."""
    make_volume(job)
    place = os.statvfs(job.folder)
    free = place.f_bavail * place.f_frsize
    job.changes |= {"C2D_STORE_RESERVE_BYTES": str(10 * free)}
    assert job.run("publishing").returncode == ExitCode.UPLOAD_INCOMPLETE
    manifest = load(folder_store, job)
    assert not manifest.complete
    assert {entry.reason for entry in manifest.left_out} == {"store_full"}
    assert "outputs/b.csv" in {entry.path for entry in manifest.left_out}
    assert [file.type for file in manifest.files if file.filesize] == ["configrationLog", "publishLog"]
    job.changes |= {"C2D_STORE_RESERVE_BYTES": "0"}
    assert job.run("publishing").returncode == 0
    assert load(folder_store, job).complete


def test_a_job_sees_only_its_own_folder_of_the_store(job: Any) -> None:
    """Where the root of the store is not a volume, and only the job's folder in it can be written to."""
    root = job.folder / "mounts"
    (root / JOB_ID).mkdir(parents=True)
    config = StoreConfig(f"file://{root}")
    use(job, config)
    make_volume(job)
    root.chmod(0o555)
    try:
        done = job.run("publishing")
    finally:
        root.chmod(0o755)
    assert done.returncode == 0, done.stdout
    assert load(config, job).complete
    assert [path.name for path in root.iterdir()] == [JOB_ID]


def test_jobs_in_the_store_are_listed_with_the_time_of_their_last_word(store: StoreConfig, job: Any) -> None:
    """Assets and other folders are nobody's job. In IPFS the names of folders say nothing."""
    make_volume(job)
    before = time.time() - 2
    assert job.run("publishing").returncode == 0
    opened = as_service(store)
    for name in ("asset-" + "0" * 64, f"asset-{JOB_ID}/{'0' * 64}", "00" + "b2" * 15, "notes"):
        put_object(store.open(), f"{name}/manifest.json", [b"{}"], most=2)

    async def listed() -> list[Stored]:
        return [found async for found in stored_jobs(opened)]

    found = {one.job_id: one.written_at for one in asyncio.run(listed())}
    if store.url.startswith("ipfs"):
        assert found == {}
    else:
        assert set(found) == {JOB_ID, "00" + "b2" * 15}
        assert all(before <= moment <= time.time() + 2 for moment in found.values())
        asyncio.run(delete_job(opened, "00" + "b2" * 15))


def test_too_many_entries_do_not_fill_the_memory(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"d{number}").mkdir()
    found, skipped = find_files(tmp_path, max_files=10)
    assert found == []
    assert [entry.reason for entry in skipped].count("too_many") <= 1
    for number in range(300):
        os.mkfifo(tmp_path / f"f{number}")
    found, skipped = find_files(tmp_path, max_files=10)
    assert len(skipped) == 101


def test_a_file_that_was_swapped_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/f").write_text("secret")
    root = tmp_path / "outputs"
    (root / "a").mkdir(parents=True)
    (root / "a/f").write_text("mine")
    found, _ = find_files(root, max_files=10)
    (root / "a").rename(root / "old")
    (root / "a").symlink_to(tmp_path / "outside")
    with pytest.raises(NotReadable, match="changed"):
        open_found(root, found[0])
    (root / "a").unlink()
    (root / "a").mkdir()
    (root / "a/f").hardlink_to(tmp_path / "outside/f")
    with pytest.raises(NotReadable, match="changed"):
        open_found(root, found[0])
    (root / "a/f").unlink()
    os.mkfifo(root / "a/f")
    with pytest.raises(NotReadable, match="changed"):
        open_found(root, Found(b"a/f", 1, (0, 0)))


def test_a_file_that_grows_or_shrinks_is_published_as_it_can_be(folder_store: StoreConfig, job: Any) -> None:
    data = make_volume(job)
    stop = threading.Event()

    def keep_writing() -> None:
        with (data / "outputs/growing").open("ab") as file:
            while not stop.is_set():
                file.write(b"x" * 1000)
                file.flush()
                time.sleep(0.001)

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        assert job.run("publishing").returncode == 0
    finally:
        stop.set()
        writer.join()
    file = next(file for file in load(folder_store, job).files if file.filename == "growing")
    content = read(folder_store, file.key)
    assert content == b"x" * file.filesize


def test_a_store_that_is_away_is_worth_another_try(job: Any) -> None:
    make_volume(job)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = StoreConfig(
        "s3://results", {"endpoint": f"http://127.0.0.1:{port}", "access_key_id": "a", "secret_access_key": "hush-hush"}
    )
    use(job, config)
    done = run_python(job, IMPATIENT + RUN)
    assert done.returncode == ExitCode.TRY_AGAIN, done.stderr
    assert not (job.folder / "results.json").exists()
    assert "hush-hush" not in done.stdout + done.stderr
    assert str(port) not in done.stdout + done.stderr


def test_a_store_that_refuses_is_final(s3: StoreConfig, job: Any) -> None:
    make_volume(job)
    use(job, StoreConfig("s3://no-such-bucket", s3.options))
    assert job.run("publishing").returncode == ExitCode.UPLOAD_INCOMPLETE
    use(job, StoreConfig("ftp://x"))
    done = job.run("publishing")
    assert done.returncode == ExitCode.UPLOAD_INCOMPLETE
    (job.folder / "store/store.json").unlink()
    assert job.run("publishing").returncode == ExitCode.UPLOAD_INCOMPLETE


def test_what_arrived_is_listed_when_something_did_not(folder_store: StoreConfig, job: Any) -> None:
    make_volume(job)
    in_the_way = job.folder / "results" / JOB_ID / "outputs" / "b.csv"
    in_the_way.mkdir(parents=True)
    (in_the_way / "x").write_text("")
    done = job.run("publishing")
    manifest = load(folder_store, job)
    assert done.returncode == ExitCode.UPLOAD_INCOMPLETE
    assert not manifest.complete
    assert ("outputs/b.csv", "upload_failed") in {(entry.path, entry.reason) for entry in manifest.left_out}


def test_memory_stays_flat_with_a_large_file(folder_store: StoreConfig, job: Any) -> None:
    data = make_volume(job)
    with (data / "outputs/large").open("wb") as file:
        file.truncate(600 << 20)
    code = (
        "import os, pods.publishing.program as p\n"
        "code = p.run(os.environ)\n"
        "peak = [line for line in open('/proc/self/status') if line.startswith('VmHWM')][0]\n"
        "print('peak', peak.split()[1], 'code', int(code))\n"
    )
    out = run_python(job, code).stdout.splitlines()[-1].split()
    assert out[3] == "0"
    assert int(out[1]) < 150 << 10  # kB
    large = next(file for file in load(folder_store, job).files if file.filename == "large")
    assert large.filesize == 600 << 20


def test_open_store_refuses_other_addresses() -> None:
    for url in ("ftp://x/y", "file://host/path", "s3:///x", "/plain/path", ""):
        with pytest.raises(ValueError, match="result store"):
            open_store(url)
    with pytest.raises(ValueError, match="not accepted"):
        open_store("s3://bucket", {"no_such_option": "hush"})
