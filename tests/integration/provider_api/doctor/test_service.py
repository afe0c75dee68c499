"""`c2d doctor` about what the service leans on: a development chain, PostgreSQL, an S3 server and the embedded Argo."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import text

from argo.local.pods import Images, SandboxRuntime
from argo.local.settings import LocalArgoSettings
from ocean.chain.anvil import AnvilProcess
from ocean.chain.development import DevelopmentChain
from ocean.chain.errors import ChainUnavailable
from ocean.chain.rpc import Rpc
from provider_api.deploy.addresses import free_port
from provider_api.doctor.checks import chains as chain_checks
from provider_api.doctor.checks import service as service_checks
from provider_api.storage import migrations
from provider_api.storage.database import Database
from tests.support.doctor import BASE, PROVIDER_KEY, Report, Secrets, run_doctor
from tests.support.kubo import running_kubo
from tests.support.local_argo import served
from tests.support.markers import marker
from tests.support.postgres import Postgres

pytestmark = pytest.mark.integration

NAMES = {item.name for check in (*service_checks.CHECKS, chain_checks.CHECK) for item in check.items}


@dataclass
class Neighbours:
    """All that is needed for a report without a trouble, as settings."""

    home: Path
    settings: dict[str, str]
    argo_url: str
    bucket: object
    secrets: Secrets = field(default_factory=Secrets)

    def report(self, *words: str, **changes: str) -> Report:
        found = run_doctor(self.home, *words, settings=self.settings | changes, cluster=None)
        assert found.errors == ""
        self.secrets.require_absent(found)
        return found


@pytest.fixture
async def around(tmp_path: Path, development_chain: DevelopmentChain, postgres: Postgres) -> Iterator[Neighbours]:
    secrets, s3_secret = Secrets(), marker("storesecret")
    with ExitStack() as stack:
        argo = tmp_path / "argo"
        templates = (BASE / "environments",)
        url = stack.enter_context(served(LocalArgoSettings(data=argo, templates=templates, isolation="process")))
        moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        moto.start()
        stack.callback(moto.stop)
        endpoint = f"http://127.0.0.1:{moto._server.server_port}"
        bucket = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key=s3_secret,
        )
        stack.callback(bucket.close)
        bucket.create_bucket(Bucket="results")
        database_url = await postgres.create_database()
        database = Database(database_url)
        await database.open()
        await database.close()
        key_file = tmp_path / "provider.key"
        key_file.write_text(secrets.provider + "\n")
        secrets.others = {"s3": s3_secret, "argo": (argo / "token").read_text().strip()}
        chain = {"url": development_chain.url, "chain_id": 8996, "address_file": str(development_chain.address_file)}
        options = {"region": "us-east-1", "access_key_id": "test", "secret_access_key": s3_secret, "endpoint": endpoint}
        settings = {
            "C2D_PROVIDER__KEY_FILE": str(key_file),
            "C2D_CHAINS": json.dumps([chain]),
            "C2D_ARGO__URL": url,
            "C2D_ARGO__TOKEN_FILE": str(argo / "token"),
            "C2D_STORAGE__URL": database_url,
            "C2D_RESULTS__URL": "s3://results/c2d",
            "C2D_RESULTS__OPTIONS": json.dumps(options),
        }
        yield Neighbours(tmp_path, settings, url, bucket, secrets)


def stored(around: Neighbours) -> set[str]:
    """What lies in the bucket: servers of this process share it with other tests."""
    found = around.bucket.list_objects_v2(Bucket="results").get("Contents", [])  # type: ignore[attr-defined]
    return {item["Key"] for item in found}


async def test_a_service_without_a_cluster(around: Neighbours) -> None:
    before = stored(around)
    report = await asyncio.to_thread(around.report)
    assert [trouble for trouble in report.troubles() if trouble[0] in NAMES] == []
    assert {line["name"] for line in report.lines} > NAMES
    found = {line["name"]: line["found"] for line in report.lines}
    assert (
        found["kubernetes-version"]
        == "no usable kubeconfig, and no token of a pod for the cluster: run the doctor where kubectl works"
    )
    assert found["argo-server"] == "2 environments, 0 jobs in the first"
    assert found["argo-version"] == "v4.1.2+local"
    assert found["archive"] == "none"
    assert found["database"] == "postgresql"
    assert report.code == 0
    assert stored(around) == before, "its tiny object is gone again"


async def test_everything_is_wrong(around: Neighbours, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """One mistake each. Nothing of what was set is repeated."""
    monkeypatch.setattr("argo.local.rest.templates.VERSION", "v3.7.9")
    database = await postgres.create_database()
    wrong_token = marker("wrongtoken")
    around.secrets.others["wrong token"] = wrong_token
    chain = json.loads(around.settings["C2D_CHAINS"])[0]
    elsewhere = marker("nodekey")
    around.secrets.others["key of the node"] = elsewhere
    nobody = {"url": f"http://127.0.0.1:9/{elsewhere}", "chain_id": 1}
    report = await asyncio.to_thread(
        lambda: around.report(
            C2D_PROVIDER__KEY_FILE=str(around.home / "nowhere"),
            C2D_CHAINS=json.dumps([{**chain, "chain_id": 137}, nobody]),
            C2D_ARGO_SERVERS=json.dumps({"01": {"url": around.argo_url, "token": wrong_token}}),
            C2D_STORAGE__URL=database,
            C2D_RESULTS__URL="s3://no-such-bucket",
        )
    )
    expected = {
        ("provider-key", ""): ("failure", "cannot be read"),
        ("argo-server", "00"): ("ok", "2 environments"),
        ("argo-server", "01"): ("failure", "its token is not accepted (401)"),
        ("argo-version", "00"): ("failure", "v3.7.9"),
        ("archive", "00"): ("ok", "none"),
        ("archive", "01"): ("not checked", "it lists no jobs"),
        ("database", ""): ("ok", "postgresql"),
        ("migrations", ""): ("failure", "no tables of this service"),
        ("result-store", "s3"): ("failure", "not writable"),
        ("chain", "137 at 127.0.0.1"): ("failure", "chain 8996"),
        ("chain", "1 at 127.0.0.1"): ("failure", "no usable answer"),
        ("chain-head", "1 at 127.0.0.1"): ("not checked", "does not answer"),
    }
    lines = {(line["name"], line["subject"]): line for line in report.lines}
    for key, (level, found) in expected.items():
        assert (lines[key]["level"], found in lines[key]["found"]) == (level, True), lines[key]
    assert report.code == 1


async def test_databases(around: Neighbours, postgres: Postgres) -> None:
    """An older revision, a newer one, a server that is not there, one that knows no such database."""
    found = {}
    for name, revision in (("older", "0001"), ("newer", "head")):
        database = Database(url := await postgres.create_database())
        await database.write(lambda connection, to=revision: migrations.upgrade(connection, to))
        if name == "newer":
            await database.write(
                lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
            )
        await database.close()
        found[name] = await asyncio.to_thread(lambda url=url: around.report(C2D_STORAGE__URL=url))
    assert found["older"].levels("migrations") == ["failure"]
    assert found["older"].of("migrations")[0]["found"] == "revision 0001"
    assert found["newer"].levels("migrations") == ["warning"]
    password = marker("password")
    around.secrets.others["password"] = password
    for url in (
        f"postgresql+asyncpg://user:{password}@127.0.0.1:9/c2d",
        postgres.url("no_such_database"),
    ):
        report = await asyncio.to_thread(lambda url=url: around.report(C2D_STORAGE__URL=url))
        assert (report.levels("database"), report.levels("migrations")) == (["failure"], ["not checked"])
        assert "broke" not in report.of("database")[0]["found"]


async def head_is_old(rpc: Rpc) -> bool:
    """More than half a second; False also while the node does not answer yet."""
    try:
        head = await rpc.call("eth_getBlockByNumber", "latest", False)
    except ChainUnavailable:
        return False
    return time.time() - int(head["timestamp"], 16) > 0.6


async def test_a_chain_that_stands_still_and_one_that_runs_ahead(around: Neighbours, tmp_path: Path) -> None:
    """A chain with the id of a public network, since a development chain's head may be old."""
    anvil = AnvilProcess.start(tmp_path / "still", free_port(), 11155111)
    rpc = Rpc(anvil.url)
    try:
        chains = json.dumps([{"url": anvil.url, "chain_id": 11155111}, {"url": anvil.url}])
        async with asyncio.timeout(60):
            while not await head_is_old(rpc):
                await asyncio.sleep(0.05)
        report = await asyncio.to_thread(lambda: around.report("--head-age", "0.5", C2D_CHAINS=chains))
        assert report.levels("chain") == ["ok", "warning"]
        assert report.levels("chain-head") == ["failure", "failure"]
        assert report.levels("clock-chain") == ["ok", "ok"]
        await rpc.call("evm_increaseTime", hex(3600))
        await rpc.call("evm_mine")
        report = await asyncio.to_thread(lambda: around.report(C2D_CHAINS=chains))
        assert report.levels("chain-head") == ["ok", "ok"]
        assert report.levels("clock-chain") == ["failure", "failure"]
    finally:
        await rpc.disconnect()
        anvil.stop()


