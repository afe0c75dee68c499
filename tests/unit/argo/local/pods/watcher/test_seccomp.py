"""The filter, run by a small interpreter of its instructions."""

from __future__ import annotations

import errno
import struct

import pytest

from argo.local.pods.watcher import seccomp

pytestmark = pytest.mark.unit

ALLOW, KILL = 0x7FFF0000, 0x80000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def _run(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    code = list(struct.iter_unpack("<HBBI", seccomp.program(machine)))
    given = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number, architecture or ARCHITECTURES[machine], 0, *given)
    value = at = 0
    while True:
        operation, yes, no, constant = code[at]
        at += 1
        if operation == 0x20:
            value = struct.unpack_from("<I", data, constant)[0]
        elif operation == 0x06:
            return int(constant)
        else:
            holds = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}[operation]
            at += yes if holds else no


def _error(number: int) -> int:
    return 0x00050000 | number


@pytest.mark.parametrize(
    ("machine", "number", "arguments", "answer"),
    [
        ("x86_64", 0, (), ALLOW),  # read
        ("x86_64", 110, (), ALLOW),  # getppid
        ("x86_64", 165, (), _error(errno.EPERM)),  # mount
        ("x86_64", 250, (), _error(errno.EPERM)),  # keyctl
        ("x86_64", 56, (17,), ALLOW),  # fork
        ("x86_64", 56, (0x003D0F00,), ALLOW),  # a thread
        ("x86_64", 56, (0x10000000 | 17,), _error(errno.EPERM)),  # a new user namespace
        ("x86_64", 435, (), _error(errno.ENOSYS)),  # clone3
        ("x86_64", 41, (2, 1), ALLOW),
        ("x86_64", 41, (10, 1), ALLOW),
        ("x86_64", 41, (1, 1), ALLOW),
        ("x86_64", 41, (40, 1), _error(errno.EAFNOSUPPORT)),  # AF_VSOCK
        ("x86_64", 16, (0, 0x5412), _error(errno.EPERM)),  # TIOCSTI
        ("x86_64", 16, (0, 0x5413), ALLOW),
        ("x86_64", 0x40000000, (), _error(errno.ENOSYS)),  # x32
        ("aarch64", 63, (), ALLOW),  # read
        ("aarch64", 40, (), _error(errno.EPERM)),  # mount
        ("aarch64", 220, (0x10000000 | 17,), _error(errno.EPERM)),
        ("aarch64", 198, (40, 1), _error(errno.EAFNOSUPPORT)),
        ("aarch64", 198, (2, 1), ALLOW),
        ("aarch64", 29, (0, 0x5412), _error(errno.EPERM)),
    ],
)
def test_answers(machine: str, number: int, arguments: tuple[int, ...], answer: int) -> None:
    assert _run(machine, number, *arguments) == answer


def test_another_architecture_is_killed() -> None:
    assert _run("x86_64", 0, architecture=0x40000003) == KILL


def test_another_machine_has_no_filter() -> None:
    with pytest.raises(OSError, match="riscv64"):
        seccomp.program("riscv64")
