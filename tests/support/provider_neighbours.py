"""Argo and a chain in memory: implementations of the service's own Protocols, with a switch for each way to fail."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from eth_account import Account
from eth_account.signers.local import LocalAccount
from nacl.public import PrivateKey

from argo.client.errors import ArgoUnavailable, SubmissionRefused, WorkflowExists, WorkflowFinished, WorkflowNotFound
from argo.client.records import ACTION, FIRST_SERVER, NewWorkflow, Node, Template, Workflow
from argo.client.seen import Heard, SeenWorkflows
from contract import names
from contract.job_spec import JobSpec, open_sealed
from contract.keys import encode_key
from ocean.addresses import canonical, checksum
from ocean.chain.decryption import Publication
from ocean.chain.errors import ChainUnavailable
from ocean.chain.index_health import IndexHealth
from ocean.chain.market_view import MarketView
from ocean.chain.orders import Order, OrderInvalid, OrderRequest, normal_hash
from ocean.ddo import DDO
from ocean.file_lists import encode_files
from ocean.files import UrlFile
from ocean.files.requests import ViewCall
from ocean.keys import public_bytes
from ocean.outgoing import OutgoingGuard
from ocean.signing import job_message, result_message, sign, start_message
from provider_api.app import create_app
from provider_api.chains.chains import Chains
from provider_api.keys import ProviderKeys, keys_of
from provider_api.services import Neighbours, Services, outgoing_pools
from provider_api.settings import ProviderSettings, Settings, StrangerSettings
from results.store import open_store
from tests.support import provider_facts as facts

# Public development keys: accounts 3, 2 and 1 of the mnemonic that every test chain uses.
# Tests send many odd requests from one address; those of the budget for strangers set one.
NO_BUDGET = StrangerSettings(units_per_minute=100_000_000, at_once=256, at_once_each=256)
PROVIDER_KEY = "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"
CONSUMER_KEY = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"
STRANGER_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
ENVIRONMENT_KEY = PrivateKey(bytes(range(32)))
FREE, PAID = "small", "paid"


def transaction(number: int) -> str:
    return "0x" + hashlib.sha256(str(number).encode()).hexdigest()


def just_created(new: NewWorkflow) -> Workflow:
    """As Argo answers before its controller has seen it."""
    return Workflow(
        new.name,
        f"uid-{new.name}",
        new.labels,
        new.annotations,
        new.arguments,
        datetime.now(UTC),
        "",
        "",
        None,
        None,
        "",
        new.entrypoint,
    )


def labelled(workflow: Workflow, key: str, value: str) -> bool:
    """Whether a query for that label finds it."""
    if value in (names.ANY, names.NONE):
        return (key in workflow.labels) == (value == names.ANY)
    return workflow.labels.get(key) == value


@dataclass
class MemoryArgo:
    """`away`: refuses connections. `lost`: answers nothing after creating (if `creates`). `refuses`: says no."""

    workflows: dict[str, Workflow] = field(default_factory=dict)
    prices: dict[str, str] = field(default_factory=lambda: {FREE: "0", PAID: "2.5"})
    submissions: list[str] = field(default_factory=list)
    created: int = 0
    away: bool = False
    lost: bool = False
    creates: bool = True
    refuses: bool = False
    slow_seconds: float = 0.0
    held: asyncio.Event | None = None  # submissions wait for it
    max_queued: int = 10
    per_account: int | None = None  # what the templates say; None: nothing
    positions: dict[str, int] = field(default_factory=dict)
    stopping: str = "Stop"
    logs: dict[str, list[str]] = field(default_factory=dict)  # lines by step
    unreachable_servers: frozenset[str] = frozenset()
    listed: list[dict[str, str]] = field(default_factory=list)  # what pages were asked for
    kept: dict[str, Workflow] = field(default_factory=dict)
    watched: dict[str, SeenWorkflows] = field(default_factory=dict)
    told: SeenWorkflows = field(default_factory=SeenWorkflows)
    resumed: list[str] = field(default_factory=list)
    has_queue: bool = True  # its templates do
    has_record: bool = False  # likewise
    lingering: bool = False  # pods do not end when they are terminated

    def _reachable(self) -> None:
        if self.away:
            raise ArgoUnavailable("connection refused", definite=True)

    async def submit(self, new: NewWorkflow) -> Workflow:
        name, held = new.name, self.held
        self.submissions.append(name)
        await asyncio.sleep(self.slow_seconds)
        if held is not None:
            await held.wait()
        self._reachable()
        if self.refuses:
            raise SubmissionRefused(403, "no right")
        if name in self.workflows:
            raise WorkflowExists(name)
        workflow = just_created(new)
        if self.creates:
            self.created += 1
            self.workflows[name] = workflow
        if self.lost:
            raise ArgoUnavailable("timeout", definite=False)
        return workflow

    async def get(self, name: str) -> Workflow:
        self._reachable()
        if name not in self.workflows:
            raise WorkflowNotFound(name)
        return self.workflows[name]

    def seen(self, name: str) -> Workflow | None:
        """As it was when a test has put it into `kept`."""
        return self.kept.get(name)

    def listening(self, name: str, heard: Heard) -> AbstractContextManager[None]:
        """Tests say `argo.told.changed(name)`; between `argo.told.opened()` and `.lost()` there is a watch."""
        return self.told.listening(name, heard)

    def is_watched(self, name: str) -> bool:
        return self.told.alive

    async def brief(self, labels: Mapping[str, str], *, skip_unreachable: bool = False) -> list[Workflow]:
        found = await self.list(labels, limit=None, unfinished_only=True, skip_unreachable=skip_unreachable)
        return [replace(workflow, nodes=(), annotations={}) for workflow in found]

    async def count(self, labels: Mapping[str, str], *, unfinished_only: bool = False) -> int:
        return len(await self.list(labels, limit=None, unfinished_only=unfinished_only))

    async def stop(self, name: str) -> None:
        workflow = await self.get(name)
        if workflow.finished:
            raise WorkflowFinished(name)
        self.workflows[name] = replace(workflow, shutdown=self.stopping)

    async def terminate(self, name: str) -> None:
        """Its pods end at once, unless they are slow."""
        workflow = await self.get(name)
        if workflow.finished:
            raise WorkflowFinished(name)
        end = {} if self.lingering else {"phase": "Failed", "finished_at": datetime.now(UTC)}
        self.workflows[name] = replace(workflow, shutdown="Terminate", **end)

    async def resume(self, name: str) -> None:
        workflow = await self.get(name)
        self.resumed.append(name)
        if not workflow.finished:
            turn = Node("turn", "turn", names.TURN, "Suspend", names.TURN, "Succeeded", "", None, None, None, {})
            labels = {**workflow.labels, ACTION: "Resume"}
            self.workflows[name] = replace(workflow, nodes=(*workflow.nodes, turn), labels=labels)

    async def delete(self, name: str) -> None:
        await self.get(name)
        del self.workflows[name]

    async def follow_log(
        self, name: str, pod_template: str = names.ALGORITHM, *, follow: bool = True
    ) -> AsyncGenerator[str, None]:
        await self.get(name)
        for line in self.logs.get(pod_template, []):
            yield line

    def serves(self, name: str) -> bool:
        return name[:2] == FIRST_SERVER

    async def pages(
        self,
        labels: Mapping[str, str],
        *,
        limit: int | None = None,
        unfinished_only: bool = False,
        skip_unreachable: bool = False,
        nodes: bool = True,
    ) -> AsyncGenerator[list[Workflow], None]:
        self.listed.append(dict(labels))
        found = await self.list(labels, limit=limit, unfinished_only=unfinished_only)
        for first in range(0, len(found), 2):
            yield found[first : first + 2]

    async def templates(self) -> list[Template]:
        self._reachable()
        return [
            Template(
                name,
                {names.ENVIRONMENT: name},
                {
                    names.CONSUMER_ADDRESS: facts.ENVIRONMENT_ADDRESS,
                    names.BOX_PUBLIC_KEY: encode_key(ENVIRONMENT_KEY.public_key),
                    names.option("price_per_minute"): price,
                    names.option("max_job_duration"): "3600",
                    names.MAX_JOBS: "2",
                    names.HAS_QUEUE: "true" if self.has_queue else "",
                    names.HAS_RECORD: "true" if self.has_record else "",
                    names.option("max_queued_jobs"): str(self.max_queued),
                    **({names.option("max_jobs_per_account"): str(most)} if (most := self.per_account) else {}),
                    **({names.option("position"): str(self.positions[name])} if name in self.positions else {}),
                    names.option("cpu_number"): "1",
                    names.option("ram_gb"): "0.5",
                    names.option("pending_timeout"): "300",
                },
            )
            for name, price in self.prices.items()
        ] + [Template("incomplete", {names.ENVIRONMENT: "incomplete"}, {})]

    async def list(
        self,
        labels: Mapping[str, str],
        *,
        limit: int | None = 100,
        unfinished_only: bool = False,
        skip_unreachable: bool = False,
    ) -> list[Workflow]:
        self._reachable()
        return [
            workflow
            for workflow in self.workflows.values()
            if all(labelled(workflow, key, value) for key, value in labels.items())
            and not (unfinished_only and workflow.finished)
        ][:limit]

    def finish(self, name: str, phase: str = "Succeeded", *, results: str = "") -> None:
        moment = datetime.now(UTC)

        def node(step: str, outputs: Mapping[str, str]) -> Node:
            return Node(step, step, step, "Pod", step, "Succeeded", "", 0, moment, moment, outputs)

        outputs = {names.OUT_RESULTS: results} if results else {}
        nodes = (node(names.CONFIGURATION, {}), node(names.ALGORITHM, {}), node(names.PUBLISHING, outputs))
        self.workflows[name] = replace(
            self.workflows[name], phase=phase, started_at=moment, finished_at=moment, nodes=nodes
        )

    def forget(self, name: str) -> None:
        """Its record has expired."""
        del self.workflows[name]

    def spec(self, name: str, keys: ProviderKeys) -> JobSpec:
        """What the configuration pod would read."""
        sealed = self.workflows[name].arguments[names.ARG_JOB_SPEC]
        return open_sealed(sealed, [ENVIRONMENT_KEY], [keys.box.public_key])


@dataclass
class MemoryChain:
    """Assets by DID, orders by transaction hash; an order is good for the datatoken and consumer it names."""

    chain_id: int = 8996
    name: str = "Ganache"
    fee_token: str = facts.TOKEN
    assets: dict[str, DDO] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)  # reason by transaction hash
    away: bool = False
    nft_state: int = 0  # of the one data NFT, facts.NFT
    index_health: IndexHealth = field(default_factory=IndexHealth)
    heads: int = 0  # how often the head was asked for
    wallets: dict[str, set[bytes]] = field(default_factory=dict)  # digests that a contract takes for signed, by address

    def _reachable(self) -> None:
        if self.away:
            raise ChainUnavailable(self.chain_id)

    async def resolve(self, did: str) -> DDO | None:
        self._reachable()
        return self.assets.get(did)

    async def verify_order(self, request: OrderRequest, now: float) -> Order:
        self._reachable()
        order = self.orders.get(normal_hash(request.tx_hash))
        if (reason := self.refused.get(normal_hash(request.tx_hash))) is not None:
            raise OrderInvalid(reason)
        if order is None:
            raise OrderInvalid("order_not_found")
        if request.environment is not None and order.environment != request.environment:
            raise OrderInvalid("environment_mismatch")
        if request.sender not in (order.payer.lower(), order.consumer.lower()):
            raise OrderInvalid("sender_mismatch")
        expired = 0 < order.valid_until <= now
        if expired and not request.lenient:
            raise OrderInvalid("fee_expired")
        return replace(order, fee_expired=expired)

    async def fee_decimals(self) -> int:
        return 18

    async def head(self) -> int:
        self.heads += 1
        self._reachable()
        return 1

    @property
    def scanned(self) -> int:
        return 1

    async def view(self, call: ViewCall) -> Any:
        self._reachable()
        return list(call.arguments)

    async def publication(self, nft: str, tx: str | None) -> Publication:
        self._reachable()
        return Publication(canonical(nft) == canonical(facts.NFT), self.nft_state, None)

    async def listing(self) -> Mapping[str, Any]:
        self._reachable()
        return dict.fromkeys(self.assets)

    async def market(self) -> tuple[MarketView, int]:
        raise ChainUnavailable(self.chain_id, "there are no markets here")

    async def signed_by_contract(self, address: str, digest: bytes, signature: bytes) -> bool | None:
        self._reachable()
        return digest in self.wallets[address] if address in self.wallets else None


class World:
    """The service in this process, its neighbours in memory, a consumer with a key, HTTP without sockets."""

    def __init__(self, folder: Path, *, guarding: Mapping[str, Any] | None = None, **settings: Any) -> None:
        """`guarding`: what its guard of outgoing calls is built on, see OutgoingGuard."""
        self.guarding = dict(guarding or {})
        self.argo, self.chain = MemoryArgo(), MemoryChain()
        settings.setdefault("strangers", NO_BUDGET)
        self.settings = Settings(data_folder=folder, provider=ProviderSettings(key=PROVIDER_KEY), **settings)  # type: ignore[arg-type]
        self.keys = keys_of(PROVIDER_KEY)
        self.consumer: LocalAccount = Account.from_key(CONSUMER_KEY)
        self.app = create_app(self.settings, self._neighbours)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://provider")
        self._orders = 0

    @asynccontextmanager
    async def _neighbours(self, settings: Settings, keys: ProviderKeys) -> AsyncIterator[Neighbours]:
        guard = OutgoingGuard(settings.outgoing.exceptions(), settings.forbidden(), **self.guarding)
        async with AsyncExitStack() as stack:
            yield Neighbours(
                argo=self.argo,
                chains=Chains({self.chain.chain_id: self.chain}),
                outgoing=await outgoing_pools(guard, settings, stack),
                results=open_store(settings.results_url()),
            )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        """The lifespan of the application around the block."""
        inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        outbox: asyncio.Queue[Any] = asyncio.Queue()
        task = asyncio.ensure_future(self.app({"type": "lifespan", "asgi": {"version": "3.0"}}, inbox.get, outbox.put))  # type: ignore[arg-type]
        await inbox.put({"type": "lifespan.startup"})
        message = await outbox.get()
        assert message["type"] == "lifespan.startup.complete", message
        try:
            yield self
        finally:
            await inbox.put({"type": "lifespan.shutdown"})
            await outbox.get()
            await task
            await self.http.aclose()

    @property
    def services(self) -> Services:
        """What its routes use, while it runs."""
        services: Services = self.app._app.state.services  # type: ignore[attr-defined]
        return services

    # --- assets and orders -------------------------------------------------------------------------------------------

    def publish(self, number: int = 0, **compute: Any) -> str:
        """A dataset that allows raw algorithms; answers its DID."""
        source = facts.document(facts.did(number))
        section = source["services"][0]
        section["compute"] |= {"allowRawAlgorithm": True} | compute
        section["files"] = encode_files(
            [UrlFile("http://127.0.0.1:9/secret.csv")], facts.TOKEN, facts.NFT, public_bytes(PROVIDER_KEY)
        )
        self.chain.assets[source["id"]] = DDO.parse(source)
        return str(source["id"])

    def order(self, **changes: Any) -> str:
        """A purchase by the consumer for the free environment; answers its hash."""
        self._orders += 1
        hash_ = transaction(self._orders)
        now = int(time.time())
        values: dict[str, Any] = {
            "tx_hash": hash_,
            "start_tx_hash": hash_,
            "payer": checksum(self.consumer.address),
            "environment": FREE,
            "valid_until": now + 1800,
            "timestamp": now,
            "block_timestamp": now,
            "quote_timestamp": now,
        }
        self.chain.orders[hash_] = facts.order(**(values | changes))
        return hash_

    # --- requests ----------------------------------------------------------------------------------------------------

    def start_body(self, nonce: Any = 5, *, key: str = CONSUMER_KEY, **changes: Any) -> dict[str, Any]:
        """A signed start of a raw algorithm on one freshly published and ordered dataset, unless told otherwise."""
        address = Account.from_key(key).address
        dataset = changes.pop("dataset", None)
        if dataset is None:
            dataset = {"documentId": self.publish(), "serviceId": "svc", "transferTxId": self.order()}
        body = {
            "dataset": dataset,
            "environment": FREE,
            "algorithm": {"meta": dict(facts.raw().meta or {})},
            "consumerAddress": address,
            "nonce": nonce,
        } | changes
        message = start_message(body["consumerAddress"], dataset.get("documentId"), str(nonce))
        return {"signature": sign(message, key), **body}

    async def start(self, body: Mapping[str, Any]) -> httpx.Response:
        return await self.http.post("/api/services/compute", json=body)

    async def stop(self, nonce: Any, job_id: str = "", key: str = CONSUMER_KEY) -> httpx.Response:
        address = Account.from_key(key).address
        query = {"consumerAddress": address, "nonce": str(nonce), "jobId": job_id}
        query["signature"] = sign(job_message(address, job_id, "", str(nonce)), key)
        return await self.http.put("/api/services/compute", params=query)

    async def result(
        self, nonce: Any, job_id: str, index: int, key: str = CONSUMER_KEY, **headers: str
    ) -> httpx.Response:
        address = Account.from_key(key).address
        query = {"consumerAddress": address, "nonce": str(nonce), "jobId": job_id, "index": str(index)}
        query["signature"] = sign(result_message(address, job_id, str(index), str(nonce)), key)
        return await self.http.get("/api/services/computeResult", params=query, headers=headers)

    async def nonce(self) -> str:
        answer = await self.http.get("/api/services/nonce", params={"userAddress": self.consumer.address})
        return str(answer.json()["nonce"])


def stored_text(document: Any) -> str:
    """Everything in a document as one text, to search for what must not be in it."""
    return json.dumps(document, default=str)
