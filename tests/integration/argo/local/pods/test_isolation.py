"""What a pod must not be able to do. Each attempt is also made where it succeeds, so that a blunt test is noticed."""

# ruff: noqa: ASYNC221, ASYNC240  (these tests wait on purpose)

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from argo.local.pods.runtime import Limits
from tests.support.pods import Pods, read_only, writable

pytestmark = pytest.mark.integration

PYTHON = "python:3"


SOCKETS = """
import socket, sys
def attempt(name, family, address):
    try:
        with socket.socket(family, socket.SOCK_STREAM) as s:
            s.settimeout(2)
            s.connect(address)
        print(name, "reached")
    except OSError as e:
        print(name, "refused", e.errno)
"""
EVERYWHERE = (
    SOCKETS
    + """
attempt("loopback", socket.AF_INET, ("127.0.0.1", int(sys.argv[1])))
attempt("abstract", socket.AF_UNIX, chr(0) + sys.argv[2])
attempt("outside", socket.AF_INET, ("192.0.2.1", 80))
attempt("vsock", socket.AF_VSOCK, (2, 1024))
attempt("netlink", socket.AF_NETLINK, (0, 0))
attempt("packet", socket.AF_PACKET, ("lo", 0))
"""
)


@pytest.fixture
def listeners() -> Iterator[tuple[int, str]]:
    """Something to reach: a TCP port on this machine's loopback, and an abstract Unix socket."""
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        name = f"c2d-test-{os.getpid()}"
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind(f"\0{name}")
        unix.listen()
        yield tcp.getsockname()[1], name


async def test_no_network(pods: Pods, listeners: tuple[int, str]) -> None:
    port, name = listeners
    program = SOCKETS + EVERYWHERE.removeprefix(SOCKETS).split('attempt("outside')[0]
    here = subprocess.run([sys.executable, "-c", program, str(port), name], capture_output=True, text=True, check=True)
    assert here.stdout == "loopback reached\nabstract reached\n"
    ran = await pods.run("python", "-c", EVERYWHERE, str(port), name, image=PYTHON)
    answers = {line.split()[0]: line.split()[1:] for line in ran.log.splitlines()}
    assert set(answers) == {"loopback", "abstract", "outside", "vsock", "netlink", "packet"}, ran.log
    assert {answer[0] for answer in answers.values()} == {"refused"}
    assert {answers[n][1] for n in ("vsock", "netlink", "packet")} == {str(errno.EAFNOSUPPORT)}  # by the filter


async def test_network_only_where_the_pod_has_it(pods: Pods, listeners: tuple[int, str]) -> None:
    script = (
        SOCKETS
        + """
import os
attempt("loopback", socket.AF_INET, ("127.0.0.1", int(sys.argv[1])))
print(*(p for p in ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs") if os.path.exists(p)))
"""
    )
    ran = await pods.run("python", "-c", script, str(listeners[0]), image=PYTHON, network=True)
    first, second = ran.log.splitlines()
    assert first == "loopback reached"
    wanted = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs")
    assert second.split() == [path for path in wanted if os.path.exists(path)]


async def test_inputs_cannot_be_written(pods: Pods) -> None:
    volume = pods.volume()
    await pods.run("sh", "-c", "mkdir -m 777 /d/inputs; echo data > /d/inputs/0; chmod 666 /d/inputs/0",
                   mounts=(writable(volume, "/d"),))  # fmt: skip
    script = (
        "echo x > /data/inputs/0; rm -f /data/inputs/0; touch /data/inputs/1; chmod 777 /data/inputs/0; touch /data/y"
    )
    script += "; mv /data/inputs/0 /data/inputs/2; ln /data/inputs/0 /data/out/hard; mount -o remount,rw /data/inputs"
    mounts = (read_only(volume / "inputs", "/data/inputs"), writable(pods.volume("out"), "/data/out"))
    ran = await pods.run("sh", "-c", script, mounts=mounts)
    assert ran.log.count("Read-only file system") >= 5, ran.log
    assert (volume / "inputs/0").read_text() == "data\n"
    assert os.listdir(volume / "inputs") == ["0"]
    assert list((pods.base / "volumes/out").iterdir()) == []


