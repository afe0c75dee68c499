"""The wish for an asset on the volume, the addresses of its files, the deployment's facts, the journal."""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from contract.job_spec import Algorithm, AssetMetadata, Binding, InputAsset, JobSpec
from ocean.chain.resumable import Signed
from pods.publication import TOKEN, Wish, new_token, published_url, read_wish, write_wish
from pods.publishing.facts import FactsInvalid, read_facts
from pods.publishing.journal import Journal
from pods.settings import SettingsInvalid, Volume, read_publishing_settings
from results.object_names import asset_folder
from results.store import delete_job, open_store

pytestmark = pytest.mark.unit

METADATA = AssetMetadata(name="Sums")
SPEC = JobSpec(
    binding=Binding(job_id="00ab", environment="free", image="img", seconds=60, network="none"),
    owner="0x11",
    secret="5e",
    run_seconds=50,
    inputs=(InputAsset(did="did:op:1", service_id="s", files=(), ddo={}),),
    algorithm=Algorithm(did="did:op:2", entrypoint="sh $ALGO"),
    max_input_bytes=100,
    publication=METADATA,
)


def test_the_wish_is_for_us_alone(tmp_path: Path) -> None:
    volume = Volume(tmp_path)
    assert read_wish(volume) is None
    write_wish(volume, SPEC, METADATA)
    wish = Wish(metadata=METADATA, owner="0x11", algorithm="did:op:2", datasets=("did:op:1",))
    assert read_wish(volume) == wish
    assert stat.S_IMODE(volume.publication.stat().st_mode) == 0o700
    assert stat.S_IMODE((volume.publication / "wish.json").stat().st_mode) == 0o600
    (volume.publication / "wish.json").write_text('{"owner": "hush"}')
    with pytest.raises(ValueError, match="form") as refused:
        read_wish(volume)
    assert "hush" not in str(refused.value)


def test_addresses_of_files() -> None:
    token = new_token("0f" * 16)
    assert TOKEN.fullmatch(token)
    assert token != new_token("0f" * 16)
    assert TOKEN.fullmatch("t" * 43)  # of an older version
    for name, shown in {"a.csv": "a.csv", "ü /?#%": "%C3%BC%20%2F%3F%23%25", "..": "..", "\\x0a": "%5Cx0a"}.items():
        assert published_url("http://h:1/", token, 3, name) == f"http://h:1/api/services/published/{token}/3/{shown}"


async def test_the_store_shows_no_token_and_deletes_no_asset(tmp_path: Path) -> None:
    folder = asset_folder("t" * 43)
    assert folder == "asset-" + hashlib.sha256(b"t" * 43).hexdigest()
    of_a_job = "0f" * 16 + "." + "t" * 43
    assert asset_folder(of_a_job) == f"asset-{'0f' * 16}/{hashlib.sha256(of_a_job.encode()).hexdigest()}"
    with pytest.raises(ValueError, match="not a job id"):
        await delete_job(open_store(tmp_path.as_uri()), folder)


# --- facts -----------------------------------------------------------------------------------------------------------

FACTS: dict[str, Any] = {
    "chain_id": 5,
    "rpc_url": "https://node.example/hush",
    "addresses": {},
    "provider_url": "https://provider.example",
    "provider_public_key": "0x04" + "ab" * 64,
}
KEY = "0x" + "11" * 32


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"rpc_url": "node/hush"}, KEY, "rpc_url"),
        ({"hush": 1}, KEY, "hush"),
        ({"provider_public_key": "0x02" + "ab" * 32}, KEY, "provider_public_key"),
        ({"confirmations": 0}, KEY, "confirmations"),
        ({"chain_id": 6}, KEY, "chain 6"),
        ({}, "hush", "KeyInvalid"),
        ({}, "", "KeyInvalid"),
        (None, KEY, "FileNotFoundError"),
    ],
)
def test_wrong_facts(tmp_path: Path, changes: dict[str, Any] | None, key: str, said: str) -> None:
    if changes is not None:
        (tmp_path / "publication.json").write_text(json.dumps(FACTS | changes))
    (tmp_path / "publisher.key").write_text(key + "\n")
    with pytest.raises(FactsInvalid, match=said) as refused:
        read_facts(tmp_path, 5)
    assert "node" not in str(refused.value)


def test_facts(tmp_path: Path) -> None:
    (tmp_path / "publication.json").write_text(json.dumps(FACTS))
    (tmp_path / "publisher.key").write_text(KEY + "\n")
    facts, account = read_facts(tmp_path, 5)
    assert (facts.confirmations, facts.patience_seconds, facts.files_url) == (1, 600, "")
    assert account.address == "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
    assert "hush" not in repr(facts)


# --- journal ---------------------------------------------------------------------------------------------------------


def test_the_journal_is_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    first = Journal(path, "0f" * 16)
    assert first.token.startswith("0f" * 16 + ".")
    assert (first.copied, first.find("nft")) == (False, ())
    first.note_copied()
    signed = [Signed(f"0x0{number}", f"0xa{number}", number, 5) for number in range(4)]
    first.write("nft", (signed[0],))
    first.write("metadata", (signed[1],))
    first.write("nft", (signed[2], signed[3]))
    again = Journal(path, "0f" * 16)
    assert (again.token, again.copied) == (first.token, True)
    assert (again.find("nft"), again.find("metadata")) == ((signed[2], signed[3]), (signed[1],))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["journal.json"]


# --- settings --------------------------------------------------------------------------------------------------------

ENVIRON = {
    "C2D_JOB_ID": "00ab", "C2D_ENVIRONMENT": "free", "C2D_DATA": "/data", "C2D_STORE": "/store", "C2D_RESULTS": "/r",
}  # fmt: skip
PUBLISHING = {
    "C2D_PUBLICATION": "/c2d/publication", "C2D_PUBLICATION_CHAIN": "5", "C2D_COMPUTE_ENDED": "Failed",
    "C2D_PUBLISHING_SECONDS": "60",
}  # fmt: skip


def test_settings() -> None:
    assert read_publishing_settings(ENVIRON).publication is None
    found = read_publishing_settings(ENVIRON | PUBLISHING).publication
    assert found is not None
    assert (found.facts, found.chain_id, found.compute_ended) == (Path("/c2d/publication"), 5, "Failed")


@pytest.mark.parametrize("name", ["C2D_PUBLICATION_CHAIN", "C2D_COMPUTE_ENDED", "C2D_PUBLISHING_SECONDS"])
def test_a_missing_setting(name: str) -> None:
    with pytest.raises(SettingsInvalid, match=name):
        read_publishing_settings(ENVIRON | {key: value for key, value in PUBLISHING.items() if key != name})
