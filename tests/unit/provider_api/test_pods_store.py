"""What publishing pods are told of the result store, and the command that prints it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from provider_api.cli import app
from provider_api.deploy.pods_store import pods_store
from provider_api.keys import keys_of
from provider_api.settings import ResultSettings
from results.store import read_store_config

pytestmark = pytest.mark.unit

KEY = "0x" + "11" * 32
IPFS = "ipfs+http://kubo:5001/c2d"


@pytest.mark.parametrize("url", [None, "file:///srv/results"])
def test_a_folder_is_the_volume_of_the_pods(url: str | None) -> None:
    assert pods_store(ResultSettings(url=url), keys_of(KEY)) == {"url": "file:///results"}


def test_s3_gets_its_options() -> None:
    settings = ResultSettings(url="s3://results/c2d", options={"secret_access_key": SecretStr("hush")})
    document = pods_store(settings, keys_of(KEY))
    assert document == {"url": "s3://results/c2d", "options": {"secret_access_key": "hush"}}


def test_ipfs_gets_the_public_half_only() -> None:
    keys = keys_of(KEY)
    document = pods_store(ResultSettings(url=IPFS), keys)
    assert document["seal_for"] != ""
    assert keys.results.encode().hex() not in json.dumps(document)
    assert bytes(keys.results) != bytes(keys.box)
    assert bytes(keys_of("0x" + "22" * 32).results) != bytes(keys.results)


def test_the_command_prints_what_pods_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("C2D_PROVIDER__KEY", KEY)
    monkeypatch.setenv("C2D_RESULTS__URL", IPFS)
    monkeypatch.setenv("C2D_RESULTS__OPTIONS", '{"authorization": "Bearer hush"}')
    printed = CliRunner().invoke(app, ["result-store"])
    assert printed.exit_code == 0, printed.output
    (tmp_path / "store.json").write_text(printed.stdout)
    config = read_store_config(tmp_path)
    assert (config.url, config.options) == (IPFS, {"authorization": "Bearer hush"})
    assert config.seal_for == keys_of(KEY).results.public_key


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("C2D_RESULTS__URL", "ipfs+http://kubo:5001", "folder"),
        ("C2D_PROVIDER__KEY", "0xhush", "provider key"),
        ("C2D_RESULT__URL", "s3://x", "C2D_RESULTS__URL"),
    ],
)
def test_the_command_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv("C2D_PROVIDER__KEY", KEY)
    monkeypatch.setenv(name, value)
    printed = CliRunner().invoke(app, ["result-store"])
    assert (printed.exit_code, printed.stdout) == (1, "")
    assert said in printed.stderr
    assert "hush" not in printed.output