async def test_other_places_of_this_machine_are_not_there(pods: Pods) -> None:
    other = pods.volume("other-job")
    (other / "secret").write_text("other job's data")
    (pods.base / "key").write_text("server's key")
    home = Path.home()
    script = f"for p in {pods.base} {other} {other}/secret {pods.base}/key {home}/.ssh /etc/shadow /run /sys /home; do "
    script += "cat $p 2>/dev/null || ls $p 2>/dev/null; test -e $p && echo THERE $p; done; ls -A /; true"
    mounts = (writable(pods.volume(), "/data"),)
    ran = await pods.run("sh", "-c", script, mounts=mounts)
    assert "THERE" not in ran.log
    assert "key" not in ran.log
    assert set(ran.log.split()) == {
        "bin",
        "data",
        "dev",
        "etc",
        "lib",
        "lib64",
        "proc",
        "sbin",
        "tmp",
        "usr",
        "var",
    } | {name for name in ("lib32", "libx32") if os.path.lexists(f"/{name}")}


async def test_steps_see_the_packages_but_not_what_lies_beside_them(pods: Pods) -> None:
    project = Path(__file__).parents[5]
    ran = await pods.run("ls", "-A", str(project), image="c2d-pods:0.1.0")
    assert set(ran.log.split()) <= {".venv", "ocean", "contract", "results", "pods"}


