"""What a production cluster has instead: PostgreSQL and a bucket beside the node, Argo's archive, two replicas.

The pages' own commands lead there from what `make cluster` has installed. Each database is a machine of its own, so
that one can be taken away and brought back.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from tests.support.how_to import blocks, commands_of
from tools.cluster import certificates, install, supervisor
from tools.cluster.commands import output
from tools.cluster.places import BESIDE, BESIDE_ADDRESS, CHECKOUT, PUBLIC_ADDRESS, ROOT, RUN
from tools.cluster.supervisor import Component, Machine

STORE_PORT: Final = 9000
_USER: Final = "postgres"  # PostgreSQL refuses to work for root
_STORE: Final = RUN / "store"
_STORE_URL: Final = f"http://{PUBLIC_ADDRESS}:{STORE_PORT}"
# Of moto, which asks nobody who he is.
_OPTIONS: Final = {
    "endpoint": _STORE_URL,
    "region": "us-east-1",
    "access_key_id": "test",
    "secret_access_key": "test",
}
_PASSWORD: Final = RUN / "database-password"
_PAGE: Final = partial(commands_of, leave_out=install.ELSEWHERE)


@dataclass(frozen=True)
class Database:
    """A PostgreSQL with one database, whose name is its user's."""

    name: str
    port: int

    @property
    def folder(self) -> Path:
        return RUN / f"database-{self.name}"

    @property
    def files(self) -> Path:
        return self.folder / "postgresql"

    def make(self, password: str) -> None:
        """Raises `RuntimeError` with PostgreSQL's words."""
        supervisor.stop(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)  # of a try before
        self.files.mkdir(parents=True)
        shutil.chown(self.files, _USER, _USER)
        programs, data = max(Path("/usr/lib/postgresql").glob("*/bin")), self.files / "data"
        user = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]
        output([*user, str(programs / "initdb"), "--auth=reject", "--encoding=utf8", f"--pgdata={data}"])
        statements = (
            f"CREATE ROLE {self.name} LOGIN PASSWORD '{password}'\nCREATE DATABASE {self.name} OWNER {self.name}\n"
        )
        output([*user, str(programs / "postgres"), "--single", "-D", str(data), "postgres"], text=statements)
        (data / "pg_hba.conf").write_text("hostssl all all 0.0.0.0/0 scram-sha-256\n")
        _certificate(data)
        settings = {
            "listen_addresses": BESIDE_ADDRESS,
            "port": str(self.port),
            "ssl": "on",
            "unix_socket_directories": "",
            "max_connections": "100",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [*user, str(programs / "postgres"), "-D", str(data), *options]
        Machine([Component("postgres", command, folder=str(self.files))]).write(self.folder)

    def start(self) -> None:
        """Unless it runs."""
        if not (self.folder / "pid").exists():
            supervisor.start(BESIDE, self.folder)

    def stop(self) -> None:
        """Take it away, as when its machine is lost; what is committed stays."""
        supervisor.stop(self.folder)
        (self.files / "data" / "postmaster.pid").unlink(missing_ok=True)


ARCHIVE: Final = Database("argo", 5433)
SERVICE: Final = Database("c2d", 5432)


def up() -> None:
    """Each part once; said again, it goes on where it ended."""
    _once("neighbours", _neighbours)
    _once("archive", _archive)
    _once("service", _service)


def _once(name: str, work: Callable[[], None]) -> None:
    done = RUN / f"production-{name}"
    if not done.exists():
        work()
        done.touch()


def _neighbours() -> None:
    """Both databases, whose password is in a file of this user, and the bucket."""
    password = secrets.token_hex(16)
    _PASSWORD.touch(mode=0o600)
    _PASSWORD.write_text(password)
    for database in (ARCHIVE, SERVICE):
        database.make(password)
        database.start()
    supervisor.stop(_STORE)
    store = [str(ROOT / ".venv" / "bin" / "moto_server"), "--host", PUBLIC_ADDRESS, "--port", str(STORE_PORT)]
    Machine([Component("store", store)]).write(_STORE)
    supervisor.start(BESIDE, _STORE)
    install.until("the store", lambda: install.run("curl", "-sf", f"{_STORE_URL}/", check=False) != "")
    install.run("curl", "-sf", "--request", "PUT", f"{_STORE_URL}/results")


def _archive() -> None:
    install.apply(*_argo_postgres())
    install.run("kubectl", "--namespace", "argo", "delete", "secret", "argo-postgres", "--ignore-not-found")
    commands = _PAGE("deploy-gitops.md", "## A history in PostgreSQL", "## Images by digest")
    install.part("Argo's archive", commands, password=_PASSWORD.read_text())


def _service() -> None:
    (CHECKOUT.parent / "store.env").write_text("".join(f"{name}={value}\n" for name, value in _OPTIONS.items()))
    (CHECKOUT / "production-values.yaml").write_text(blocks("deploy-helm.md", "yaml")[1])
    install.run("kubectl", "--namespace", "c2d", "delete", "secret", "c2d-database", "c2d-store", "--ignore-not-found")
    login, place = f"{SERVICE.name}:{_PASSWORD.read_text()}", f"{BESIDE_ADDRESS}:{SERVICE.port}/{SERVICE.name}"
    commands = _PAGE("deploy-helm.md", "### PostgreSQL, S3", "## What was tried")
    install.part("PostgreSQL, S3, several replicas", commands, database=f"postgresql+asyncpg://{login}@{place}")


def down() -> None:
    for folder in (ARCHIVE.folder, SERVICE.folder, _STORE):
        supervisor.stop(folder)


def _certificate(data: Path) -> None:
    """One that nobody can check; Argo's component asks for encryption alone (`require`)."""
    certificate, key = certificates.of_itself("argo-postgres")
    for file, content in (("server.crt", certificate), ("server.key", key)):
        (data / file).write_bytes(content)
        os.chmod(data / file, 0o600)
        shutil.chown(data / file, _USER, _USER)


def _argo_postgres() -> list[object]:
    """The name by which the component knows the database."""
    meta = {"name": "argo-postgres", "namespace": "argo"}
    slice_meta = {**meta, "labels": {"kubernetes.io/service-name": "argo-postgres"}}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"ports": [{"port": 5432, "targetPort": ARCHIVE.port}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": slice_meta,
            "addressType": "IPv4",
            "ports": [{"port": ARCHIVE.port}],
            "endpoints": [{"addresses": [BESIDE_ADDRESS]}],
        },
    ]