async def test_folders_and_ipfs_as_a_result_store(around: Neighbours, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    missing = await asyncio.to_thread(lambda: around.report(C2D_RESULTS__URL=folder.as_uri()))
    assert [(line["level"], line["found"]) for line in missing.of("result-store")] == [
        ("failure", "there is no such folder")
    ]
    assert not folder.exists()
    folder.mkdir()
    found = await asyncio.to_thread(lambda: around.report(C2D_RESULTS__URL=folder.as_uri()))
    assert (found.levels("result-store"), list(folder.iterdir())) == (["ok"], [])
    with running_kubo(tmp_path / "kubo") as node:
        found = await asyncio.to_thread(lambda: around.report(C2D_RESULTS__URL=node.store, C2D_RESULTS__OPTIONS="{}"))
        assert (found.levels("result-store"), node.names()) == (["ok"], [])


async def test_a_machine_that_runs_c2d_serve(tmp_path: Path) -> None:
    """Its data folder alone is enough to look at its key, its database and its results, and what the machine has."""
    data = tmp_path / "serve"
    (data / "results").mkdir(parents=True)
    data.chmod(0o750)
    (data / "provider.key").write_text(PROVIDER_KEY + "\n")
    database = Database(f"sqlite:///{data / 'service.sqlite'}")
    await database.open()
    await database.close()
    report = await asyncio.to_thread(lambda: run_doctor(tmp_path, "--data", str(data), cluster=None))
    fine = {line["name"] for line in report.lines if line["level"] == "ok"}
    assert fine >= {"provider-key", "database", "migrations", "result-store", "interpreter", "development-chain"}
    (folder,) = report.of("data-folder")
    assert (folder["level"], "0750" in folder["found"], "chmod" in folder["mend"]) == ("warning", True, True)
    (sandboxes,) = report.of("sandboxes")
    assert sandboxes["level"] == ("ok" if not SandboxRuntime(Images.default()).probe() else "failure")
    assert report.levels("user-namespaces") != ["not checked"]