async def test_nothing_of_the_server_is_in_the_first_process(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2D_SECRET_OF_THE_SERVER", "leak-me-not")
    script = "cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'; ls -l /proc/1/fd /proc/self/fd; env"
    ran = await pods.run("sh", "-c", script, env={"OWN": "mine"}, mounts=(read_only(pods.volume(), "/data"),))
    assert "leak-me-not" not in ran.log
    assert "OWN=mine" in ran.log
    assert str(pods.base) not in ran.log
    names = {line.split("=")[0] for line in ran.log.splitlines() if "=" in line and line[0].isupper()}
    of_limits = {"JAVA_TOOL_OPTIONS", "NODE_OPTIONS", "GOMEMLIMIT"}  # the environment's memory, for runtimes
    assert names <= {"OWN", "PATH", "HOME", "TMPDIR", "LANG", "PWD", "OLDPWD", "SHLVL", "_", *of_limits}, names
    assert "memfd" not in ran.log


async def test_no_descriptor_of_the_server_reaches_a_pod(pods: Pods) -> None:
    ends = os.pipe()
    try:
        for end in ends:
            os.set_inheritable(end, True)
        folder = pods.start("python", "-c", "import os; print(sorted(os.listdir('/proc/self/fd')))", image=PYTHON)
    finally:
        for end in ends:
            os.close(end)
    assert (await pods.ended(folder)).log == "['0', '1', '2', '3']\n"  # 3: the listing itself


async def test_only_its_own_processes(pods: Pods) -> None:
    neighbour = pods.start("sleep", "77.125")
    script = "ls /proc | grep -c '^[0-9]'; cat /proc/*/cmdline | tr '\\0' ' '; kill -9 -1; kill -9 1; echo alive"
    ran = await pods.run("sh", "-c", script)
    assert "77.125" not in ran.log
    assert int(ran.log.split()[0]) <= 6
    assert pods.runtime.status(neighbour).state in ("starting", "running")


async def test_no_privileges_and_no_way_to_get_them(pods: Pods) -> None:
    script = """
        id -u; grep -E 'NoNewPrivs|Seccomp:|Cap(Eff|Prm|Inh|Bnd|Amb)' /proc/self/status
        unshare -U true; unshare -r true; unshare -n true; unshare -m true
        mount -t tmpfs none /tmp; chroot / true; echo x > /proc/sys/kernel/core_pattern; su -c true root
        echo x > /proc/sysrq-trigger; mknod /tmp/null c 1 3 && echo NODE
    """
    ran = await pods.run("sh", "-c", script)
    lines = ran.log.splitlines()
    assert lines[0] == "1000"
    facts = dict(line.split(":\t") for line in lines[1:8])
    assert facts.pop("NoNewPrivs") == "1"
    assert facts.pop("Seccomp") == "2"
    assert set(facts.values()) == {"0000000000000000"}
    assert "NODE" not in ran.log
    refused = [line for line in lines if "ermitted" in line or "ermission denied" in line or "Read-only" in line]
    assert len(refused) >= 7, ran.log


async def test_denied_system_calls(pods: Pods) -> None:
    script = textwrap.dedent("""
        import ctypes, os, errno
        libc = ctypes.CDLL(None, use_errno=True)
        machine = os.uname().machine
        x86 = machine == "x86_64"
        calls = {"keyctl": (250 if x86 else 219, 0, -3, 0), "bpf": (321 if x86 else 280, 0, 0, 0),
                 "perf_event_open": (298 if x86 else 241, 0, 0, -1), "userfaultfd": (323 if x86 else 282, 0),
                 "ptrace": (101 if x86 else 117, 0, 0, 0), "unshare": (272 if x86 else 97, 0x10000000),
                 "clone": (56 if x86 else 220, 0x10000000 | 17, 0, 0, 0, 0), "setns": (308 if x86 else 268, 0, 0),
                 "process_vm_readv": (310 if x86 else 270, 1, 0, 0, 0, 0), "io_uring_setup": (425, 1, 0),
                 "clone3": (435, 0, 0), "pidfd_getfd": (438, 0, 0, 0),
                 "sched_setaffinity": (203 if x86 else 122, 0, 0, 0)}
        for name, args in calls.items():
            ctypes.set_errno(0)
            result = libc.syscall(*[ctypes.c_long(a) for a in args])
            if result == 0 and name == "clone": os._exit(9)
            print(name, result, errno.errorcode.get(ctypes.get_errno(), "none"))
        import fcntl
        r, w = os.openpty()
        try: fcntl.ioctl(w, 0x5412, b"x"); print("TIOCSTI 0 none")
        except OSError as e: print("TIOCSTI -1", errno.errorcode[e.errno])
        import threading, subprocess
        t = threading.Thread(target=print, args=("thread -1 EPERM",)); t.start(); t.join()
        print(subprocess.run(["echo", "subprocess", "-1", "EPERM"], capture_output=True, text=True).stdout.strip())
    """)
    ran = await pods.run("python", "-c", script, image=PYTHON)
    answers = {line.split()[0]: line.split()[1:] for line in ran.log.splitlines()}
    assert len(answers) == 16, ran.log
    for name, answer in answers.items():
        expected = "ENOSYS" if name in ("io_uring_setup", "clone3") else "EPERM"
        assert answer == ["-1", expected], name


async def test_setuid_files_have_no_effect(pods: Pods) -> None:
    """Neither those of this machine inside, nor one that the pod made, outside."""
    volume = pods.volume()
    script = "cp /usr/bin/id /data/id; chmod 6755 /data/id; /data/id -u; find /usr/bin -perm -4000 -user 0 | head -1"
    ran = await pods.run("sh", "-c", script, mounts=(writable(volume, "/data"),))
    assert ran.log.splitlines()[0] == "1000"
    assert os.stat(volume / "id").st_uid not in ({0} if os.geteuid() == 0 else set())


@pytest.mark.skipif(os.geteuid() != 0, reason="user ids are picked as root only")
async def test_each_volume_has_a_user_of_its_own(pods: Pods) -> None:
    one, two = pods.volume("one"), pods.volume("two")
    owners = {one.stat().st_uid, two.stat().st_uid}
    assert len(owners) == 2
    assert owners <= set(range(70000, 80000))
    pods.runtime.prepare_volume(one)
    assert one.stat().st_uid in owners
    await pods.run("sh", "-c", "touch /data/x", mounts=(writable(one, "/data"),))
    assert (one / "x").stat().st_uid == one.stat().st_uid
    folder = pods.start("sleep", "60", mounts=(writable(two, "/data"),))
    while pods.runtime.status(folder).state != "running":
        await pods.runtime.wait(folder)
    pid = json.loads((folder / "gate.json").read_text())["pid"]
    assert os.stat(f"/proc/{pid}").st_uid == two.stat().st_uid


async def test_a_shared_volume_takes_files_of_several_users(pods: Pods) -> None:
    shared = pods.base / "results"
    pods.runtime.prepare_volume(shared, shared=True)
    for name in ("one", "two"):
        mounts = (writable(pods.volume(name), "/data"), writable(shared, "/results"))
        ran = await pods.run("sh", "-c", f"mkdir /results/{name} && echo x > /results/{name}/file", mounts=mounts)
        assert ran.end.code == 0, ran.log
    script = "echo y > /results/one/file; rm -rf /results/one; mv /results/one /results/x; true"
    if os.geteuid() == 0:
        await pods.run("sh", "-c", script, mounts=(writable(pods.volume("two"), "/d"), writable(shared, "/results")))
    assert (shared / "one/file").read_text() == "x\n"


async def test_a_socket_in_a_bound_folder_is_the_known_gap(pods: Pods) -> None:
    """A path socket crosses the network namespace: whoever mounts a folder must not keep a live socket in it."""
    volume = pods.volume()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(volume / "s"))
        (volume / "s").chmod(0o777)
        server.listen()
        script = SOCKETS + 'attempt("path", socket.AF_UNIX, "/data/s")'
        ran = await pods.run("python", "-c", script, image=PYTHON, mounts=(read_only(volume, "/data"),))
    assert ran.log == "path reached\n"


