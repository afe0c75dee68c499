"""A second provider beside a running service: an API process with another key and another data folder.

It shares chain and Argo with the service, so it knows the same assets and environments. It is the provider of what is
published with its address.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from ocean.chain.development import CHAIN_ID, account
from ocean.chain.network import Network
from ocean.chain.publishing import AssetDraft, publish_asset
from ocean.ddo import DDO
from ocean.ecies import public_key_of
from ocean.files import UrlFile
from provider_api.deploy.addresses import free_port
from tests.support.chain import for_key
from tests.support.chain import publisher as publisher_account
from tests.support.processes import die_with_parent
from tests.support.service import CONTAINER, Service

_START_SECONDS = 200
_KILL = 9


class SecondProvider:
    """`start` beside a service, `stop`, `start` again. Its address is known before, for the service's settings."""

    def __init__(self, folder: Path, *, allow_private: Sequence[str] = ()) -> None:
        self.key = account(8)
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"
        self._folder, self._allow_private = folder, [text if "@" in text else text + "@*" for text in allow_private]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, service: Service) -> None:
        """Returns when it answers. From the main thread: the process ends with the thread that started it."""
        machine = service.machine
        chain = {"url": machine.chain_url, "chain_id": CHAIN_ID, "address_file": str(machine.address_file)}
        environment = {
            "PATH": os.environ["PATH"],
            "C2D_DATA_FOLDER": str(self._folder),
            "C2D_SERVER__PORT": self.address.rpartition(":")[2],
            "C2D_SERVER__PUBLIC_URLS": json.dumps([self.url]),
            "C2D_PROVIDER__KEY": "0x" + bytes(self.key.key).hex(),
            "C2D_CHAINS": json.dumps([chain]),
            "C2D_ARGO__URL": machine.argo_url,
            "C2D_ARGO__NAMESPACE": machine.settings.argo.namespace,
            "C2D_ARGO__TOKEN_FILE": str(machine.argo_token_file),
            "C2D_OUTGOING__ALLOW_PRIVATE": json.dumps(self._allow_private),
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "api.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "provider_api"],
                env=environment,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(_KILL),
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            assert self._process.poll() is None, (self._folder / "api.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the second provider does not answer"
            time.sleep(0.1)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    async def publish(
        self, network: Network, url: str, *, kind: Literal["dataset", "algorithm"] = "dataset", **draft: Any
    ) -> DDO:
        """One asset with one file, an access service unless told otherwise. Keyword arguments go to AssetDraft."""
        draft.setdefault("service", "access")
        flags = {"flags": draft.pop("flags")} if "flags" in draft else {}
        if kind == "algorithm":
            draft.setdefault("algorithm", {"language": "python", "version": "1", "container": CONTAINER})
        made = AssetDraft(name=f"another's {kind}", files=[UrlFile(url=url)], type=kind, **draft)
        encrypt = for_key(public_key_of(self.key))
        return await publish_asset(network, publisher_account, made, provider_url=self.url, encrypt=encrypt, **flags)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=2, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
