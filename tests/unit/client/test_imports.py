"""What commands load: who installs the client alone has nothing of the service, and who asks for help waits for
nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit

OF_THE_SERVICE = [
    "alembic",
    "argo",
    "argo_workflows",
    "asyncpg",
    "fastapi",
    "graphql",
    "hera",
    "httptools",
    "kubernetes",
    "nacl",
    "obstore",
    "pods",
    "prometheus_client",
    "pydantic_settings",
    "sqlalchemy",
    "uvicorn",
    "uvloop",
    "workflow_templates",
    "yaml",
]
OF_THE_CHAIN = ["web3", "eth_account", "aiohttp"]
COMMANDS = [
    "client.assets.drafts",
    "client.assets.publishing",
    "client.jobs.listing",
    "client.jobs.starting",
    "client.jobs.watching",
    "client.jobs.quoting",
    "client.profile_pages",
    "client.releases",
    "client.schemas",
    "client.signing_in",
    "client.verify",
    "client.asked",
    "client.commands.jobs",
    "client.accounts.keystore",
    "ocean.purchase",
    "ocean.chain.network",
]


def loaded(code: str, names: list[str]) -> list[str]:
    """Which of these modules a process has after that."""
    program = f"import sys\n{code}\nprint(' '.join(name for name in {names!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.split()


def test_nothing_of_the_service() -> None:
    everything = "\n".join(f"import {module}" for module in ("provider_api.cli", *COMMANDS))
    assert loaded(everything, OF_THE_SERVICE) == []


@pytest.mark.parametrize(
    "modules",
    [
        "provider_api.cli",
        "client.carrying, client.jobs.listing, client.jobs.watching, client.jobs.starting",
        "client.profile_pages, client.schemas",
    ],
    ids=["help", "jobs", "profiles"],
)
def test_no_chain_unless_it_is_needed(modules: str) -> None:
    assert loaded(f"import {modules}", OF_THE_CHAIN) == []