async def test_memory_file_systems_are_bounded(pods: Pods) -> None:
    script = "for p in /tmp/big /dev/shm/big /big /dev/big /etc/big; do "
    script += "head -c 200M /dev/zero > $p; stat -c '%n %s' $p; done"
    ran = await pods.run("sh", "-c", script, limits=Limits(tmp_bytes=8 << 20, memory_bytes=1 << 30))
    sizes = dict(line.split() for line in ran.log.splitlines() if line.startswith("/"))
    assert int(sizes["/tmp/big"]) <= 8 << 20
    assert int(sizes["/dev/shm/big"]) <= 64 << 20
    assert set(sizes) == {"/tmp/big", "/dev/shm/big"}


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's pods are all of that user")
async def test_what_a_job_put_into_a_shared_volume_is_the_servers_after_it(pods: Pods) -> None:
    """Others can neither list, read nor touch it, not even a later job with the same user id."""
    shared = pods.base / "results"
    pods.runtime.prepare_volume(shared, shared=True)
    one = pods.volume("one")
    mounts = (writable(one, "/data"), writable(shared, "/results"))
    await pods.run("sh", "-c", "mkdir /results/one && echo x > /results/one/file; ln -s / /results/link", mounts=mounts)
    pods.runtime.take_over(shared, one)
    assert ((shared / "one").stat().st_uid, (shared / "one").stat().st_mode & 0o7777) == (0, 0o700)
    assert Path("/").stat().st_mode & 0o777 != 0o700
    script = "ls /results; cat /results/one/file; echo y > /results/one/file; rm -rf /results/one"
    ran = await pods.run("sh", "-c", script, mounts=mounts)  # the very same volume, so the same user
    assert "x\n" not in ran.log
    assert "file" not in ran.log.replace("/results/one/file", "")
    assert (shared / "one/file").read_text() == "x\n"
    assert not shared.stat().st_mode & 0o044
