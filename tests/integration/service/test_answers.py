"""What consumers get to see: refusals by place and code, the four shapes of errors, stopping, results."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ocean.chain.development import account
from ocean.chain.publishing import set_state
from ocean.client import Consumer
from ocean.ddo import DDO
from ocean.signing import job_message, sign
from ocean.trust import container_checksum, files_checksum
from provider_api.machine.file_server import FileServer
from tests.integration.service.conftest import ALGORITHM
from tests.support.chain import consumer as buyer_account
from tests.support.chain import publisher
from tests.support.service import CONTAINER, PAID, Buyer, Service
from tests.support.starts import COMPUTE, Caller, Reference, job_of, raw, reference, refusal
