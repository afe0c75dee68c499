"""How much memory a process has resident, now and at its highest since the last look (Linux)."""

from __future__ import annotations

from pathlib import Path


def resident_bytes(pid: int) -> int:
    return _value(pid, "VmRSS")


def peak_bytes(pid: int) -> int:
    """The most that was resident at once since `reset_peak`."""
    return _value(pid, "VmHWM")


def reset_peak(pid: int) -> int:
    """Forget the highest value so far; what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return resident_bytes(pid)


def _value(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
