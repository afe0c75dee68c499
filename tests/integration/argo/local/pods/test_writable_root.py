"""A writable root over an unpacked image: written to everywhere, within its size, and nothing of it stays."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from argo.local.pods import SandboxRuntime
from argo.local.pods.images import Image, Images
from argo.local.pods.runtime import Container, Limits
from tests.support.pods import Pods, Ran, read_only, unpack_image, writable

pytestmark = pytest.mark.integration

MIB = 1 << 20
ROOM = Limits(scratch_bytes=8 * MIB)
WRITES = {
    "a new folder in the root": "mkdir /new && echo x > /new/file",
    "a new file in a folder of the image": "echo x > /opt/app/new",
    "beside the program, deep below": "echo x > /opt/app/lib/deep/cache",
    "into a file of the image": "echo more >> /opt/app/config && grep -q more /opt/app/config",
    "in place of a file of the image": "echo other > /opt/app/config && grep -q other /opt/app/config",
    "a file of the image gets another name": "mv /opt/app/config /opt/app/config.old && test ! -e /opt/app/config",
    "a file of the image is removed": "rm /opt/app/config && test ! -e /opt/app/config",
    "a folder of the image is removed": "rm -r /opt/app/lib && test ! -e /opt/app/lib && mkdir /opt/app/lib",
    "rights of a file of the image": "chmod 700 /opt/app/config && test -x /opt/app/config",
    "in the working folder": "cd /opt/app && echo x > here && test -s /opt/app/here",
    "below etc, which holds files of ours": "echo x > /etc/app.conf && mkdir /etc/app.d",
    "through a link of the image": "echo x > /srv/link/y && test -s /opt/app/y",
}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    root = tmp_path / "an image, with: signs"
    unpack_image(root)
    (root / "opt/app/lib/deep").mkdir(parents=True)
    (root / "opt/app/config").write_text("setting = 1\n")
    (root / "srv").mkdir()
    (root / "srv/link").symlink_to("/opt/app")
    return root


@pytest.fixture
def unpacked(pods: Pods, image: Path) -> Pods:
    return Pods(SandboxRuntime(Images([Image("mine", "folder", folder=image)])), pods.base)


def tree(root: Path) -> dict[str, object]:
    """Names, kinds, owners, rights and contents."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        info = path.lstat()
        text = path.read_bytes() if stat.S_ISREG(info.st_mode) else os.readlink(path) if path.is_symlink() else b""
        found[str(path.relative_to(root))] = (info.st_mode, info.st_uid, info.st_gid, info.st_mtime_ns, text)
    return found


async def sh(made: Pods, script: str, *mounts: object, limits: Limits = ROOM, **options: object) -> Ran:
    every = (read_only(Path("/usr"), "/machine"), *mounts)
    return await made.run("sh", "-c", script, image="mine", mounts=every, limits=limits, **options)


async def test_a_program_writes_wherever_it_likes_and_the_image_stays(unpacked: Pods, image: Path) -> None:
    before = tree(image)
    script = "".join(f"({do}) && echo '{what}: ok' || echo '{what}: NO'\n" for what, do in WRITES.items())
    for what, do in WRITES.items():  # each on an image of its own …
        ran = await sh(unpacked, do)
        assert (ran.end.why, ran.end.code) == ("exited", 0), (what, ran)
    assert tree(image) == before
    again = await sh(unpacked, "cat /opt/app/config; ls /opt/app; ls /")  # … of which the next pod sees nothing
    assert again.log.startswith("setting = 1\nconfig\nlib\n")
    assert "new" not in again.log
    without = await sh(unpacked, script, limits=Limits())  # and only where the environment says so
    assert ": ok" not in without.log
    assert tree(image) == before


async def test_what_is_written_counts_and_ends_with_no_space(unpacked: Pods, image: Path) -> None:
    (image / "opt/large").write_bytes(b"x" * (5 * MIB))  # what the image has does not count, a changed copy does
    ran = await sh(
        unpacked,
        "head -c 7M /dev/zero > /opt/app/fits && echo fits; rm /opt/app/fits; echo x >> /opt/large && echo copied",
    )
    assert ran.log == "fits\ncopied\n"
    full = await sh(unpacked, "head -c 6M /dev/zero > /opt/app/a; head -c 6M /dev/zero > /b")
    assert full.end.code != 0
    assert "No space left" in full.log
    full = await sh(unpacked, "echo x >> /opt/large; head -c 6M /dev/zero > /b")
    assert "No space left" in full.log
    script = "cd /opt/app; (n=0; while :; do : > e$n; n=$((n + 1)); done) 2>/dev/null; ls | wc -l"
    entries = await sh(unpacked, script)
    assert 1000 < int(entries.log) < 4000  # empty files count as well


