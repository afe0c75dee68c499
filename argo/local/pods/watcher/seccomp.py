"""The system call filter of a sandbox as raw BPF instructions, for x86_64 and aarch64.

Denied: what makes or enters namespaces (the pod has no use for a new one, and kernel holes are mostly behind them),
mounts, tracing and reading other processes, kernel keys, modules, BPF, performance counters, clocks, pushing input
into a terminal, and every socket family but Unix, IPv4 and IPv6 (AF_VSOCK crosses network namespaces). `clone3` answers
"not there", because its flags lie in memory where a filter cannot look: libc falls back to `clone`. Changing the CPU
affinity is denied so that a pod cannot widen it.
"""

from __future__ import annotations

import errno
import os
import struct

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENT_0, _ARGUMENT_1 = 0, 4, 16, 24  # offsets; both machines are little endian
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

# From kernel 5.0 on all architectures number alike.
_NEWER = {"open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433}
_NEWER |= {"pidfd_getfd": 438, "mount_setattr": 442, "quotactl_fd": 443, "open_tree_attr": 467}
_MISSING = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "clone3": 435}

_X86_64 = {
    "architecture": 0xC000003E, "clone": 56, "socket": 41, "ioctl": 16,
    "ptrace": 101, "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272, "setns": 308,
    "bpf": 321, "keyctl": 250, "add_key": 248, "request_key": 249, "perf_event_open": 298, "userfaultfd": 323,
    "process_vm_readv": 310, "process_vm_writev": 311, "kexec_load": 246, "kexec_file_load": 320, "init_module": 175,
    "finit_module": 313, "delete_module": 176, "sched_setaffinity": 203, "name_to_handle_at": 303,
    "open_by_handle_at": 304, "swapon": 167, "swapoff": 168, "reboot": 169, "acct": 163, "settimeofday": 164,
    "quotactl": 179, "syslog": 103, "iopl": 172, "ioperm": 173, "lookup_dcookie": 212, "kcmp": 312, "vhangup": 153,
    "fanotify_init": 300, "clock_settime": 227, "clock_adjtime": 305, "modify_ldt": 154, "sysfs": 139,
}  # fmt: skip
_AARCH64 = {
    "architecture": 0xC00000B7, "clone": 220, "socket": 198, "ioctl": 29,
    "ptrace": 117, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "unshare": 97, "setns": 268,
    "bpf": 280, "keyctl": 219, "add_key": 217, "request_key": 218, "perf_event_open": 241, "userfaultfd": 282,
    "process_vm_readv": 270, "process_vm_writev": 271, "kexec_load": 104, "kexec_file_load": 294, "init_module": 105,
    "finit_module": 273, "delete_module": 106, "sched_setaffinity": 122, "name_to_handle_at": 264,
    "open_by_handle_at": 265, "swapon": 224, "swapoff": 225, "reboot": 142, "acct": 89, "settimeofday": 170,
    "quotactl": 60, "syslog": 116, "lookup_dcookie": 18, "kcmp": 272, "vhangup": 58, "fanotify_init": 262,
    "clock_settime": 112, "clock_adjtime": 266,
}  # fmt: skip
_MACHINES = {"x86_64": _X86_64, "aarch64": _AARCH64, "arm64": _AARCH64}


def program(machine: str | None = None) -> bytes:
    """The filter as `struct sock_filter[]`, as bubblewrap's --seccomp wants it. Raises OSError on other machines."""
    machine = machine or os.uname().machine
    if machine not in _MACHINES:
        raise OSError(f"no system call filter is known for {machine} processors")
    numbers = dict(_MACHINES[machine])
    architecture, clone, socket, ioctl = (numbers.pop(n) for n in ("architecture", "clone", "socket", "ioctl"))
    code: list[tuple[int, int, int, int]] = [  # operation, jump if true, jump if false, value
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":  # x32 calls have numbers of their own
        code += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    for number in sorted((numbers | _NEWER).values()):
        code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    for number in sorted(_MISSING.values()):
        code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    code += [
        (_EQUAL, 0, 4, clone),
        (_LOAD, 0, 0, _ARGUMENT_0),
        (_ANY_BIT, 0, 1, _NAMESPACES),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
        (_EQUAL, 0, 5, ioctl),
        (_LOAD, 0, 0, _ARGUMENT_1),
        (_EQUAL, 1, 0, _TIOCSTI),
        (_EQUAL, 0, 1, _TIOCLINUX),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
        (_EQUAL, 1, 0, socket),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _ARGUMENT_0),
        (_EQUAL, 2, 0, _FAMILIES[0]),
        (_EQUAL, 1, 0, _FAMILIES[1]),
        (_EQUAL, 0, 1, _FAMILIES[2]),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | errno.EAFNOSUPPORT),
    ]
    return b"".join(struct.pack("<HBBI", operation, yes, no, value) for operation, yes, no, value in code)
