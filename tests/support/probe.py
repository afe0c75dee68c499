"""An algorithm that tries everything an algorithm must not do, and tells what came of it.

It runs as a raw algorithm in its sandbox, and outside as a plain process: what fails inside has to succeed there,
otherwise the probe would notice nothing. It is a program of its own, with the standard library only.

Its wishes are a JSON document, its answer is {name of the attempt: "" if it failed, else what was reached}.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import stat
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

found: dict[str, str] = {}
causes: dict[str, str] = {}


def attempt(name: str, action: Callable[[], Any]) -> None:
    """`action` has reached something if it returns something true."""
    try:
        result = action()
    except BaseException as exc:  # noqa: BLE001
        found[name], causes[name] = "", f"{type(exc).__name__}: {exc}"
    else:
        found[name] = str(result)[:200] if result else ""


def connect(host: str, port: int) -> str:
    with socket.create_connection((host, port), timeout=2):
        return f"connected to {host}"


def udp_echo(host: str, port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(1)
        probe.sendto(b"hello", (host, port))
        return f"answer {probe.recv(100)!r}"


def unix(address: str) -> str:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        probe.connect("\0" + address[1:] if address.startswith("@") else address)
        return "connected"


def read(path: str) -> str:
    with open(path, "rb") as file:
        return f"{len(file.read())} bytes and the end"


def read_by_process(path: str) -> str:
    """Through the root or working folder of any process that can be seen."""
    for pid in os.listdir("/proc"):
        for way in ("root", "cwd/../../../../../../../../../..") if pid.isdigit() else ():
            try:
                with open(f"/proc/{pid}/{way}{path}", "rb") as file:
                    file.read()
                    return f"by process {pid}"
            except OSError:
                continue
    return ""


def signal(pid: int) -> str:
    os.kill(pid, 0)
    return "could send a signal"


def settings_of_others() -> str:
    """The service's settings in the environment of any process."""
    for pid in os.listdir("/proc"):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if b"C2D_" in file.read():
                    return f"process {pid}"
        except OSError:
            continue
    return ""


def write_to(path: str) -> str:
    """Any change of a file, or of a folder's content."""
    if os.path.isdir(path):
        changes: list[Callable[[], Any]] = [
            lambda: os.mkdir(f"{path}/made"),
            lambda: os.symlink("/etc/passwd", f"{path}/linked"),
            lambda: os.chmod(path, 0o777),  # noqa: S103
            lambda: os.rename(path, f"{path}-moved"),
            lambda: open(f"{path}/new", "w").close(),
        ]
    else:
        changes = [
            lambda: open(path, "r+b").close(),
            lambda: os.truncate(path, 0),
            lambda: os.chmod(path, 0o777),  # noqa: S103
            lambda: os.utime(path, (0, 0)),
            lambda: os.unlink(path),
        ]
    done = []
    for number, change in enumerate(changes):
        try:
            change()
        except OSError:
            continue
        done.append(number)
    return f"changes {done}" if done else ""


def remount(path: str) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    flags = ctypes.c_ulong(0x20 | 0x1000)  # MS_REMOUNT | MS_BIND, without read-only
    return "mounted" if libc.mount(None, path.encode(), None, flags, None) == 0 else ""


def new_user_namespace() -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    if os.fork() == 0:
        os._exit(7 if libc.unshare(0x10000000) == 0 else 0)
    return "entered" if os.waitstatus_to_exitcode(os.wait()[1]) == 7 else ""


def become_root() -> str:
    os.setuid(0)
    return "root"


def search(roots: list[str], without: list[str], spelled: list[str]) -> str:
    """Files below `roots`, command lines, environments, open files of all processes: who holds one of these texts?

    The texts are given as reversed hex, so that the probe's own text does not hold them.
    """
    texts = [bytes.fromhex(text)[::-1] for text in spelled]
    places = [f"/proc/{pid}/{kind}" for pid in os.listdir("/proc") if pid.isdigit() for kind in ("cmdline", "environ")]
    for root in roots:
        for folder, names, files in os.walk(root):
            names[:] = [n for n in names if os.path.join(folder, n) not in without]
            places += [os.path.join(folder, name) for name in files]
    for pid in os.listdir("/proc"):
        try:
            places += [f"/proc/{pid}/fd/{number}" for number in os.listdir(f"/proc/{pid}/fd")] if pid.isdigit() else []
        except OSError:
            continue
    for place in places:
        try:
            if not stat.S_ISREG(os.stat(place).st_mode):
                continue
            with open(place, "rb") as file:
                content = file.read(8 << 20)
        except OSError:
            continue
        if any(text in content or text in place.encode() for text in texts):
            return place
    return ""


def main(wishes: dict[str, Any]) -> None:
    for name, (host, port) in wishes.get("connect", {}).items():
        attempt(f"connect {name}", partial(connect, host, port))
    for name, (host, port) in wishes.get("udp", {}).items():
        attempt(f"udp {name}", partial(udp_echo, host, port))
    for name, address in wishes.get("unix", {}).items():
        attempt(f"unix {name}", partial(unix, address))
    for name, path in wishes.get("read", {}).items():
        attempt(f"read {name}", partial(read, path))
        attempt(f"read by process {name}", partial(read_by_process, path))
    for name, pid in wishes.get("signal", {}).items():
        attempt(f"signal {name}", partial(signal, pid))
    attempt("settings of other processes", settings_of_others)
    roots, without = wishes["roots"], wishes["without"]
    for name, spelled in wishes.get("search", {}).items():
        attempt(f"search {name}", partial(search, roots, without, spelled))
    if wishes.get("inside"):
        attempt("look up a name", lambda: socket.getaddrinfo("example.com", 443))
        attempt("raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
        attempt("talk to the machine below", lambda: socket.socket(40, socket.SOCK_STREAM))
        attempt("new user namespace", new_user_namespace)
        attempt("become root", become_root)
        attempt("kernel setting", partial(write_to, "/proc/sys/kernel/core_pattern"))
        with open(wishes["allowed"], "w"):
            pass
        attempt("write allowed", partial(write_to, wishes["allowed"]))
        for path in wishes["write"]:
            attempt(f"remount {path}", partial(remount, path))
            attempt(f"write {path}", partial(write_to, path))
    with open(wishes["answer"], "w") as file:
        json.dump({"found": found, "causes": causes}, file)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
