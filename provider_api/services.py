"""Everything the routes use, opened once. Routes take their parameters from the request and call one of these."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo.client import ArgoClient
from ocean.chain.contracts import address_file
from ocean.outgoing import OutgoingGuard
from pods.store import open_store
from provider_api.access.checksums import FileChecksums
from provider_api.access.gather import FactFinder
from provider_api.chains import Chain, Chains, OceanChain, open_chain
from provider_api.jobs.environments import Environments
from provider_api.jobs.read import JobReader
from provider_api.jobs.records import Argo
from provider_api.jobs.results import ResultStore
from provider_api.jobs.start import JobStarter
from provider_api.keys import ProviderKeys, load_keys
from provider_api.settings import ArgoSettings, Settings
from provider_api.storage.claims import Claims
from provider_api.storage.database import Database
from provider_api.storage.nonces import Nonces
