"""Publishing pods that make assets, as processes: the volume after a good algorithm, the Secret, what the chain has."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount

from ocean.chain.contracts import event
from ocean.chain.development import CHAIN_ID, DevelopmentChain
from ocean.chain.logs import Log
from ocean.chain.network import Network
from ocean.ecies import public_key_of
from tests.support.chain import consumer, provider

PROVIDER_URL = "http://provider.example"
OUTPUTS = {"a.csv": b"1,2\n", "models/b.bin": bytes(range(256)) * 40}


def facts_of(chain: DevelopmentChain, **changes: Any) -> dict[str, Any]:
    """publication.json."""
    facts = {
        "chain_id": CHAIN_ID,
        "rpc_url": chain.url,
        "addresses": chain.addresses,
        "provider_url": PROVIDER_URL,
        "provider_public_key": "0x" + public_key_of(provider).hex(),
        "patience_seconds": 20,
    }
    return facts | changes


def make_job(
    folder: Path, facts: Mapping[str, Any], payer: LocalAccount, outputs: Mapping[str, bytes] = OUTPUTS, **wish: Any
) -> dict[str, str]:
    """What a publishing pod finds after an algorithm; the pod's environment."""
    data = folder / "data"
    for name in ("outputs", "logs", "adminlogs", "publication"):
        (data / name).mkdir(parents=True)
    for path, content in outputs.items():
        target = data / "outputs" / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
    wanted = {
        "metadata": {"name": "Sums"},
        "owner": consumer.address,
        "algorithm": "",
        "datasets": ["did:op:" + "1" * 64],
    }
    (data / "publication/wish.json").write_text(json.dumps(wanted | wish))
    for name, files in {
        "store": {"store.json": json.dumps({"url": f"file://{folder}/published"})},
        "facts": {"publication.json": json.dumps(facts), "publisher.key": "0x" + bytes(payer.key).hex() + "\n"},
    }.items():
        (folder / name).mkdir()
        for file, text in files.items():
            (folder / name / file).write_text(text)
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/tmp",
        "C2D_JOB_ID": "00" + os.urandom(15).hex(),
        "C2D_ENVIRONMENT": "free",
        "C2D_DATA": str(data),
        "C2D_STORE": str(folder / "store"),
        "C2D_RESULTS": str(folder / "results.json"),
        "C2D_PUBLICATION": str(folder / "facts"),
        "C2D_PUBLICATION_CHAIN": str(CHAIN_ID),
        "C2D_COMPUTE_ENDED": "Succeeded",
        "C2D_PUBLISHING_SECONDS": "3600",
    }


def summary_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


async def made_by(network: Network, payer: LocalAccount) -> list[str]:
    """The data NFTs that an account has made, checksum addresses in lower case."""
    created = event("ERC721Factory", "NFTCreated")
    query: Any = {"address": network.factory, "fromBlock": 0, "topics": [created.topic]}
    logs = [Log.of(item) for item in await network.web3.eth.get_logs(query)]
    decoded = [created.decode(log) for log in logs]
    return [each["newTokenAddress"] for each in decoded if each["creator"] == payer.address.lower()]
