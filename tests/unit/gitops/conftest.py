"""argo/gitops with keys, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.deployment import copied_gitops


@pytest.fixture(scope="session")
def gitops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied_gitops(tmp_path_factory.mktemp("deployment"))
