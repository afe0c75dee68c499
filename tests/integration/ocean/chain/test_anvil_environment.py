"""The development chain's process knows nothing of our settings: keys are among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocean.chain.anvil import AnvilProcess
from ocean.chain.development import CHAIN_ID
from provider_api.deploy.addresses import free_port

pytestmark = pytest.mark.integration


def test_the_chain_gets_nothing_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("C2D_PROVIDER__KEY", "AWS_SECRET_ACCESS_KEY", "c2d_other", "FOUNDRY_PRIVATE_KEY"):
        monkeypatch.setenv(name, "0xsecret")
    process = AnvilProcess.start(tmp_path / "chain", free_port(), CHAIN_ID)
    try:
        environment = Path(f"/proc/{process.pid}/environ").read_bytes()
    finally:
        process.stop()
    assert b"PATH=" in environment
    assert b"secret" not in environment.lower()
    open_files = [path for path in (tmp_path / "chain").iterdir() if path.is_file() and path.stat().st_mode & 0o077]
    assert [path.name for path in open_files if path.name.startswith("chain.json.dump")] == []