async def test_every_container_has_a_root_of_its_own(unpacked: Pods, image: Path) -> None:
    usr = (read_only(Path("/usr"), "/machine"),)
    init = (Container("mine", ("sh", "-c", "echo x > /opt/app/init && rm /opt/app/config"), {}, usr),)
    ran = await sh(unpacked, "ls /opt/app", init=init)
    assert ran.log == "config\nlib\n"


async def test_inputs_stay_read_only_and_what_is_ours_stays_ours(unpacked: Pods, pods: Pods) -> None:
    volume = pods.volume()
    (volume / "inputs").mkdir()
    (volume / "inputs/file").write_text("data")
    (volume / "outputs").mkdir()
    os.chown(volume / "outputs", volume.stat().st_uid, volume.stat().st_gid)
    mounts = (read_only(volume / "inputs", "/data/inputs"), writable(volume / "outputs", "/data/outputs"))
    script = """
    for path in /data/inputs/x /machine/x /dev/x; do echo x > $path && echo "wrote $path"; done 2>/dev/null
    echo x >> /data/inputs/file; echo x >> /etc/passwd; rm /etc/passwd; mv /data /data2
    mount -t tmpfs none /opt && echo mounted; mknod /opt/node c 1 3 && echo made
    echo done > /data/outputs/y; id -un; ls -A /data; cat /data/inputs/file
    """
    ran = await sh(unpacked, script + "2>/dev/null", *mounts)
    words = [line for line in ran.log.splitlines() if ":" not in line and "dmesg" not in line]
    assert words == ["pod", "inputs", "outputs", "data"], ran.log
    assert (volume / "outputs/y").read_text() == "done\n"


@pytest.mark.parametrize("name", ["data", "etc", "etc/passwd", "tmp", "proc", "dev", "data/inputs"])
@pytest.mark.parametrize("link", [True, False], ids=["link", "file"])
async def test_no_entry_of_an_image_leads_a_mount_astray(
    unpacked: Pods, image: Path, tmp_path: Path, pods: Pods, name: str, link: bool
) -> None:
    """bubblewrap sees the machine below /oldroot while it mounts."""
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o777)
    outside.chmod(0o777)
    place = image / name
    if place.is_dir():
        os.rename(place, tmp_path / "away")
    place.unlink(missing_ok=True)
    place.symlink_to(f"/oldroot{outside}") if link else place.write_text("in the way")
    ran = await sh(
        unpacked, "echo x > /data/inputs/y; cat /data/inputs/y; id -un", writable(pods.volume(), "/data/inputs")
    )
    assert ran.log == "x\npod\n", ran
    assert list(outside.iterdir()) == []


async def test_nothing_of_the_machine_is_seen_by_it(unpacked: Pods, image: Path) -> None:
    script = "cat /proc/self/mountinfo; ls -A /; ls -la /opt/app; ls /proc/1/root/ 2>&1; ls -A /oldroot /newroot"
    ran = await sh(unpacked, script)
    root = next(line for line in ran.log.splitlines() if " / / " in line or line.split()[4:5] == ["/"])
    assert "overlay" in root
    assert "nosuid" in root
    assert "nodev" in root
    assert str(image) not in root.replace("\\040", " ")
    for name in ("lower", "upper", "work", "merged"):
        assert f"\n{name}\n" not in ran.log


async def test_where_it_cannot_be_had_the_reason_is_told(unpacked: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not silently a root that is half writable."""
    packed = unpacked.base / "packed.tar"
    packed.touch()
    monkeypatch.setattr(unpacked.runtime, "_find", lambda _: Image("mine", "folder", folder=packed))
    ran = await unpacked.run("true", image="mine", limits=ROOM)
    assert ran.end.why == "setup_failed"
    assert "a writable root over an unpacked image cannot be made on this machine" in ran.end.message
    assert "an environment without `scratch_root` does without it" in ran.end.message
