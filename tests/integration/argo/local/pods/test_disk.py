"""What a pod may take of the disk: counted however it is hidden, and the pod is ended with the reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from argo.local.pods.runtime import Mount, VolumeLimit
from argo.local.pods.watcher.disk import DEEPEST, ENTRY_BYTES, removed_files, used_bytes
from tests.support.pods import Pods, Ran

pytestmark = pytest.mark.integration
LIMIT = 8 << 20


async def run(pods: Pods, script: str) -> Ran:
    volume = pods.volume()
    limits = (VolumeLimit(volume, LIMIT, "data", "8Mi"),)
    mounts = (Mount(volume, "/data", read_only=False),)
    return await pods.run("sh", "-c", script, mounts=mounts, volumes=limits, grace_seconds=0)


@pytest.mark.parametrize(
    "script",
    [
        "head -c 20M /dev/zero > /data/one; sleep 60",
        "head -c 20M /dev/zero > /data/one",  # and gone before anybody looks
        "for i in $(seq 40); do head -c 512K /dev/zero > /data/$i; done; sleep 60",
        "mkdir -p /data/a/b/c; head -c 20M /dev/zero > /data/a/b/c/one; sleep 60",
        "exec 3> /data/gone; rm /data/gone; head -c 20M /dev/zero >&3; sleep 60",
        "(exec 3> /data/gone; rm /data/gone; head -c 20M /dev/zero >&3; sleep 60) & wait",
        "mkdir /data/many; cd /data/many; for i in $(seq 2500); do : > $i; done; sleep 60",
    ],
    ids=["one file", "quick", "some files", "deep", "removed but open", "removed by a child", "many empty files"],
)
async def test_a_pod_that_takes_more_is_ended(pods: Pods, script: str) -> None:
    ran = await run(pods, script)
    assert ran.end.why == "out_of_disk"
    assert ran.end.message == 'Usage of EmptyDir volume "data" exceeds the limit "8Mi"'


@pytest.mark.parametrize(
    "script",
    [
        "head -c 4M /dev/zero > /data/one; sleep 1.5",
        "truncate -s 1G /data/sparse; sleep 1.5",
        "head -c 4M /dev/zero > /data/one; for i in 1 2 3 4; do ln /data/one /data/$i; done; sleep 1.5",
        "for i in 1 2 3; do head -c 4M /dev/zero > /data/one; rm /data/one; done; sleep 1.5",
        "ln -s / /data/link; sleep 1.5",
    ],
    ids=["below", "sparse", "one file with many names", "written and removed", "a link"],
)
async def test_a_pod_that_takes_less_goes_on(pods: Pods, script: str) -> None:
    ran = await run(pods, script)
    assert (ran.end.why, ran.end.code) == ("exited", 0)


def used(folder: Path, enough: int, removed: dict[tuple[int, int], int]) -> int:
    handle = os.open(folder, os.O_RDONLY)
    try:
        return used_bytes(handle, enough, removed)
    finally:
        os.close(handle)


def test_counting(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    (tmp_path / "b").mkdir()
    os.link(tmp_path / "a", tmp_path / "b" / "a")
    real = (tmp_path / "a").stat().st_blocks * 512 + max((tmp_path / "b").stat().st_blocks * 512, ENTRY_BYTES)
    assert used(tmp_path, 1 << 40, {}) == real
    here = tmp_path
    for _ in range(DEEPEST + 2):
        here = here / "d"
        here.mkdir()
    assert used(tmp_path, 1 << 40, {}) > 1 << 40


def test_files_without_a_name_are_seen(tmp_path: Path) -> None:
    with (tmp_path / "gone").open("wb") as file:
        file.write(b"x" * 1_000_000)
        file.flush()
        info = os.fstat(file.fileno())
        (tmp_path / "gone").unlink()
        assert removed_files(os.getpid())[info.st_dev, info.st_ino] >= 1_000_000
        assert used(tmp_path, 1 << 40, removed_files(os.getpid())) >= 1_000_000
