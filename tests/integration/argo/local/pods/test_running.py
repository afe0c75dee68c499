"""What a pod finds when it runs, and what is told of it."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from argo.local.pods import Image, Images, SandboxRuntime
from argo.local.pods.runtime import Container, ImageUnavailable, Limits, Mount, PodSpec
from tests.support.pods import Pods, read_only, unpack_image, writable

pytestmark = pytest.mark.integration


async def test_exit_code_log_and_times(pods: Pods) -> None:
    before = time.time()
    ran = await pods.run(
        "sh", "-c", "echo out; echo err >&2; echo $GREETING; pwd; exit 7", env={"GREETING": "hi {{x}}"}
    )
    assert (ran.end.why, ran.end.code, ran.end.message) == ("exited", 7, "")
    assert ran.log == "out\nerr\nhi {{x}}\n/\n"
    assert ran.end.started_at is not None
    assert before < ran.end.started_at <= ran.end.finished_at < time.time()


async def test_states_follow_each_other(pods: Pods) -> None:
    folder = pods.folder()
    assert pods.runtime.status(folder).state == "absent"
    volume = pods.volume()
    mounts = (writable(volume, "/data"),)
    held = "while ! [ -e /data/%s ]; do sleep 0.02; done"
    init = (Container("debian", ("sh", "-c", held % "begin"), {}, mounts),)
    folder = pods.start("sh", "-c", held % "end", init=init, mounts=mounts)
    assert pods.runtime.status(folder).state == "starting"
    (volume / "begin").touch()
    running = await pods.runtime.wait(folder)
    assert running.state == "running"
    assert running.started_at is not None
    (volume / "end").touch()
    ended = await pods.runtime.wait(folder)
    assert ended.state == "ended"
    assert ended == pods.runtime.status(folder) == await pods.runtime.wait(folder)


async def test_the_log_grows_while_it_runs(pods: Pods) -> None:
    folder = pods.start("sh", "-c", "echo one; read -r _ < /data/fifo; echo two", mounts=_fifo(pods))
    assert await pods.until(folder, "one") == "one\n"
    (pods.base / "volumes/volume/fifo").open("w").close()
    assert (await pods.ended(folder)).log == "one\ntwo\n"


def _fifo(pods: Pods) -> tuple[Mount]:
    fifo = pods.volume() / "fifo"
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    return (read_only(fifo.parent, "/data"),)


async def test_starting_twice_runs_once(pods: Pods) -> None:
    volume = pods.volume()
    container = Container("debian", ("sh", "-c", "echo x >> /data/runs"), {}, (writable(volume, "/data"),))
    folder, spec = pods.folder(), PodSpec("p", container)
    for _ in range(3):
        pods.runtime.start(folder, spec)
    await pods.ended(folder)
    pods.runtime.start(folder, spec)
    assert pods.runtime.status(folder).state == "ended"
    assert (volume / "runs").read_text() == "x\n"


async def test_volumes_pass_from_pod_to_pod(pods: Pods) -> None:
    volume = pods.volume()
    made = await pods.run(
        "sh", "-c", "mkdir /data/inputs; echo 5 > /data/inputs/0", mounts=(writable(volume, "/data"),)
    )
    assert made.end.code == 0, made.log
    mounts = (read_only(volume / "inputs", "/data/inputs"), writable(pods.volume("out"), "/data/outputs"))
    read = await pods.run("sh", "-c", "cat /data/inputs/0 | tee /data/outputs/copy", mounts=mounts)
    assert (read.end.code, read.log) == (0, "5\n")
    assert (pods.base / "volumes/out/copy").read_text() == "5\n"


async def test_a_closed_file_of_the_server_is_handed_over_read_only(pods: Pods) -> None:
    secret, folder = pods.base / "job-spec", pods.base / "keys"
    secret.touch(mode=0o600)
    secret.write_text("sealed")
    folder.mkdir(mode=0o700)
    (folder / "environment.key").touch(mode=0o600)
    (folder / "environment.key").write_text("key")
    mounts = (read_only(secret, "/c2d/job-spec"), read_only(folder, "/c2d/keys"))
    script = "cat /c2d/job-spec /c2d/keys/environment.key; echo x > /c2d/job-spec || echo x > /c2d/keys/more"
    ran = await pods.run("sh", "-c", script, mounts=mounts)
    assert ran.log.startswith("sealedkey")
    assert ran.log.count("ead-only file system") + ran.log.count("ermission denied") == 2
    assert (secret.read_text(), len(list(folder.iterdir()))) == ("sealed", 1)


async def test_steps_run_with_this_interpreter_and_project(pods: Pods) -> None:
    script = "import sys, contract.job_spec, pods; print(sys.prefix); print(pods.__file__)"
    ran = await pods.run("python", "-c", script, image="c2d-pods:0.1.0")
    assert ran.end.code == 0, ran.log
    assert ran.log.splitlines()[0] == sys.prefix


async def test_python_images_have_numpy(pods: Pods) -> None:
    ran = await pods.run(
        "python3", "-c", "import numpy; print(numpy.arange(3).sum())", image="docker.io/library/python:3.11"
    )
    assert ran.log == "3\n"


async def test_missing_command_is_exit_code_64_with_a_text(pods: Pods) -> None:
    ran = await pods.run("no-such-program", "x")
    assert (ran.end.why, ran.end.code) == ("exited", 64)
    assert "executable file not found" in ran.log


async def test_unknown_image(pods: Pods) -> None:
    with pytest.raises(ImageUnavailable, match=r"example\.org/x:1"):
        pods.start("true", image="example.org/x:1")


async def test_an_unpacked_image_folder_is_the_root(pods: Pods, tmp_path: Path) -> None:
    image = tmp_path / "image"
    unpack_image(image)
    runtime = SandboxRuntime(Images([Image("mine", "folder", folder=image)]))
    made = Pods(runtime, pods.base)
    mounts = (read_only(Path("/usr"), "/machine"), writable(pods.volume(), "/data/outputs"))
    ran = await made.run(
        "sh", "-c", "cat /etc/motd; echo x > /data/outputs/y; id -un; touch /etc/z", image="mine", mounts=mounts
    )
    assert ran.log.splitlines()[:2] == ["from the image", "pod"], ran
    assert "Read-only" in ran.log
    assert (pods.base / "volumes/volume/y").exists()


async def test_init_containers_run_before_main_in_order(pods: Pods) -> None:
    volume = pods.volume()
    mounts = (writable(volume, "/data"),)
    init = tuple(Container("debian", ("sh", "-c", f"echo {n} >> /data/order; echo noise"), {}, mounts) for n in (1, 2))
    ran = await pods.run("sh", "-c", "echo main; cat /data/order", mounts=mounts, init=init)
    assert ran.log == "main\n1\n2\n"


async def test_a_failing_init_container_ends_the_pod(pods: Pods) -> None:
    init = (Container("debian", ("sh", "-c", "exit 3"), {}, ()),)
    ran = await pods.run("echo", "main", init=init)
    assert (ran.end.why, ran.end.code, ran.end.started_at, ran.log) == ("init_failed", None, None, "")
    assert ran.end.message == "init container 0 ended with exit code 3"


async def test_a_failed_set_up_says_why(pods: Pods) -> None:
    ran = await pods.run("true", working_dir="/no/such/folder")
    assert (ran.end.why, ran.end.code, ran.end.started_at) == ("setup_failed", None, None)
    assert "/no/such/folder" in ran.end.message


@pytest.mark.parametrize("name", ["gone", "link", "way/etc"])
def test_sources_that_are_missing_or_lead_through_links_are_refused(pods: Pods, name: str) -> None:
    volume = pods.volume()
    (volume / "link").symlink_to("/etc")
    (volume / "way").symlink_to("/")
    with pytest.raises(OSError, match=r"No such file|leads through a link"):
        pods.start("ls", "/data", mounts=(read_only(volume / name, "/data"),))


async def test_removing_takes_everything_away(pods: Pods) -> None:
    folder = pods.start("sleep", "60")
    await asyncio.sleep(0.1)
    pods.runtime.remove(folder)
    assert not folder.exists()
    pods.runtime.remove(folder)


async def test_log_is_cut_off_but_the_pod_goes_on(pods: Pods) -> None:
    ran = await pods.run("sh", "-c", "head -c 5000000 /dev/zero; exit 5", limits=Limits(log_bytes=100_000))
    assert (ran.end.code, len(ran.log)) == (5, 100_000)
