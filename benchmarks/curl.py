"""curl, as a consumer who wants bytes and does nothing with them."""

from __future__ import annotations

import os
import subprocess

MIB = 1 << 20


def mib_per_second(url: str, size: int) -> float:
    """MiB/s of a download of a whole file of `size` bytes into nothing."""
    words = ["curl", "--silent", "--fail", "--noproxy", "*", "--output", os.devnull]
    words += ["--write-out", "%{http_code} %{size_download} %{time_total}", url]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    status, got, seconds = done.stdout.split()
    assert (status, got) == ("200", str(size)), done.stdout
    return size / MIB / float(seconds)
