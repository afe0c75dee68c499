"""What publishing pods are told of a chain, and the command that prints it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ocean.ecies import public_key_of
from pods.publishing.facts import read_facts
from provider_api.cli import app
from tests.support.how_to import blocks
from workflow_templates.environment import read_environments
from workflow_templates.parts import Publication

pytestmark = pytest.mark.unit

KEY = "0x" + "11" * 32
SETTINGS = {
    "C2D_PROVIDER__KEY": KEY,
    "C2D_CHAINS": json.dumps([{"url": "https://node.example/access-key", "chain_id": 137, "confirmations": 3}]),
    "C2D_SERVER__PUBLIC_URLS": '["https://provider.example", "http://old.example"]',
}


def set_all(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]) -> None:
    for name, value in (SETTINGS | changes).items():
        monkeypatch.setenv(name, value)


def test_the_command_prints_what_pods_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_all(monkeypatch, {})
    printed = CliRunner().invoke(app, ["admin", "publication", "137", "--files-url", "http://c2d.c2d.svc:8030"])
    assert printed.exit_code == 0, printed.output
    (tmp_path / "publication.json").write_text(printed.stdout)
    (tmp_path / "publisher.key").write_text("0x" + "22" * 32)
    facts, _ = read_facts(tmp_path, 137)
    assert (facts.rpc_url, facts.confirmations) == ("https://node.example/access-key", 3)
    assert (facts.provider_url, facts.files_url) == ("https://provider.example", "http://c2d.c2d.svc:8030")
    assert facts.provider_public_key == "0x" + public_key_of(KEY).hex()
    assert facts.addresses["ERC721Factory"].startswith("0x")
    assert "11" * 32 not in printed.stdout


@pytest.mark.parametrize(
    ("changes", "chain_id", "said"),
    [
        ({}, "1", "no entry with chain_id 1"),
        ({"C2D_SERVER__PUBLIC_URLS": "[]"}, "137", "C2D_SERVER__PUBLIC_URLS"),
        ({"C2D_PROVIDER__KEY": "0xhush"}, "137", "provider key"),
        ({"C2D_CHAINS": '[{"url": "https://node.example/hush", "chain_id": 424242}]'}, "424242", "no entry for chain"),
        ({"C2D_PUBLICATION__CHAIN_ID": "137"}, "137", "go together"),
    ],
)
def test_the_command_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], chain_id: str, said: str
) -> None:
    set_all(monkeypatch, changes)
    printed = CliRunner().invoke(app, ["admin", "publication", chain_id])
    assert (printed.exit_code, printed.stdout) == (1, "")
    assert said in printed.stderr
    assert "hush" not in printed.output


def test_the_how_to_says_it_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (described,) = blocks("publish-results.md", "toml")
    smallest = """
id = "small"
description = "x"
cpu_number = 1
ram_gb = 1
disk_gb = 1
price_per_minute = "0"
max_job_duration = 60
max_jobs = 1
max_queued_jobs = 1
storage_expiry = 60
"""
    (tmp_path / "small.toml").write_text(smallest + described)
    assert read_environments(tmp_path)[0].publication == Publication(chain_id=137)
    (commands,) = blocks("publish-results.md", "sh")
    words = commands.splitlines()[0].split(">")[0].split()
    set_all(monkeypatch, {})
    assert CliRunner().invoke(app, words[1:]).exit_code == 0
