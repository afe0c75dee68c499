"""On a busy machine everything may take long, and nobody who asks an index has to be answered soon."""

from __future__ import annotations

import pytest

from ocean.chain import index


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "PATIENCE_SECONDS", 200.0)
