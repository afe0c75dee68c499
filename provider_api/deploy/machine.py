"""One machine's process tree: development chain, embedded Argo server, API; each only where settings name no other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httpx
import structlog

from argo.local.pods import Images, SandboxRuntime
from contract import names
from ocean.chain.anvil import AnvilFailed
from ocean.chain.development import CHAIN_ID, OWNER, DevelopmentChain, account, start_anvil
from ocean.chain.errors import ChainUnavailable
from pods.publication import PUBLISHED_PATH
from provider_api.deploy.addresses import (
    PortTaken,
    authority,
    free_port,
    noted_port,
    plain_host,
    port_is_free,
    reached_at,
)
from provider_api.deploy.children import START_SECONDS, Child, ChildFailed, inherited_environment
from provider_api.deploy.described_environments import LOOK_SECONDS, DescribedEnvironments
from provider_api.deploy.folder import DataFolder
from provider_api.deploy.lock import FolderLock
from provider_api.deploy.pods_publication import chain_of, pods_publication
from provider_api.deploy.pods_store import pods_store
from provider_api.deploy.waiting import absent, telling
from provider_api.keys import ProviderKeys, load_keys
from provider_api.settings import PREFIX, ChainSettings, Settings, load_settings
from workflow_templates.render import GITOPS

log = structlog.get_logger(__name__)

CHAIN_PORT: Final = 8545  # where wallets and scripts look for a development chain
FILES_PORT: Final = 8031  # of the files of assets made of results; stands in their documents, so it should stay
NO_SANDBOX: Final = (
    "no sandboxes on this machine ({problem}): algorithms of other people are refused here; they need bubblewrap and "
    "user namespaces"
)

CHAIN_ELSEWHERE: Final = (
    "the development chain is NOT on port {wanted}, which is (or was) taken, but on http://127.0.0.1:{port}: say so to "
    "wallets and programs, the how-tos name {wanted}. It stays there; remove {file} to try {wanted} again"
)
FILES_ELSEWHERE: Final = (
    "port {wanted} is taken: the files of assets made of results are served on {port}, which those that are made now "
    "will name for ever"
)


class Machine:
    """`start`, use `url`, `stop`. Everything that lasts lies below `folder`; a second start goes on from there.

    allow_private: private addresses that files may be fetched from, beside those in the settings and like them.
    own_algorithms_only: the jobs to come run an algorithm of ours; without sandboxes it may run as a plain process.
    images: unpacked images that algorithms may use, name = folder, beside those in the settings.
    fixed_ports: listen where people expect it (API as set, chain on 8545 if free) instead of on any free port.
    tell: is given a line when the start waits for a neighbour.
    """

    def __init__(
        self,
        folder: Path,
        *,
        allow_private: tuple[str, ...] = (),
        own_algorithms_only: bool = False,
        images: Mapping[str, Path] | None = None,
        fixed_ports: bool = False,
        environment: Mapping[str, str] | None = None,
        manifests: Path = GITOPS / "base",
        tell: Callable[[str], None] = lambda _: None,
        start_seconds: float = START_SECONDS,
    ) -> None:
        self.settings: Settings = load_settings(environment)
        self.folder = DataFolder(folder.absolute())
        self._lock = FolderLock(self.folder.root)
        self._lock.require_free()
        self._tell = tell
        self._start_seconds = start_seconds
        self.remarks: list[str] = []
        self.sandboxed = True  # after the start: whether pods are sandboxes or, for our own algorithm, plain processes
        self._allow_private = (*self.settings.outgoing.allow_private, *allow_private)
        self._own_algorithms_only = own_algorithms_only
        self._images = dict(images or {})
        self._manifests = manifests
        self._environment = dict(os.environ if environment is None else environment)
        host, port = plain_host(self.settings.server.host), self.settings.server.port
        self._address = (host, port if fixed_ports and port else free_port(host))
        if fixed_ports and not port_is_free(*self._address):
            raise PortTaken(port)
        self._chain_port = self._steady_chain_port() if fixed_ports else free_port()
        self._argo_port = free_port()
        wanted = self.settings.publication.port or (FILES_PORT if fixed_ports else 0)
        usable = wanted and wanted not in (self._address[1], self._chain_port) and port_is_free(host, wanted)
        self._files_port = wanted if usable else free_port(host)
        if wanted and self._files_port != wanted:
            self.remarks.append(FILES_ELSEWHERE.format(wanted=wanted, port=self._files_port))
        self._chain: DevelopmentChain | None = None
        self._children: list[Child] = []
        self._watches: list[asyncio.Task[None]] = []
        described = self.settings.machine.environments
        self._described = described and DescribedEnvironments(described.absolute(), self.folder.root / "environments")

    @property
    def url(self) -> str:
        return f"http://{authority(self._reached_at, self._address[1])}"

    @property
    def files_address(self) -> str:
        """host:port where assets made of results have their files: not the service's own, which no download reaches."""
        return authority(self._reached_at, self._files_port)

    @property
    def _reached_at(self) -> str:
        return reached_at(self._address[0])

    @property
    def argo_url(self) -> str:
        return f"http://127.0.0.1:{self._argo_port}" if self._own_argo else self.settings.argo.url

    @property
    def argo_token_file(self) -> Path:
        return self.folder.argo / "token"

    @property
    def chain_url(self) -> str:
        return f"http://127.0.0.1:{self._chain_port}" if self._own_chain else self.settings.chains[0].url

    @property
    def address_file(self) -> Path:
        """Ocean's address file of the development chain."""
        return self.folder.chain / "address.json"

    @property
    def _own_chain(self) -> bool:
        return not self.settings.chains

    @property
    def _own_argo(self) -> bool:
        return "argo" not in self.settings.model_fields_set

    async def start(self) -> None:
        """Start all parts; on a failure end those that run. Raises ChildFailed, AnvilMissing, AnvilFailed, …"""
        self.folder.make()
        self._lock.take()
        try:
            async with asyncio.TaskGroup() as group:
                if self._own_argo:
                    group.create_task(self._start_argo())
                if self._own_chain:
                    await self._start_chain()
                if self._own_argo and self._publication_chain is not None:
                    self._write_publication(self._publication_chain)
                group.create_task(self._start_api())  # waits for Argo by itself, until it is ready
        except BaseExceptionGroup as failures:
            await self.stop()
            raise failures.exceptions[0] from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all parts, the API first. Pods of running jobs go on; the next start finds them."""
        for watch in self._watches:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
        self._watches.clear()
        for child in reversed(self._children):
            await child.stop()
        self._children.clear()
        if self._chain:
            await self._chain.stop()
        self._lock.release()

    def child(self, name: str) -> Child:
        """One of the parts that run as processes of ours: "argo", "api". Raises KeyError."""
        return {child.name: child for child in self._children}[name]

    def _steady_chain_port(self) -> int:
        """8545 if it is free; else another, which the folder remembers, so that wallets and scripts find it again."""
        if not self._own_chain:
            return CHAIN_PORT
        file = self.folder.chain / "port"
        wanted = noted_port(file) or CHAIN_PORT
        port = next((each for each in (wanted, CHAIN_PORT) if port_is_free("127.0.0.1", each)), None) or free_port()
        if port != CHAIN_PORT:
            self.remarks.append(CHAIN_ELSEWHERE.format(wanted=CHAIN_PORT, port=port, file=file))
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.write_text(f"{port}\n")
        return port

    # --- parts -------------------------------------------------------------------------------------------------------

    async def _start_chain(self) -> None:
        self._chain = await start_anvil(self.folder.chain, self._chain_port)
        self._watches.append(asyncio.create_task(self._watch_chain()))

    async def _watch_chain(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            if self._chain is None or self._chain.process.running:
                continue
            log.error("child_died", child="chain")
            try:
                self._chain = await start_anvil(self.folder.chain, self._chain_port)
            except (AnvilFailed, ChainUnavailable, OSError) as failure:
                log.error("child_not_ready", child="chain", reason=str(failure))  # noqa: TRY400
            except Exception:
                log.exception("child_not_ready", child="chain")
            else:
                log.info("child_restarted", child="chain")

    async def _start_argo(self) -> None:
        problem = await asyncio.to_thread(SandboxRuntime(Images.default()).probe)
        if problem:
            self.remarks.append(NO_SANDBOX.format(problem=problem))
        self.sandboxed = not problem or not self._own_algorithms_only
        self._deploy(await asyncio.to_thread(self._described.render) if self._described else self._manifests)
        if self._described:
            self._watches.append(asyncio.create_task(self._watch_environments(self._described)))
        words = [sys.executable, "-m", "argo.local", "--port", str(self._argo_port)]
        words += ["--data", str(self.folder.argo), "--namespace", self.settings.argo.namespace]
        words += [
            "--templates",
            str(self.folder.templates),
            "--claim",
            f"{names.RESULTS_CLAIM}={self._results_folder()}",
        ]
        words += [word for name, root in self._images.items() for word in ("--image", f"{name}={root.absolute()}")]
        if self.settings.machine.images is not None:
            words += ["--images", str(self.settings.machine.images.absolute())]
        if not self.sandboxed:
            words += ["--isolation", "process", "--unsandboxed-image", "python"]
        words += ["--reserve-mib", str(int(self.settings.disk_reserve_gib * 1024))]
        if self.settings.policy.allow_network:
            words.append("--allow-network")
        await self._start_child("argo", tuple(words), {}, f"{self.argo_url}/api/v1/version", (200, 401))

    def _deploy(self, manifests: Path) -> list[str]:
        service = self._provider_keys().box.public_key
        return self.folder.deploy(manifests, service, self._store_of_pods(), self._publication_chain)

    async def _watch_environments(self, described: DescribedEnvironments) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(described.take_up, self._deploy)

    async def _start_api(self) -> None:
        environment = {name: value for name, value in self._environment.items() if name.upper().startswith(PREFIX)}
        host, port = self._address
        published = f"{self.files_address}{PUBLISHED_PATH}@*"  # of anybody's asset: the address is the permission
        environment |= {
            "C2D_DATA_FOLDER": str(self.folder.root),
            "C2D_SERVER__HOST": host,
            "C2D_SERVER__PORT": str(port),
            "C2D_OUTGOING__ALLOW_PRIVATE": json.dumps([*self._allow_private, published]),
            "C2D_PUBLICATION__PORT": str(self._files_port),
            "C2D_OUTGOING__FORBID": json.dumps([*self.settings.outgoing.forbid, *self._own_addresses()]),
        }
        if self._own_chain:
            environment["C2D_CHAINS"] = json.dumps([self._development_chain.model_dump(mode="json")])
        if self._own_argo:
            environment |= {
                "C2D_ARGO__URL": self.argo_url,
                "C2D_ARGO__NAMESPACE": self.settings.argo.namespace,
                "C2D_ARGO__TOKEN_FILE": str(self.argo_token_file),
                "C2D_RESULTS__URL": self.settings.results.url or self.folder.results.as_uri(),
            }
        if not self._key_given:
            self._provider_keys()
            environment["C2D_PROVIDER__KEY_FILE"] = str(self.folder.provider_key)
        command, probe = (sys.executable, "-m", "provider_api"), f"{self.url}/health/ready"
        async with telling(self.settings, self._start_seconds, self._tell):
            try:
                await self._start_child("api", command, environment, probe, (200,))
            except ChildFailed as failure:
                if missing := await absent(self.settings):
                    raise ChildFailed(f"no connection to {', '.join(missing)}; {failure}") from None
                raise

    async def _start_child(
        self, name: str, command: tuple[str, ...], environment: Mapping[str, str], probe: str, answers: tuple[int, ...]
    ) -> None:
        async def ready() -> bool:
            async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
                try:
                    return (await client.get(probe)).status_code in answers
                except httpx.TransportError:
                    return False

        everything = {**inherited_environment(), **environment}
        child = Child(name, command, everything, self.folder.logs / f"{name}.log", ready, self._start_seconds)
        self._children.append(child)
        await child.start()

    def _results_folder(self) -> Path:
        """The folder of results, which pods find as a volume."""
        parts = urlsplit(self.settings.results.url or "")
        return Path(unquote(parts.path)) if parts.scheme == "file" else self.folder.results

    def _store_of_pods(self) -> dict[str, Any] | None:
        """store.json of the publishing pods; None: the results volume."""
        url = self.settings.results.url
        if url is None or url.startswith("file:"):
            # A plain process has no mounts: it finds the folder where this machine has it.
            return None if self.sandboxed else {"url": self._results_folder().as_uri()}
        return pods_store(self.settings.results, self._provider_keys())

    @property
    def _development_chain(self) -> ChainSettings:
        return ChainSettings(url=self.chain_url, chain_id=CHAIN_ID, address_file=self.address_file)

    @property
    def _publication_chain(self) -> int | None:
        """Where results may become assets; on a chain of others only with a key of the operator's."""
        if self._own_chain:
            return CHAIN_ID
        return self.settings.publication.chain_id if self.settings.publication.key_file is not None else None

    def _write_publication(self, chain_id: int) -> None:
        """Raises PublicationUnset, NetworkMisconfigured, OSError."""
        chain = self._development_chain if self._own_chain else chain_of(self.settings, chain_id)
        given = None if self._own_chain else self.settings.publication.key_file
        key = "0x" + bytes(account(OWNER).key).hex() if given is None else given.read_text()
        public = self.settings.server.public_urls
        facts = pods_publication(
            chain,
            chain_id,
            self._provider_keys(),
            provider_url=public[0] if public else self.url,
            files_url=f"http://{self.files_address}",
        )
        self.folder.write_publication(facts, key)

    @property
    def _key_given(self) -> bool:
        return self.settings.provider.key is not None or self.settings.provider.key_file is not None

    def _provider_keys(self) -> ProviderKeys:
        return load_keys(self.settings.provider) if self._key_given else self.folder.provider_keys()

    def _own_addresses(self) -> list[str]:
        ports = (self._address[1], self._chain_port, self._argo_port)
        return [f"{host}:{port}" for host in ("127.0.0.1", "localhost") for port in ports]
