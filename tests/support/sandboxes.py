"""Whether this machine can run sandboxes, asked once: what needs them is skipped by name elsewhere, and fails in CI."""

from __future__ import annotations

import functools
import os

import pytest

from argo.local.pods import Images, SandboxRuntime


@functools.cache
def _probed() -> tuple[SandboxRuntime, str]:
    runtime = SandboxRuntime(Images.default())
    return runtime, runtime.probe()


def require_sandboxes() -> SandboxRuntime:
    """A runtime whose sandboxes work."""
    runtime, problem = _probed()
    if problem:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"sandboxes do not work on this machine: {problem}")
    return runtime
